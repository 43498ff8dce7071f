import { type ChildProcess, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Place, plainPlace } from './run.js';

/** Snapshots that end before their end: --partial and --max-new. */

const MEBIBYTE = 2 ** 20;

const packsIn = ({ repo }: Place): number =>
  readdirSync(join(repo, 'packs'), { recursive: true }).filter((name) => String(name).length > 60).length;

/** Small folders first, then so much that a signal arrives before it is read. */
async function large(): Promise<Place> {
  const its = await plainPlace();
  mkdirSync(join(its.source, 'a'));
  for (let i = 0; i < 40; i++) writeFileSync(join(its.source, `a/${i}`), randomBytes(5000));
  for (const name of 'bcdefg') {
    mkdirSync(join(its.source, name));
    writeFileSync(join(its.source, name, 'large'), randomBytes(40 * MEBIBYTE));
  }
  return its;
}

/** Signals the run when it has stored its first pack: small folders are done by then. */
function onceStored(its: Place, signals: readonly NodeJS.Signals[]) {
  const before = packsIn(its);
  return (child: ChildProcess): void => {
    const timer = setInterval(() => {
      if (child.exitCode !== null) clearInterval(timer);
      if (packsIn(its) === before) return;
      clearInterval(timer);
      for (const signal of signals) child.kill(signal);
    }, 5);
  };
}

const same = (a: string, b: string): boolean => spawnSync('diff', ['-r', a, b]).status === 0;

describe('--partial', () => {
  test('a first snapshot that is stopped keeps what it has, and the next one goes on from there', async () => {
    const its = await large();
    const args = ['snapshot', its.source, '--partial'];
    const stopped = await its.json(args, { during: onceStored(its, ['SIGTERM']) });
    expect(stopped).toMatchObject({ code: 3, stderr: '' });
    expect(stopped.summary).toMatchObject({ partial: true, level: 'full', paths: [its.source] });
    expect(stopped.problems).toMatchObject([
      {
        severity: 'warning',
        code: 'interrupted',
        message: expect.stringMatching(/SIGTERM before everything/),
      },
    ]);
    const partial = stopped.summary.snapshot as string;
    expect((await its.json(['snapshots'])).items).toMatchObject([{ snapshot: partial, partial: true }]);
    expect((await its.run(['snapshots'])).stdout).toMatch(/full, partial/);
    expect((await its.run(['check', '--read-data'])).code).toBe(0);

    // What it has is whole, and it does not have all.
    const target = join(its.root, 'half');
    const half = await its.run(['restore', `latest:${its.source}`, '--target', target]);
    expect(half).toMatchObject({ code: 0, stderr: expect.stringMatching(/is partial: it was stopped/) });
    expect(same(join(its.source, 'a'), join(target, 'a'))).toBe(true);
    const lines = spawnSync('diff', ['-r', its.source, target], { encoding: 'utf8' }).stdout.trim();
    expect(lines).toMatch(/^Only in .*source/);
    expect(lines.split('\n').every((line) => line.startsWith(`Only in ${its.source}`))).toBe(true);

    const next = await its.json(['snapshot', its.source]);
    expect(next.summary).toMatchObject({ exitCode: 0, level: 'full', parent: partial });
    expect(next.summary.partial).toBeUndefined();
    expect((next.summary.files as { unchanged: number }).unchanged).toBeGreaterThanOrEqual(40);
    const bytes = next.summary.bytes as { source: number; new: number };
    expect(bytes.new).toBeLessThan(bytes.source);
    const whole = join(its.root, 'whole');
    expect(await its.run(['restore', `latest:${its.source}`, '--target', whole])).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(same(its.source, whole)).toBe(true);
    expect((await its.run(['check', '--read-data'])).code).toBe(0);
  }, 120_000);

  test('a whole one is never forgotten for it, and stays the latest', async () => {
    const its = await large();
    const whole = (await its.json(['snapshot', its.source])).summary.snapshot;
    for (const name of 'bcdefg') writeFileSync(join(its.source, name, 'large'), randomBytes(40 * MEBIBYTE));
    const args = ['snapshot', its.source, '--partial'];
    const stopped = await its.json(args, { during: onceStored(its, ['SIGINT']) });
    expect(stopped.summary).toMatchObject({ exitCode: 3, partial: true });
    expect((await its.json(['ls', 'latest'])).summary.snapshot).toBe(whole);
    const found = await its.json(['find', '--type', 'd', 'g']);
    expect(found.items).toMatchObject([{ snapshot: whole }]);
    const partial = stopped.summary.snapshot as string;
    const differs = await its.json(['diff', whole as string, partial]);
    expect(differs.code).toBe(3);
    expect(differs.items.filter(({ change }) => change === 'removed')).toEqual([]);
    expect(differs.problems.map(({ code }) => code)).toEqual(['partial', 'unsure']);
    expect((differs.summary.unsure as { before: number }).before).toBeGreaterThan(0);
    const kept = await its.json(['forget', '--keep-last', '1']);
    expect(kept.code).toBe(0);
    expect((await its.json(['snapshots'])).items).toHaveLength(2);
    // What was known of the whole one still tells what is unchanged.
    const next = await its.json(['snapshot', its.source]);
    expect(next.summary).toMatchObject({ parent: whole, level: 'incr' });
    expect((await its.json(['forget', '--keep-last', '2', '--prune'])).code).toBe(0);
    const left = (await its.json(['snapshots'])).items.map(({ snapshot }) => snapshot);
    expect(left).toEqual([whole, next.summary.snapshot]);
    expect((await its.run(['check', '--read-data'])).code).toBe(0);
  }, 120_000);

  test('without it, and when a second signal comes, there is no snapshot', async () => {
    const its = await large();
    const stopped = await its.run(['snapshot', its.source], { during: onceStored(its, ['SIGINT']) });
    expect(stopped.code).toBe(130);
    const killed = await its.run(['snapshot', its.source, '--partial'], {
      during: (child) => {
        onceStored(its, ['SIGINT'])(child);
        // From here on nobody listens for signals.
        child.stderr!.once('data', () => child.kill('SIGTERM'));
      },
    });
    expect(killed.signal).toBe('SIGTERM');
    expect((await its.json(['snapshots'])).items).toEqual([]);
  });
});

describe('--max-new', () => {
  test('stops before more is stored, says what is large, and leaves nothing that prune does not free', async () => {
    const its = await plainPlace();
    mkdirSync(join(its.source, 'a'));
    writeFileSync(join(its.source, 'a/small'), randomBytes(100_000));
    writeFileSync(join(its.source, 'flood'), randomBytes(30 * MEBIBYTE));
    const args = ['snapshot', its.source, '--max-new', '8M'];
    const run = await its.json(args);
    expect(run).toMatchObject({ code: 1, stderr: '' });
    expect(run.summary.error).toMatchObject({
      code: 'limit',
      message: expect.stringMatching(/^stopped at .* MiB of new data .*--max-new allows 8.00 MiB$/),
    });
    expect(run.problems[0]).toMatchObject({ path: join(its.source, 'flood') });
    const stored = readdirSync(join(its.repo, 'packs'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.length > 60)
      .reduce((sum, name) => sum + readFileSync(join(its.repo, 'packs', name)).length, 0);
    expect(stored).toBeLessThan(8.5 * MEBIBYTE);
    expect((await its.json(['snapshots'])).items).toEqual([]);
    expect((await its.run(['check', '--read-data'])).code).toBe(0);
    expect((await its.run(['prune'])).code).toBe(0);
    expect(packsIn(its)).toBe(0);
  });

  test('counts what is new only, to the byte', async () => {
    const its = await plainPlace();
    const content = randomBytes(MEBIBYTE);
    writeFileSync(join(its.source, 'one'), content);
    const limited = (bytes: number) => its.json(['snapshot', its.source, '--max-new', String(bytes)]);
    expect((await limited(MEBIBYTE - 1)).code).toBe(1);
    expect((await its.run(['prune'])).code).toBe(0);
    expect((await limited(MEBIBYTE)).code).toBe(0);
    writeFileSync(join(its.source, 'copy'), content);
    expect((await limited(0)).summary).toMatchObject({ exitCode: 0, bytes: { new: 0 } });
  });

  test('holds for a command, which is ended, and for standard input', async () => {
    const its = await plainPlace();
    const run = await its.run(['snapshot', '--max-new', '1M', '--from-command', '--', 'cat', '/dev/urandom']);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringMatching(/\/stdin: .* of new data by then/) });
    const piped = await its.shell('cat /dev/urandom | cbr snapshot --stdin --max-new 1M');
    expect(piped).toMatchObject({ code: 1, stderr: expect.stringMatching(/--max-new allows 1.00 MiB/) });
    expect(existsSync(join(its.repo, 'snapshots')) && (await its.json(['snapshots'])).items).toEqual([]);
  });
});

test('a file that changes while it is read: stored, told, and the exit code says incomplete', async () => {
  const its = await plainPlace();
  const path = join(its.source, 'growing');
  writeFileSync(path, Buffer.alloc(100 * MEBIBYTE, 'x'));
  const fd = openSync(path, 'r+');
  const { code, summary, problems } = await its.json(['snapshot', its.source], {
    during: (child) => {
      const timer = setInterval(() => {
        if (child.exitCode === null) writeSync(fd, 'y', 0);
        else clearInterval(timer);
      }, 1);
    },
  });
  closeSync(fd);
  expect({ code, summary }).toMatchObject({ code: 3, summary: { files: { new: 1 } } });
  expect(problems).toMatchObject([{ path, message: expect.stringContaining('changed while it was read') }]);
});
