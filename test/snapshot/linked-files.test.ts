import { linkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type RawPath, StatTable, statPath } from '../../dist/fs/index.js';
import type { TakenFile } from '../../dist/snapshot/intake/intake.js';
import { LinkedFiles } from '../../dist/snapshot/take/linked-files.js';
import { scratch } from './scratch-repository.js';

/** Inode numbers are given again: a file that has the number of another one is not taken for a name of it. */

const CTIME = 32;
const MTIME = 48;
const BIRTH = 72;
const MARKS = 84;
const NOW = 1_000_000;

type Times = { birth?: number; mtime?: number; ctime?: number };

/** The row of a file with two names, always of the same number, with other times. */
function rows() {
  const its = scratch();
  const path = join(its.source, 'a');
  writeFileSync(path, 'content');
  linkSync(path, join(its.source, 'b'));
  const real = new StatTable(1);
  statPath(path as RawPath, real);
  return ({ birth, mtime = 0, ctime = 0 }: Times): StatTable => {
    const bytes = Buffer.from(real.rowBytes(0));
    for (const [at, time] of [
      [CTIME, ctime] as const,
      [MTIME, mtime] as const,
      [BIRTH, birth ?? 0] as const,
    ]) {
      bytes.writeBigInt64LE(BigInt(Math.floor(time)), at);
      bytes.writeUInt32LE(Math.round((time % 1) * 1e9), at + 8);
    }
    bytes.writeUInt32LE(birth === undefined ? 0 : 1, MARKS);
    const stats = new StatTable(1);
    stats.addRow(bytes);
    return stats;
  };
}

/** What two names become, of which the first was read by the time the second one is looked at. */
function readOf(first: StatTable, second: StatTable): string[] {
  const files = new LinkedFiles(NOW);
  const became: string[] = [];
  for (const [path, stats] of [['first', first] as const, ['second', second] as const]) {
    const taken = (of: string): TakenFile => ({
      state: 'ok',
      row: Uint8Array.from(stats.rowBytes(0)),
      content: { kind: 'items', items: [] },
      size: 7,
      newBytes: 0,
      notes: { error: of },
    });
    const read = (file: { path: string }, result: (taken: TakenFile) => void): undefined => {
      result(taken(file.path));
    };
    const its = { addFile: read, addFileAgain: read };
    const file = { path: path as RawPath, size: 7, mayHaveHoles: false };
    files.add(stats, 0, { file, finish: ({ notes }) => became.push(notes.error!) }, its);
  }
  const isOneGroup = files.keyOf(first, 0) === files.keyOf(second, 0);
  expect(isOneGroup).toBe(became[0] === became[1]);
  return became;
}

const ALONE = ['first', 'second'];
const SHARED = ['first', 'first'];

test.for<readonly [string, Times, Times, readonly string[]]>([
  ['the same in everything', { birth: 5 }, { birth: 5 }, SHARED],
  ['made at another time', { birth: 5 }, { birth: 6 }, ALONE],
  ['made at another fraction of a second', { birth: 5.25 }, { birth: 5.75 }, ALONE],
  ['one that changed since', { birth: 5 }, { birth: 5, mtime: 9, ctime: 9 }, SHARED],
  ['made this moment, and changed', { birth: NOW - 1 }, { birth: NOW - 1, ctime: NOW }, ALONE],
  ['made this moment, and as it was', { birth: NOW - 1, ctime: 8 }, { birth: NOW - 1, ctime: 8 }, SHARED],
  ['made nobody knows when', { ctime: 8 }, { ctime: 8 }, SHARED],
  ['made nobody knows when, of another mtime', { ctime: 8 }, { ctime: 8, mtime: 3 }, ALONE],
  ['made nobody knows when, of another ctime', { ctime: 8 }, { ctime: 9 }, ALONE],
])('a second name: %s', ([, first, second, became]) => {
  const row = rows();
  expect(readOf(row(first), row(second))).toEqual(became);
});
