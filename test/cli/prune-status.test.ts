import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  createRecord,
  leaseRecord,
  openRepository,
  type Repository,
  registerSession,
  type WriterSession,
} from '../../dist/repo/index.js';
import { randomContent } from '../snapshot/random-content.js';
import { type Place, plainPlace } from './run.js';
import { everything, objects, take } from './taken.js';

/** 2026-01-01T00:00:00Z. */
const BEGUN = 1_767_225_600;

/** A process that is no more, on this machine. */
const endedPid = (): number => spawnSync(process.execPath, ['-e', '']).pid;

/** Through the library, as another run of this process. */
async function use<T>(its: Place, action: (repository: Repository) => Promise<T>): Promise<T> {
  const repository = await openRepository({
    location: its.repo,
    password: async () => Buffer.alloc(0),
    cacheRoot: join(its.root, 'other cache'),
    portable: false,
    host: 'here',
    now: () => Date.now(),
    report: () => undefined,
  });
  try {
    return await action(repository);
  } finally {
    await repository.close();
  }
}

/** A session that does nothing; what is left out of `changes` is that of this process. */
const hanging = (its: Place, changes: Partial<Repository['identity']> = {}): Promise<WriterSession> =>
  use(its, (repository) => registerSession(repository, { ...repository.identity, ...changes }, BEGUN));

/** The ids of snapshots each of which has content of its own. */
async function filled(count: number): Promise<{ its: Place; ids: string[] }> {
  const its = await plainPlace();
  const ids: string[] = [];
  for (let i = 1; i <= count; i++) {
    writeFileSync(join(its.source, 'file'), randomContent(i, 100_000));
    ids.push(await take(its, `2026-01-0${i}T02:00`));
  }
  return { its, ids };
}

async function statusOf(its: Place): Promise<{ text: string; summary: Readonly<Record<string, unknown>> }> {
  const before = everything(its);
  const { code, stdout, stderr } = await its.run(['prune', '--status']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { summary } = await its.json(['prune', '--status']);
  expect(everything(its)).toEqual(before);
  return { text: stdout, summary };
}

interface Mark {
  readonly epoch: number;
  readonly packs: number;
  readonly bytes: number;
}

describe('prune --status', () => {
  test('names each pack once, whom the prune waits for, and when it need not any more', async () => {
    const { its, ids } = await filled(3);
    const session = await hanging(its);
    await its.run(['forget', ids[0]!]);
    const first = await its.json(['prune']);
    expect(first.summary).toMatchObject({ state: 'pending' });
    expect(first.problems).toMatchObject([
      {
        code: 'pending',
        message: `session ${session.id.slice(0, 8)} (process ${process.pid} on here, begun 2026-01-01 00:00:00 +00:00) has to end first; the next prune goes on, or this one waits with --wait`,
      },
    ]);
    await its.run(['forget', ids[1]!]);
    const { condemned } = (await its.json(['prune'])).summary as { condemned?: Omit<Mark, 'epoch'> };
    const third = await its.json(['prune']);
    expect(third.summary).toMatchObject({ state: 'pending', condemned });
    expect(objects(its, 'marks')).toHaveLength(3);

    const { text, summary } = await statusOf(its);
    const marks = summary.marks as Mark[];
    // The third one condemned nothing that was not condemned before.
    expect(marks.map(({ epoch }) => epoch)).toEqual([1, 3]);
    const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
    expect({
      packs: sum(marks.map(({ packs }) => packs)),
      bytes: sum(marks.map(({ bytes }) => bytes)),
    }).toEqual(condemned);
    expect(summary.sessions).toMatchObject([{ session: session.id, started: BEGUN, state: 'alive' }]);
    expect(text).toMatch(
      new RegExp(
        `^Condemned by prune 1, .*: \\d+ packs?, .*\\.\nCondemned by prune 3, .*\\.\nSession ${session.id.slice(0, 8)} \\(process ${process.pid} on here, begun 2026-01-01 00:00:00 \\+00:00\\) is running: what is condemned stays until it has ended\\.\n$`,
      ),
    );

    await session.abort([]);
    const free = await statusOf(its);
    expect(free.text).toMatch(/^(Condemned .*\n){2}A prune can now remove what is condemned\.\n$/);
    expect(free.summary).toMatchObject({ marks, sessions: [] });
    expect((await its.json(['prune'])).summary).toMatchObject({ state: 'swept' });
    expect((await statusOf(its)).text).toBe('Nothing is under way, and nothing waits.\n');
  });

  test('a session of this machine that was killed keeps nothing; of another machine nobody knows', async () => {
    const { its, ids } = await filled(2);
    const living = await hanging(its);
    await its.run(['forget', ids[0]!]);
    await its.run(['prune']);
    await living.abort([]);
    const dead = await hanging(its, { pid: endedPid(), startTime: 1 });
    const killed = await statusOf(its);
    expect(killed.text).toMatch(
      new RegExp(
        `\nSession ${dead.id.slice(0, 8)} \\(process .*\\) was killed; the next prune ends it\\.\nA prune can now remove .*\n$`,
      ),
    );
    expect(killed.summary.sessions).toMatchObject([{ session: dead.id, state: 'dead' }]);
    const far = await use(its, ({ backend, records }) =>
      registerSession({ backend, records }, { host: 'else\nwhere', pid: 7 }, BEGUN),
    );
    const both = await statusOf(its);
    expect(both.text).toMatch(
      /\(process 7 on else\\x0awhere, .*\) is running, or was killed on another machine: .*\.\n/,
    );
    expect(both.text).not.toContain('A prune can now remove');
    await far.abort([]);
    expect((await its.json(['prune'])).summary).toMatchObject({ state: 'swept' });
    expect(objects(its, 'sessions')).toEqual([]);
  });

  test('a prune that runs, or that was killed', async () => {
    const { its } = await filled(1);
    const lease = (number: number, pid: number, startTime?: number): Promise<unknown> =>
      use(its, ({ backend, records, identity }) => {
        const started = { ...identity, pid, ...(startTime === undefined ? {} : { startTime }) };
        const holder = { ...started, started: BEGUN, program: 'cbr test' };
        const record = { role: 'holder', holder, segments: [] } as const;
        return createRecord(backend, 'leases', `prune/${number}`, leaseRecord, record, records);
      });
    await lease(1, process.pid);
    const running = await statusOf(its);
    expect(running.text).toBe(`Prune 1 (process ${process.pid} on here) is running.\n`);
    expect(running.summary).toMatchObject({ running: { epoch: 1, state: 'alive' }, marks: [], sessions: [] });
    await lease(2, endedPid(), 1);
    expect((await statusOf(its)).text).toMatch(/^Prune 2 \(.*\) was killed; the next one goes on\.\n$/);
  });

  test('stands alone: what says how to prune is refused beside it', async () => {
    const { its } = await filled(1);
    const before = everything(its);
    const options = ['--wait', '--dry-run', '--max-unused=0', '--max-repack=1MiB', '--accept-vanished'];
    for (const option of options) {
      const { code, stdout, stderr } = await its.run(['prune', option, '--status']);
      expect({ option, code, stdout }).toEqual({ option, code: 2, stdout: '' });
      const name = option.split('=')[0]!;
      expect(stderr).toMatch(new RegExp(`^cbr: --status and ${name} exclude each other\n.+\n$`));
    }
    expect(everything(its)).toEqual(before);
  });
});
