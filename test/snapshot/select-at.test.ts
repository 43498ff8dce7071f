import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { timeIn } from '../../dist/cli/times.js';
import type { CbrError } from '../../dist/core/index.js';
import type { RawPath } from '../../dist/fs/index.js';
import { TimeZone } from '../../dist/policy/index.js';
import { type SnapshotChoice, selectSnapshot } from '../../dist/snapshot/index.js';
import { forget } from './prune-subject.js';
import { type Scratch, scratchRepository, takeFrom } from './scratch-repository.js';

/** Which snapshot is meant by a time, and by what is wanted of it. */

interface Wish {
  readonly seconds: number;
  readonly host?: string;
  readonly folders: readonly string[];
}

async function taken(wishes: readonly Wish[]): Promise<{ at: Scratch; ids: string[] }> {
  const at = await scratchRepository();
  const ids: string[] = [];
  for (const { seconds, host = 'dove', folders } of wishes) {
    const paths = folders.map((folder) => join(at.source, folder));
    for (const path of paths) {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, 'file'), path);
    }
    const { summary } = await at.take({ paths, time: { seconds, nanoseconds: 0 }, host });
    ids.push(summary.snapshot!);
  }
  return { at, ids };
}

const select = (
  at: Scratch,
  seconds: number | undefined,
  path?: string,
  choice: Partial<SnapshotChoice> = {},
  name = 'latest',
) =>
  at.use(async (repository) => {
    const time = seconds === undefined ? {} : { at: { seconds, nanoseconds: 0 } };
    const wanted = path === undefined ? undefined : join(at.source, path);
    return (await selectSnapshot(repository, name, { tags: [], ...time, ...choice }, wanted)).id;
  });

test('the newest at or before it, never a nearby one', async () => {
  const { at, ids } = await taken([20, 10, 30].map((seconds) => ({ seconds, folders: ['a'] })));
  expect(await select(at, 10)).toBe(ids[1]);
  expect(await select(at, 29)).toBe(ids[0]);
  expect(await select(at, 30)).toBe(ids[2]);
  const error = await select(at, 9).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'not-found' });
  const oldest = `${ids[1]!.slice(0, 12)} (1970-01-01 00:00:10 +00:00, dove, ${at.source}/a)`;
  expect(String(error)).toContain(`at or before 1970-01-01 00:00:09 +00:00; the oldest is ${oldest}`);
});

interface Vectors {
  readonly cases: readonly {
    readonly archives: readonly (readonly [level: string, date: string])[];
    readonly when: string;
    /** What the original needs to replay; here the last one is complete. */
    readonly chain: readonly string[];
  }[];
}

test.each(['UTC', 'America/New_York'])('all vectors, in the zone %s', async (name) => {
  const { cases } = JSON.parse(
    readFileSync(join(import.meta.dirname, '../vectors/point-in-time.json'), 'utf8'),
  ) as Vectors;
  const zone = new TimeZone(name);
  const at = await scratchRepository();
  await at.use(async (repository) => {
    const ids = new Map<string, string>();
    for (const [word, date] of cases[0]!.archives) {
      const level = word.toLowerCase() as 'full' | 'diff' | 'incr';
      const time = timeIn(date, zone)!;
      const { summary } = await takeFrom(repository, { paths: [at.source], level, time });
      ids.set(summary.snapshot!, `${word}@${date}`);
    }
    for (const { archives, when, chain } of cases) {
      expect(archives).toEqual(cases[0]!.archives);
      const chosen = await selectSnapshot(repository, 'latest', { tags: [], at: timeIn(when, zone)! }).then(
        ({ id }) => ids.get(id),
        ({ code }: CbrError) => code,
      );
      expect({ when, chosen }).toEqual({ when, chosen: chain.at(-1) ?? 'not-found' });
    }
  });
});

test('hosts are not guessed, also where only one of them is old enough', async () => {
  const { at, ids } = await taken([
    { seconds: 10, folders: ['a'] },
    { seconds: 20, folders: ['a'], host: 'owl' },
  ]);
  await expect(select(at, 15)).rejects.toThrow(
    /several hosts match: dove \(newest: .*\); owl \(none so old\)/,
  );
  expect(await select(at, 15, undefined, { host: 'dove' })).toBe(ids[0]);
  const refused = expect(select(at, 15, undefined, { host: 'owl' })).rejects;
  await refused.toThrow(/no snapshot of host owl at or before .* the oldest is .* owl, /);
});

describe('several sources', () => {
  const wishes: readonly Wish[] = [
    { seconds: 10, folders: ['home'] },
    { seconds: 20, folders: ['etc'] },
    { seconds: 30, folders: ['home', 'mail'] },
    { seconds: 40, folders: ['etc'] },
  ];

  test('are not guessed at a time, unless it is told what is wanted', async () => {
    const { at, ids } = await taken(wishes);
    const error = await select(at, 25).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ambiguous', hint: expect.stringContaining('--path') });
    for (const text of [`${at.source}/home (newest: `, `${at.source}/etc (newest: `]) {
      expect(String(error)).toContain(text);
    }
    const path = join(at.source, 'home');
    expect(await select(at, 25, undefined, { path })).toBe(ids[0]);
    expect(await select(at, 15)).toBe(ids[0]);
    expect(await select(at, 45, 'home/file')).toBe(ids[2]);
    expect(await select(at, 45, 'etc')).toBe(ids[3]);
    await expect(select(at, 25, 'mail')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('that share a folder are one', async () => {
    const { at, ids } = await taken([wishes[0]!, wishes[2]!]);
    expect(await select(at, 15)).toBe(ids[0]);
    expect(await select(at, 35)).toBe(ids[1]);
  });

  test('the latest is the newest of all, but of a path the newest that may hold it', async () => {
    const { at, ids } = await taken(wishes);
    expect(await select(at, undefined)).toBe(ids[3]);
    expect(await select(at, undefined, 'home/file')).toBe(ids[2]);
    expect(await select(at, undefined, 'home', {}, 'latest~1')).toBe(ids[0]);
    // One that no source has is asked of the newest, which then says that it is not there.
    expect(await select(at, undefined, 'nowhere')).toBe(ids[3]);
    // Not a folder above it, only a name that begins alike.
    expect(await select(at, undefined, 'hom')).toBe(ids[3]);
  });

  test('below what is wanted do not stand for it while another one holds all of it', async () => {
    const { at, ids } = await taken([
      { seconds: 10, folders: ['ann'] },
      { seconds: 20, folders: ['ann/mail'] },
      { seconds: 30, folders: ['ann/mail'] },
    ]);
    expect(await select(at, undefined, 'ann')).toBe(ids[0]);
    expect(await select(at, undefined, 'ann/mail')).toBe(ids[2]);
    expect(await select(at, 25, 'ann')).toBe(ids[0]);
    expect(await select(at, undefined)).toBe(ids[2]);
    // Of what lies inside each other none is the other one changed.
    await expect(select(at, 25)).rejects.toMatchObject({ code: 'ambiguous' });
    const refused = expect(select(at, 5, 'ann')).rejects;
    await refused.toThrow(`no snapshot with ${at.source}/ann at or before`);
  });

  test('below what is wanted are refused where the newest one lacks what another one has', async () => {
    const { at, ids } = await taken([
      { seconds: 10, folders: ['x/a'] },
      { seconds: 20, folders: ['x/a', 'x/b'] },
      { seconds: 30, folders: ['x/a'] },
      { seconds: 40, folders: ['etc'] },
    ]);
    const error = await select(at, undefined, 'x').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ambiguous', hint: expect.stringContaining('--path') });
    expect(String(error)).toContain(`no snapshot has all of ${at.source}/x, and`);
    expect(String(error)).toContain(`${at.source}/x/a ${at.source}/x/b (newest: `);
    expect(await select(at, undefined, 'x', {}, 'latest~1')).toBe(ids[1]);
    expect(await select(at, 25, 'x')).toBe(ids[1]);
    expect(await select(at, undefined, 'x', { path: join(at.source, 'x/a') })).toBe(ids[2]);
    await expect(select(at, undefined, '.')).rejects.toMatchObject({ code: 'ambiguous' });
  });

  test('that stand for a long list do not stand for all that is in them', async () => {
    const { at, ids } = await taken([{ seconds: 10, folders: ['ann'] }]);
    const listed = Array.from({ length: 101 }, (_, i) => join(at.source, 'ann', `file ${i}`) as RawPath);
    for (const path of listed) writeFileSync(path, '');
    const take = async (seconds: number) =>
      (await at.take({ paths: [], listed, time: { seconds, nanoseconds: 0 }, host: 'dove' })).summary
        .snapshot;
    await take(20);
    expect(await select(at, undefined, 'ann/file')).toBe(ids[0]);
    expect(await select(at, undefined, 'ann')).toBe(ids[0]);
    await expect(select(at, undefined, '.')).rejects.toMatchObject({ code: 'ambiguous' });
    // Lists of one folder are one that was changed.
    await forget(at, ids[0]!);
    const last = await take(30);
    expect(await select(at, undefined, 'ann')).toBe(last);
    expect(await select(at, undefined, '.')).toBe(last);
  });
});
