import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Backend, forwardTo } from '../../dist/backends/index.js';
import { missingFiles, SMALL } from './check-subject.js';
import { forget, prune } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';

/** Who writes lists the packs first; who reads does so only when something that the index names may be gone. */

async function filled(): Promise<Scratch> {
  const its = await scratchRepository(SMALL);
  mkdirSync(join(its.source, 'docs'));
  for (let i = 0; i < 30; i++) writeFileSync(join(its.source, `docs/${i}`), randomContent(i, 6000 + 900 * i));
  await its.take();
  return its;
}

/** Counts in `lists` how often packs are listed. */
function counting(lists: { packs: number }) {
  const wrapBackend = (medium: Backend): Backend => ({
    ...forwardTo(medium),
    list: (kind, ...call) => {
      if (kind === 'packs') lists.packs++;
      return medium.list(kind, ...call);
    },
  });
  return { wrapBackend };
}

async function listsOf(action: (opening: ReturnType<typeof counting>) => Promise<unknown>): Promise<number> {
  const lists = { packs: 0 };
  await action(counting(lists));
  return lists.packs;
}

function packs(its: Scratch): string[] {
  const names = readdirSync(join(its.repo, 'packs'), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /[0-9a-f]{64}$/.test(name)).map((name) => join(its.repo, 'packs', name));
}

test('a restore lists no packs, also on a new machine; a snapshot and what follows a prune do', async () => {
  const its = await filled();
  const restored = (opening: object) => its.restore(undefined, {}, opening);
  expect(await listsOf(restored)).toBe(0);
  expect(await listsOf((opening) => restored({ ...opening, cacheRoot: join(its.root, 'other') }))).toBe(0);
  expect(await listsOf((opening) => its.take({}, opening))).toBe(1);
  const [first] = await its.snapshots();
  rmSync(join(its.source, 'docs/3'));
  await its.take();
  await forget(its, first!.id);
  await prune(its, { maxUnused: { bytes: 0 } }, { cacheRoot: join(its.root, 'pruner') });
  expect(await listsOf(restored)).toBe(1);
  expect(await listsOf(restored)).toBe(0);
});

test('of packs that are lost the chunks are found where else they are, and the rest is lost', async () => {
  const its = await filled();
  const old = packs(its);
  const aside = join(its.root, 'aside');
  mkdirSync(aside);
  const away = (path: string): string => join(aside, path.slice(-64));
  for (const path of old) renameSync(path, away(path));
  // Stores everything again.
  await its.take();
  for (const path of old) renameSync(away(path), path);
  await its.take();
  for (const path of old) renameSync(path, away(path));
  const lists = { packs: 0 };
  const { target, summary } = await its.restore(undefined, {}, counting(lists));
  expect(summary.lost).toBe(0);
  expect(missingFiles(its.source, target)).toEqual([]);
  expect(lists.packs).toBe(1);

  // Without the pack of trees, which is small, there would be nothing to restore.
  const [data] = packs(its)
    .filter((path) => !old.includes(path))
    .sort((a, b) => statSync(b).size - statSync(a).size);
  renameSync(data!, away(data!));
  const second = await its.restore(undefined, {}, counting(lists));
  expect(second.summary.lost).toBeGreaterThan(0);
  // The lost ones are known, so every reader looks whether they are back.
  renameSync(away(data!), data!);
  expect((await its.restore()).summary.lost).toBe(0);
  for (const path of old) renameSync(away(path), path);
  const restored = (opening: object) => its.restore(undefined, {}, opening);
  expect(await listsOf(restored)).toBe(1);
  expect(await listsOf(restored)).toBe(0);
});
