import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../restore/failure.js';
import { selectSnapshot } from '../../restore/select.js';
import type { Snapshot } from '../../restore/snapshots.js';
import { scratchRepository } from '../snapshot/scratch-repository.js';
import { damage } from './disc-folders.js';
import { read } from './reader.js';

/** Which snapshot the reader takes for the latest: never another one than cbr, and none where that would be luck. */

const bytes = (path: string): Buffer => Buffer.from(path);

function snapshot(number: number, paths: readonly string[], changes: Partial<Snapshot> = {}): Snapshot {
  return {
    id: number.toString(16).padStart(32, '0'),
    root: { id: Buffer.alloc(32), length: 1 },
    seconds: number,
    nanoseconds: 0,
    zoneOffset: 0,
    host: 'here',
    level: 'full',
    paths: paths.map(bytes),
    listed: [],
    tags: [],
    comment: undefined,
    isPartial: false,
    missing: 0,
    ...changes,
  };
}

const partial = { isPartial: true };

/** The number of the one that is chosen, or why none is. */
function chosen(snapshots: readonly Snapshot[], name: string, path?: string): number | string {
  try {
    return selectSnapshot({ snapshots, unreadable: [] }, name, path).seconds;
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
}

describe('latest', () => {
  const sources = [snapshot(1, ['/a']), snapshot(2, ['/a']), snapshot(3, ['/a'], partial)];

  test('does not count partial ones where there are others, however far back', () => {
    expect([chosen(sources, 'latest'), chosen(sources, 'latest~1')]).toEqual([2, 1]);
    expect(chosen(sources, 'latest~2')).toBe('there is no latest~2: 2 snapshots in all');
    expect(chosen(sources.slice(2), 'latest')).toBe(3);
  });

  test('with a path is one that has all of it, however far back', () => {
    const mixed = [snapshot(1, ['/a/b']), snapshot(2, ['/a/b']), snapshot(3, ['/a'])];
    expect(chosen(mixed, 'latest', '/a')).toBe(3);
    expect(chosen(mixed, 'latest~1', '/a')).toBe('there is no latest~1 with /a: 1 snapshot in all');
    expect(chosen([snapshot(1, ['/a'], partial), snapshot(2, ['/a/b'])], 'latest', '/a/')).toBe(1);
    expect(chosen(mixed, 'latest', '/elsewhere')).toBe(
      'no snapshot in reach has /elsewhere among its sources',
    );
  });

  test("with a path of which several have parts is nobody's guess", () => {
    const parts = [snapshot(1, ['/home/ann']), snapshot(2, ['/home/bob'])];
    expect(chosen(parts, 'latest', '/home')).toContain(
      'no snapshot has all of /home, and several have parts of it',
    );
    expect(chosen(parts, 'latest', '/home')).toContain(`/home/ann: ${parts[0]!.id.slice(0, 16)}`);
    expect(chosen(parts, 'latest', '/home/ann')).toBe(1);
    expect(chosen([...parts, snapshot(3, ['/home/ann', '/home/bob'])], 'latest', '/home')).toBe(3);
    expect(chosen([snapshot(1, ['/home/ann']), snapshot(2, ['/home/ann'])], 'latest', '/home')).toBe(2);
  });

  test('a source that stands for a list does not have all that is in it', () => {
    const list = snapshot(2, ['/home'], { listed: [bytes('/home')] });
    expect(chosen([snapshot(1, ['/home/ann']), list], 'latest', '/home/ann')).toBe(1);
    expect(chosen([list, snapshot(3, ['/home'], { listed: [bytes('/')] })], 'latest', '/home/ann')).toBe(3);
  });

  test('names that are not ASCII are found by their bytes', () => {
    expect(chosen([snapshot(1, ['/año'])], 'latest', '/año/x')).toBe(1);
  });
});

test('where a record cannot be opened, an older one is not given in its stead', async () => {
  const its = await scratchRepository();
  writeFileSync(join(its.source, 'file'), 'old');
  const first = await its.take();
  writeFileSync(join(its.source, 'file'), 'newest');
  const second = await its.take();
  const [older, newer] = [first.summary.snapshot, second.summary.snapshot].map((each) => each!);
  damage(join(its.repo, 'snapshots', newer!));
  const restoring = (name: string) =>
    read(['restore', name, '--target', its.newTarget(), '--discs', its.repo]);
  const latest = await restoring('latest');
  expect(latest, latest.stderr).toMatchObject({ code: 4, stdout: '' });
  expect(latest.stderr).toContain(`snapshots/${newer} cannot be opened, so nobody can tell which`);
  expect(await restoring(newer!.slice(0, 12))).toMatchObject({ code: 4 });
  expect(await restoring(older!.slice(0, 12))).toMatchObject({ code: 0 });
});
