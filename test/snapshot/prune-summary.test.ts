import { spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { objectPath } from '../../dist/backends/index.js';
import { SMALL } from './check-subject.js';
import { forget, objectsIn, prune, writeFiles } from './prune-subject.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';

/** What a prune says of itself is what can be seen. */

const packBytes = (its: Scratch): number =>
  objectsIn(its, 'packs').reduce(
    (sum, name) => sum + statSync(join(its.repo, objectPath('packs', name))).size,
    0,
  );

test('a dry run says what is left, and the prune what it has left', async () => {
  const its = await scratchRepository(SMALL);
  writeFiles(its, 'kept', 1, 40, 20_000);
  writeFiles(its, 'passing', 2, 40, 20_000);
  const first = (await its.take({ threads: 1 })).summary.snapshot!;
  rmSync(join(its.source, 'passing'), { recursive: true });
  writeFiles(its, 'later', 3, 10, 20_000);
  const second = (await its.take({ threads: 1 })).summary.snapshot!;
  const before = packBytes(its);
  const whatIf = await prune(its, { dryRun: true, without: new Set([first, second] as never[]) });
  expect(whatIf).toMatchObject({ state: 'planned', snapshots: 0, bytesKept: 0, bytesAdded: 0 });
  expect(whatIf.bytesFreed).toBe(before);
  await forget(its, first);
  const planned = await prune(its, { dryRun: true });
  expect(packBytes(its)).toBe(before);
  const done = await prune(its);
  expect(planned).toMatchObject({ packsRemoved: done.packsRemoved, packsRewritten: done.packsRewritten });
  expect(done.bytesKept).toBe(packBytes(its));
  expect(done.bytesUnused).toBe(0);
  // By estimate: compressed anew, and with other tables.
  for (const each of [planned, done]) expect(each.bytesKept / packBytes(its)).toBeCloseTo(1, 1);
  expect((planned.bytesFreed - planned.bytesAdded) / (before - packBytes(its))).toBeCloseTo(1, 1);
});

test('what a killed snapshot had stored is unused, and is said to be', async () => {
  const its = await scratchRepository(SMALL);
  writeFiles(its, 'kept', 1, 10, 20_000);
  await its.take({ threads: 1 });
  writeFiles(its, 'never seen again', 2, 30, 20_000);
  const child = spawnSync(process.execPath, [
    join(import.meta.dirname, 'check-killed.mjs'),
    ...[its.repo, its.cache, its.source, 'snapshots'],
  ]);
  expect(child.signal).toBe('SIGKILL');
  runScript(its.source, ['rm -r "never seen again"']);
  const whatIf = await prune(its, { dryRun: true });
  const first = await prune(its);
  expect(first.bytesKept).toBe(packBytes(its));
  expect(first.bytesUnused).toBeGreaterThan(500_000);
  expect(whatIf.packsRemoved).toBe(0);
  const second = await prune(its);
  expect(second.bytesKept).toBe(packBytes(its));
  expect(second.bytesFreed).toBeGreaterThan(500_000);
  expect(second.bytesUnused).toBe(0);
});
