import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { forEachParallel } from '../../dist/backends/index.js';
import { type SessionId, sessionId } from '../../dist/core/index.js';
import { createRecord, outcomeRecord, type Repository, readRecord } from '../../dist/repo/index.js';
import { gateway, useOwner } from './s3-subject.js';
import { listsAmong, type SeenRequests, seenRequests } from './seen-requests.js';

const SMALL = ['--no-encryption', '--pack-size', '1MiB', '--block-size', '256KiB'];
/** Rule 8 of the protocol. */
const IN_ORDER = ['snapshots', 'forgotten', 'marks', 'index', 'leases'];

/** A repository with so many snapshots of a file that grows. */
async function withSnapshots(name: string, count: number): Promise<SeenRequests> {
  const seen = await seenRequests(name);
  await seen.of('init', ...SMALL);
  mkdirSync(`${seen.its.source}/below`);
  for (let i = 0; i < count; i++) {
    writeFileSync(`${seen.its.source}/below/${i}`, randomBytes(100_000));
    await seen.of('snapshot', seen.its.source);
  }
  return seen;
}

/** Those of `seen` that begin so. */
function among(seen: readonly string[], beginning: string): string[] {
  return seen.filter((each) => each.startsWith(beginning));
}

test('a new repository takes few requests, and its store is asked for nothing twice', async () => {
  const seen = await (await seenRequests('init')).of('init', ...SMALL);
  expect(seen.length).toBeLessThanOrEqual(37);
  // Its content read whole once, three ranges of it; and once more after it was refused, and gone.
  const written = among(seen, 'PutObject parity/probe-1');
  // Others are written at the same time, and not read.
  const reads = written.map((each) => among(seen, each.replace('PutObject', 'GetObject')).length);
  expect(Math.max(...reads)).toBe(6);
});

test('what this machine has committed it does not read again', { timeout: 120_000 }, async () => {
  const seen = await withSnapshots('committed', 1);
  const unchanged = await seen.of('snapshot', seen.its.source);
  expect(among(unchanged, 'GetObject snapshots/')).toEqual([]);
  expect(listsAmong(unchanged).filter((kind) => IN_ORDER.includes(kind))).toEqual(IN_ORDER);
  expect(among(await seen.of('snapshots'), 'GetObject snapshots/')).toEqual([]);
});

test('notes are asked for beside what is read in an order', { timeout: 120_000 }, async () => {
  const seen = await withSnapshots('notes', 1);
  const lists = listsAmong(await seen.of('ls', 'latest'));
  expect(lists.filter((kind) => IN_ORDER.includes(kind))).toEqual(IN_ORDER);
  expect(lists.indexOf('notes')).toBeLessThan(lists.indexOf('forgotten'));
});

test('another machine reads the record of what it restores once', { timeout: 120_000 }, async () => {
  const seen = await withSnapshots('elsewhere', 2);
  await seen.its.succeed(['cache', 'clear']);
  const restored = await seen.of('restore', 'latest', '--target', `${seen.its.root}/target`);
  expect(among(restored, 'GetObject snapshots/').length).toBe(2);
});

test('forgetting looks at everything once, and for pins until its end', { timeout: 120_000 }, async () => {
  const seen = await withSnapshots('forget', 4);
  const forgotten = await seen.of('forget', '--keep-last', '1', '--group-by', 'none');
  expect(listsAmong(forgotten).filter((kind) => IN_ORDER.includes(kind))).toEqual(IN_ORDER);
  expect(listsAmong(forgotten).filter((kind) => kind === 'notes').length).toBe(3);
  const read = among(forgotten, 'GetObject snapshots/');
  expect(read.length).toBe(3);
  expect(new Set(read).size).toBe(3);
});

/** Writes commits as that one is, as many machines would over the years. */
async function multiply(repository: Repository, like: SessionId, count: number): Promise<void> {
  const { backend, records } = repository;
  const outcome = await readRecord(backend, 'snapshots', like, outcomeRecord, records);
  await forEachParallel(Array.from({ length: count }), backend.concurrency, async () => {
    await createRecord(backend, 'snapshots', sessionId(randomBytes(16)), outcomeRecord, outcome, records);
  });
}

test('of many snapshots only those are read that this machine does not know', {
  timeout: 300_000,
}, async () => {
  useOwner(gateway);
  const seen = await withSnapshots('many', 1);
  const { its } = seen;
  const [first] = await its.snapshots(await its.opening());
  const more = async (count: number): Promise<void> =>
    its.use((repository) => multiply(repository, first!.id, count), await its.opening());
  await more(300);
  expect(among(await seen.of('snapshots'), 'GetObject snapshots/').length).toBe(300);
  const again = await seen.of('snapshots');
  expect(again.filter((each) => /^GetObject (?!config\/|keys\/)/.test(each))).toEqual([]);
  expect(among(again, 'ListObjectsV2 snapshots/').length).toBe(1);
  await more(2);
  expect(among(await seen.of('snapshots'), 'GetObject snapshots/').length).toBe(2);
});

test('figures of a repository come from one look at it', { timeout: 120_000 }, async () => {
  const seen = await withSnapshots('stats', 1);
  const lists = listsAmong(await seen.of('stats'));
  expect(lists.filter((kind) => IN_ORDER.includes(kind))).toEqual(IN_ORDER);
});

test('a prune lists the packs once for each look at all, and knows its own leases', {
  timeout: 120_000,
}, async () => {
  const seen = await withSnapshots('prune', 3);
  await seen.of('forget', '--keep-last', '1', '--group-by', 'none');
  const pruned = await seen.of('prune', '--max-unused', '0');
  const looks = listsAmong(pruned).filter((kind) => kind === 'packs' || IN_ORDER.includes(kind));
  const withPacks = ['snapshots', 'forgotten', 'marks', 'packs', 'index', 'leases'];
  // Whether another prune runs; P2; P8; and what is left, for the cache.
  expect(looks).toEqual(['leases', ...withPacks, ...withPacks, ...IN_ORDER, 'packs', 'leases']);
  expect(among(pruned, 'GetObject leases/')).toEqual([]);
});

test('a check lists each kind once, and judges the cache by that', { timeout: 120_000 }, async () => {
  const seen = await withSnapshots('check', 1);
  const lists = listsAmong(await seen.of('check'));
  expect(lists.filter((kind) => IN_ORDER.includes(kind))).toEqual(IN_ORDER);
  expect(new Set(lists.filter((kind) => kind !== 'config' && kind !== 'keys')).size).toBe(
    lists.filter((kind) => kind !== 'config' && kind !== 'keys').length,
  );
});
