import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listSnapshots } from '../../dist/snapshot/index.js';
import { missingFiles, SMALL } from './check-subject.js';
import { randomContent } from './random-content.js';
import { restoreFrom, type Scratch, scratchRepository } from './scratch-repository.js';

/** After damage the next snapshot of the same files is whole again, and what is whole can be restored. */

async function twoSnapshots(): Promise<{ its: Scratch; first: string; second: string }> {
  const its = await scratchRepository(SMALL);
  mkdirSync(join(its.source, 'docs'));
  for (let i = 0; i < 60; i++) writeFileSync(join(its.source, `docs/${i}`), randomContent(i, 6000 + 900 * i));
  const first = (await its.take()).summary.snapshot!;
  writeFileSync(join(its.source, 'docs/7'), randomContent(700, 30_000));
  const second = (await its.take()).summary.snapshot!;
  return { its, first, second };
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = bytes[at]! ^ 0x55;
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
}

/** Paths of the packs that hold data, which all are larger than those that hold trees here. */
function dataPacks(its: Scratch): string[] {
  const packs = join(its.repo, 'packs');
  return readdirSync(packs, { recursive: true, encoding: 'utf8' })
    .map((name) => join(packs, name))
    .filter((path) => /[0-9a-f]{64}$/.test(path) && readFileSync(path).readUInt8(17) === 1);
}

describe('trees that are damaged', () => {
  test('are stored again by the next snapshot, which says that nothing is missing from it', async () => {
    const { its } = await twoSnapshots();
    const data = dataPacks(its);
    const packs = join(its.repo, 'packs');
    for (const name of readdirSync(packs, { recursive: true, encoding: 'utf8' })) {
      const path = join(packs, name);
      if (/[0-9a-f]{64}$/.test(path) && !data.includes(path)) flip(path, 100);
    }
    writeFileSync(join(its.source, 'docs/8'), randomContent(800, 30_000));
    const { problems } = await its.take();
    const { target } = await its.restore();
    expect(missingFiles(its.source, target)).toEqual([]);
    expect(problems.map(({ reason }) => reason).join('\n')).toMatch(
      /is read in full, and nothing of it is missing from this snapshot/,
    );
  });
});

describe('a snapshot record that is gone', () => {
  test('does not take along what a later snapshot shares with it, and the next one stores it again', async () => {
    const { its, first, second } = await twoSnapshots();
    rmSync(join(its.repo, 'snapshots', first));
    rmSync(its.cache, { recursive: true });
    const { target, summary } = await its.use(async (repository) => {
      const snapshot = (await listSnapshots(repository)).snapshots.find(({ id }) => id === second)!;
      return restoreFrom(repository, { snapshot, path: its.source, target: its.newTarget() });
    });
    expect(summary.lost).toBe(0);
    expect(missingFiles(its.source, target)).toEqual([]);
    const { summary: next } = await its.take();
    expect(next.statistics.newBytes).toBeGreaterThan(1_000_000);
  });
});

describe('a snapshot record that cannot be opened', () => {
  test('does not take along what a later snapshot shares with it, even for a machine without a cache', async () => {
    const { its, first, second } = await twoSnapshots();
    flip(join(its.repo, 'snapshots', first), 100);
    rmSync(its.cache, { recursive: true });
    const { target, summary } = await its.use(async (repository) => {
      const { snapshots, damaged } = await listSnapshots(repository);
      expect(damaged.map(({ id }) => id)).toEqual([first]);
      const snapshot = snapshots.find(({ id }) => id === second)!;
      return restoreFrom(repository, { snapshot, path: its.source, target: its.newTarget() });
    });
    expect(summary.lost).toBe(0);
    expect(missingFiles(its.source, target)).toEqual([]);
  });

  test('makes a writer store again what only its segments name', async () => {
    const { its, first } = await twoSnapshots();
    flip(join(its.repo, 'snapshots', first), 100);
    // A machine that remembers the record needs no other.
    rmSync(its.cache, { recursive: true });
    const { summary } = await its.take();
    expect(summary.statistics.newBytes).toBeGreaterThan(1_000_000);
  });
});

describe('a damaged pack that a check has found', () => {
  test('is stored again by the next snapshot, which is whole, and the check after that finds only the pack', async () => {
    const { its } = await twoSnapshots();
    for (const path of dataPacks(its)) flip(path, 5000);
    expect((await its.check()).findings.length).toBeGreaterThan(0);
    const { summary } = await its.take();
    expect(summary.statistics.newBytes).toBeGreaterThan(1_000_000);
    const restored = await its.restore(summary.snapshot);
    expect(restored.summary.lost).toBe(0);
    expect(missingFiles(its.source, restored.target)).toEqual([]);
    // Stored once more, not with every snapshot.
    expect((await its.take()).summary.statistics.newBytes).toBe(0);
  });
});

test('a run that was stopped before it began to store commits nothing', async () => {
  const { its } = await twoSnapshots();
  const stopped = AbortSignal.abort();
  await expect(its.take({ signal: stopped })).rejects.toMatchObject({ code: 'interrupted' });
  expect(await its.snapshots()).toHaveLength(2);
});

test('a pack that was away and is back is used again', async () => {
  const { its } = await twoSnapshots();
  const away = `${its.repo}-away`;
  renameSync(join(its.repo, 'packs'), away);
  mkdirSync(join(its.repo, 'packs'));
  await expect(its.restore()).rejects.toMatchObject({ code: 'damaged' });
  rmSync(join(its.repo, 'packs'), { recursive: true });
  renameSync(away, join(its.repo, 'packs'));
  const restored = await its.restore();
  expect(restored.summary.lost).toBe(0);
  expect(missingFiles(its.source, restored.target)).toEqual([]);
});
