import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withFaults } from '../../dist/backends/index.js';
import { BackendError } from '../../dist/core/index.js';
import { loadRepository, registerSession } from '../../dist/repo/index.js';
import { listSnapshots } from '../../dist/snapshot/index.js';
import { missingFiles, SMALL } from './check-subject.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratch, scratchRepository } from './scratch-repository.js';

/** Ways to lose data or to hang that a review has found; each once failed here. */

async function filled(): Promise<Scratch> {
  const its = await scratchRepository(SMALL);
  mkdirSync(join(its.source, 'docs'));
  for (let i = 0; i < 60; i++) writeFileSync(join(its.source, `docs/${i}`), randomContent(i, 6000 + 900 * i));
  await its.take();
  return its;
}

test('packs that vanished are stored again even if another command noticed it first', async () => {
  const its = await filled();
  const packs = join(its.repo, 'packs');
  for (const name of readdirSync(packs)) rmSync(join(packs, name), { recursive: true });
  // Whatever reads the index drops what is gone from the cache.
  await its.use((repository) => loadRepository(repository));
  await its.use((repository) => loadRepository(repository));
  const { summary } = await its.take();
  expect(summary.statistics.newBytes).toBeGreaterThan(1_000_000);
  const restored = await its.restore(summary.snapshot);
  expect(restored.summary.lost).toBe(0);
  expect(missingFiles(its.source, restored.target)).toEqual([]);
});

test('a mark that cannot be read may condemn any pack: nothing is relied on', async () => {
  const its = await filled();
  mkdirSync(join(its.repo, 'marks'), { recursive: true });
  writeFileSync(join(its.repo, 'marks/1'), 'torn');
  expect((await its.take()).summary.statistics.newBytes).toBeGreaterThan(1_000_000);
});

describe('an encrypted repository', () => {
  test('that says that it is not is refused by a machine that knows it', async () => {
    const its = await scratchRepository({ ...SMALL, encrypted: true });
    const forged = scratch();
    await forged.init({ ...SMALL, encrypted: false });
    rmSync(join(its.repo, 'config'), { recursive: true });
    cpSync(join(forged.repo, 'config'), join(its.repo, 'config'), { recursive: true });
    await expect(its.take()).rejects.toMatchObject({ code: 'damaged' });
  });
});

test('a repository that fills up while a large file is stored ends the run', async () => {
  const its = await scratchRepository();
  writeFileSync(join(its.source, 'large'), randomContent(1, 80 * 2 ** 20));
  const full = new BackendError('no space left', false);
  const wrapBackend = (inner: Parameters<typeof withFaults>[0]) =>
    withFaults(inner, ({ operation, kind }) =>
      operation === 'write' && kind === 'packs' ? { when: 'before', error: full } : undefined,
    );
  await expect(its.take({}, { wrapBackend })).rejects.toThrow('no space left');
  const { summary } = await its.take();
  expect(summary.errors).toBe(0);
});

test('a repository that fails while folders wait for their files ends the run with its error', async () => {
  const its = await scratchRepository(SMALL);
  for (let i = 0; i < 40; i++) {
    mkdirSync(join(its.source, `a${i}/b/c`), { recursive: true });
    writeFileSync(join(its.source, `a${i}/b/c/file`), randomContent(i, 300_000));
  }
  const wrapBackend = (inner: Parameters<typeof withFaults>[0]) =>
    withFaults(inner, ({ operation, kind }) =>
      operation === 'write' && kind === 'packs'
        ? { when: 'before', error: new BackendError('broken', false) }
        : undefined,
    );
  await expect(its.take({}, { wrapBackend })).rejects.toThrow('broken');
});

test('folders nested deeper than calls can be come back', async () => {
  const its = await scratchRepository();
  const levels = 3000;
  // Step by step: no path may be so long.
  const script = `for (1..${levels}) { mkdir 'd'; chdir 'd' or die } open F, '>file'; print F 'here'`;
  execFileSync('perl', ['-e', script], { cwd: its.source });
  const { summary } = await its.take();
  expect(summary.errors).toBe(0);
  expect(summary.statistics).toMatchObject({ files: 1, folders: levels + 1 });
  const again = await its.take();
  expect(again.summary.statistics).toMatchObject({ newFiles: 0, changedFiles: 0, unchangedFiles: 1 });
  const restored = await its.restore(summary.snapshot, { verify: false });
  expect(restored.summary).toMatchObject({ files: 1, folders: levels, lost: 0 });
});

test('two repositories made at the same place at once leave one that opens', async () => {
  const its = scratch();
  const made = await Promise.allSettled([its.init({ encrypted: true }), its.init({ encrypted: true })]);
  expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(await its.use(async (repository) => (await listSnapshots(repository)).snapshots)).toEqual([]);
  expect(readdirSync(join(its.repo, 'keys'))).toHaveLength(1);
});

test('an init that was killed between key and config can be done again', async () => {
  const its = scratch();
  await its.init({ encrypted: true });
  rmSync(join(its.repo, 'config/1'));
  await its.init({ encrypted: true });
  expect(await its.snapshots()).toEqual([]);
});

test('a heartbeat goes on after removing the one before has failed once', async () => {
  const its = await filled();
  await its.use(async ({ backend, records, identity }) => {
    let removals = 0;
    const faulty = withFaults(backend, ({ operation, kind }) =>
      operation === 'remove' && kind === 'sessions' && ++removals === 1
        ? { when: 'before', error: new BackendError('passing', true) }
        : undefined,
    );
    const session = await registerSession({ backend: faulty, records }, identity, 0);
    await session.beat();
    await expect(session.beat()).rejects.toThrow('passing');
    await session.beat();
    await session.beat();
    await session.abort([]);
  });
});
