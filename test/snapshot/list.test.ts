import {
  type Dirent,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadRepository } from '../../dist/repo/index.js';
import {
  type ListedEntry,
  listEntries,
  repositoryStats,
  selectSnapshot,
  sessionStatus,
} from '../../dist/snapshot/index.js';
import { forgedSnapshot } from './forged-snapshot.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository, takeFrom } from './scratch-repository.js';

async function list(at: Scratch, path?: string, recursive = false, name = 'latest'): Promise<ListedEntry[]> {
  return at.use(async (repository) => {
    const snapshot = await selectSnapshot(repository, name, { tags: [] });
    const entries: ListedEntry[] = [];
    for await (const each of listEntries(repository, snapshot, path, recursive)) entries.push(each);
    return entries;
  });
}

const paths = (entries: readonly ListedEntry[]): string[] => entries.map(({ path }) => path);

async function small(): Promise<Scratch> {
  const at = await scratchRepository();
  mkdirSync(join(at.source, 'b/c'), { recursive: true });
  writeFileSync(join(at.source, 'a'), 'content');
  writeFileSync(join(at.source, 'b/c/deep'), '');
  writeFileSync(join(at.source, 'b-b'), '');
  symlinkSync('b', join(at.source, 'link'));
  await at.take();
  return at;
}

describe('a path', () => {
  test('of a folder lists what is in it, in the order of raw bytes', async () => {
    const at = await small();
    const entries = await list(at, at.source);
    expect(paths(entries)).toEqual(['a', 'b', 'b-b', 'link'].map((name) => `${at.source}/${name}`));
    expect(entries[0]!.entry).toMatchObject({ name: 'a', type: 'file', size: 7 });
    expect(entries[3]!.entry).toMatchObject({ type: 'symlink', linkTarget: 'b' });
    expect(paths(await list(at, `${at.source}/`))).toEqual(paths(entries));
    expect(paths(await list(at, `${at.source.slice(1)}/b/../.`))).toEqual(paths(entries));
  });

  test('of anything else lists that alone', async () => {
    const at = await small();
    for (const name of ['a', 'link']) {
      expect(paths(await list(at, `${at.source}/${name}`))).toEqual([`${at.source}/${name}`]);
    }
  });

  test('left out is the root', async () => {
    const at = await small();
    expect(paths(await list(at))).toEqual([`/${at.source.split('/')[1]}`]);
  });

  test('that is not there is refused, with the deepest folder that is', async () => {
    const at = await small();
    const fails = (path: string) => list(at, path).catch((reason: Error) => reason);
    const missing = await fails(`${at.source}/b/x/y`);
    expect(missing).toMatchObject({ code: 'not-found' });
    expect(String(missing)).toContain(
      `has no ${at.source}/b/x/y: the deepest folder that exists is ${at.source}/b`,
    );
    const through = await fails(`${at.source}/a/y`);
    expect(through).toMatchObject({ code: 'not-found' });
    expect(String(through)).toContain(`${at.source}/a is a file`);
    expect(String(await fails(`${at.source}/link/c`))).toContain('is a symlink');
    expect(String(await fails('/nowhere'))).toContain('the deepest folder that exists is /');
  });
});

test('recursive: each folder before what is in it', async () => {
  const at = await small();
  const names = ['a', 'b', 'b/c', 'b/c/deep', 'b-b', 'link'];
  expect(paths(await list(at, at.source, true))).toEqual(names.map((name) => `${at.source}/${name}`));
});

test('names of raw bytes, and folders of many pages', async () => {
  const at = await scratchRepository();
  const raw = Buffer.from('caf\xe9', 'latin1');
  writeFileSync(Buffer.concat([Buffer.from(`${at.source}/`), raw]), '');
  mkdirSync(join(at.source, 'ünï'));
  const count = 3000;
  for (let i = 0; i < count; i++) writeFileSync(join(at.source, 'ünï', `${i}`), '');
  await at.take();
  expect((await list(at, at.source)).map(({ entry }) => entry.name)).toContain('caf\xe9');
  const entries = await list(at, `${at.source}/ünï`);
  expect(entries).toHaveLength(count);
  expect(entries.map(({ entry }) => entry.name)).toEqual(
    Array.from({ length: count }, (_, i) => `${i}`).sort(),
  );
  expect(paths(await list(at, `${at.source}/ünï/2999`))).toHaveLength(1);
});

describe('a forged tree', () => {
  test('shows every entry, and none where it is not', async () => {
    const at = await scratchRepository();
    await at.use((repository) =>
      forgedSnapshot(
        repository,
        ['..', 'a/b', 'nul\0', '.'].map((name) => ({ name, type: 'file' as const })),
      ),
    );
    const entries = await list(at, undefined, true);
    expect(paths(entries)).toEqual(['/.', '/..', '/a\\x2fb', '/nul\0']);
    expect(entries.map(({ entry }) => entry.name)).toEqual(['.', '..', 'a/b', 'nul\0']);
  });

  test('deeper than calls may be is listed to its end', async () => {
    const at = await scratchRepository();
    const depth = 12_000;
    await at.use((repository) => forgedSnapshot(repository, [{ name: 'end', type: 'fifo' }], depth));
    let last = '';
    let count = 0;
    await at.use(async (repository) => {
      const snapshot = await selectSnapshot(repository, 'latest', { tags: [] });
      for await (const { path } of listEntries(repository, snapshot, undefined, true)) {
        last = path;
        count++;
      }
    });
    expect(count).toBe(depth + 1);
    expect(last).toBe(`${'/d'.repeat(depth)}/end`);
  });
});

test('a tree that cannot be read is an error that names its pack and the folder', async () => {
  const at = await small();
  const pack = await at.use(async (repository) => {
    await loadRepository(repository);
    const { cache } = repository;
    return cache.packNames().find((name) => cache.packNamed(name)!.kind === 'tree')!;
  });
  const file = join(at.repo, 'packs', pack.slice(0, 2), pack);
  const bytes = readFileSync(file);
  bytes.fill(0, 60, bytes.length - 200);
  rmSync(file);
  writeFileSync(file, bytes);
  const error = await list(at, at.source).catch((reason: Error) => reason);
  expect(error).toMatchObject({ code: 'damaged' });
  expect(String(error)).toContain(pack);
  expect(String(error)).toContain('it holds the folder /');
});

test('the statistics of a repository', async () => {
  const at = await scratchRepository();
  writeFileSync(join(at.source, 'one'), randomContent(1, 300_000));
  writeFileSync(join(at.source, 'two'), randomContent(1, 300_000));
  await at.take();
  await at.take();
  const stats = await at.use(repositoryStats);
  expect(stats).toMatchObject({ snapshots: 2, sourceBytes: 1_200_000, plainBytes: 300_000 });
  const objects = (kind: string): Dirent[] =>
    readdirSync(join(at.repo, kind), { recursive: true, withFileTypes: true }).filter((each) =>
      each.isFile(),
    );
  expect(stats.packs).toBe(objects('packs').length);
  expect(stats.segments).toBe(objects('index').length);
  expect(stats.chunks).toBeGreaterThan(4);
  expect(stats.treeBytes).toBeGreaterThan(0);
  const stored = [...objects('packs'), ...objects('index')].map(
    (each) => statSync(join(each.parentPath, each.name)).size,
  );
  expect(stats.storedBytes).toBe(stored.reduce((sum, size) => sum + size, 0));
});

test('sessions: one that runs is told from none', async () => {
  const at = await scratchRepository();
  writeFileSync(join(at.source, 'file'), 'content');
  expect(await at.use(sessionStatus)).toEqual([]);
  const seen: unknown[] = [];
  await at.use(async (repository) => {
    const { backend } = repository;
    const write = backend.write.bind(backend);
    backend.write = async (kind, ...rest) => {
      if (kind === 'snapshots') seen.push(...(await sessionStatus(repository)));
      return write(kind, ...rest);
    };
    const { summary } = await takeFrom(repository, { paths: [at.source] });
    expect(seen).toMatchObject([
      { id: summary.snapshot, host: 'here', pid: process.pid, state: 'own host, running' },
    ]);
  });
  expect(await at.use(sessionStatus)).toEqual([]);
});
