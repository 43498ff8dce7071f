import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ChunkId } from '../../dist/core/index.js';
import { type Entry, TarWriter, ZipWriter } from '../../dist/snapshot/index.js';
import { archived, written } from './archive-subject.js';
import { forgedSnapshot } from './forged-snapshot.js';
import { isRoot, type Scratch, scratch, scratchRepository } from './scratch-repository.js';
import { buildTree, type Metadata, type Node } from './source-tree.js';
import { type Facts, factsOf } from './tree-facts.js';

/** Archives are read by programs that others wrote: GNU tar, bsdtar, Python, Info-ZIP, zstd. */

const SECOND = 1_000_000_000n;
const LONG = 'n'.repeat(200);

const file = (name: string, bytes: number, metadata: Metadata = {}, links: string[] = []): Node => ({
  type: 'file',
  name,
  parts: bytes === 0 ? [] : [{ seed: bytes, bytes }],
  metadata,
  links,
});

/** All kinds of entries that a tar archive can hold. */
const TREE: readonly Node[] = [
  file('plain', 1000, { mode: 0o640, mtime: 1_234_567_890n * SECOND + 123_456_789n }),
  file('suid', 0, { mode: 0o4755, mtime: 5_000_000_000n * SECOND }),
  file('caf\xe9', 10),
  file('\xc3\xbcn\xc3\xaf', 10),
  file(LONG, 10),
  file(`${LONG}\xff`, 10),
  file('large', 9 * 2 ** 20, {}, ['folder/further name']),
  file('dressed', 300, {
    xattrs: [
      { name: 'user.small', seed: 1, bytes: 20 },
      { name: 'user.large', seed: 2, bytes: 3000 },
    ],
    ...(isRoot ? { acl: 'u:1234:rwx,g:99:r' } : {}),
  }),
  { type: 'symlink', name: 'link', to: '../nowhere', metadata: {} },
  { type: 'symlink', name: 'long link', to: `${LONG}/caf\xe9/${LONG}`, metadata: {} },
  { type: 'fifo', name: 'fifo', metadata: {} },
  {
    type: 'file',
    name: 'sparse',
    parts: [{ seed: 3, bytes: 5000 }, { hole: 3 * 2 ** 20 }, { seed: 4, bytes: 5000 }],
    metadata: {},
  },
  {
    type: 'folder',
    name: 'folder',
    metadata: { mode: 0o2750, mtime: 1_000n * SECOND + 500n },
    children: [
      { type: 'folder', name: LONG, metadata: {}, children: [file(LONG, 70_000)] },
      { type: 'folder', name: 'empty', metadata: {}, children: [] },
    ],
  },
  ...(isRoot
    ? [
        { type: 'device', kind: 'c', name: 'device', major: 5, minor: 300, metadata: {} } as const,
        file('owned', 10, { uid: 3_000_000, gid: 70_000 }),
      ]
    : []),
];

async function taken(children: readonly Node[]): Promise<Scratch> {
  const its = await scratchRepository();
  await buildTree(its.source, children);
  await its.take();
  return its;
}

/** What an archive brings back, less what the folder has that it is unpacked in. */
function unpacked(its: Scratch, program: string, ...args: readonly string[]): Facts {
  const target = its.newTarget();
  mkdirSync(target);
  execFileSync(program, args, { cwd: target, stdio: ['ignore', 'ignore', 'pipe'] });
  return below(target);
}

function below(folder: string): Facts {
  const { '.': _, ...facts } = factsOf(folder);
  return facts;
}

test('GNU tar brings back from a tar archive all that there was', async () => {
  const its = await taken(TREE);
  const { path, summary, problems } = await archived(its, 'tar');
  const facts = unpacked(its, 'tar', '--xattrs', '--xattrs-include=*', '--acls', '-xpf', path);
  expect(facts).toEqual(below(its.source));
  expect(summary).toMatchObject({ folders: 3, skipped: 0, lost: 0 });
  expect(problems).toEqual([]);
});

test('so does bsdtar, from one that zstd compresses', async () => {
  const its = await taken(TREE);
  const { path } = await archived(its, 'tar.zst');
  expect(unpacked(its, 'bsdtar', '-xpf', path)).toEqual(below(its.source));
  const plain = await archived(its, 'tar');
  const content = execFileSync('zstd', ['-dcq', path], { maxBuffer: 2 ** 26 });
  expect(content.equals(readFileSync(plain.path))).toBe(true);
});

/** Lines of `code` run by Python with the archive as its argument. */
function python(code: string, path: string): string[] {
  return execFileSync('python3', ['-c', code, path], { encoding: 'latin1', maxBuffer: 2 ** 26 })
    .trimEnd()
    .split('\n');
}

const LIST_TAR = `
import sys, tarfile
for m in tarfile.open(sys.argv[1]):
    print(m.name.encode('utf8', 'surrogateescape').hex(), m.size, m.uid, repr(m.mtime))`;

test('Python reads names of any bytes, large owners and times from a tar archive', async () => {
  const its = await taken(TREE);
  const { path } = await archived(its, 'tar');
  const rows = python(LIST_TAR, path).map((line) => line.split(' '));
  const names = rows.map(([name]) => Buffer.from(name!, 'hex').toString('latin1'));
  for (const name of ['caf\xe9', '\xc3\xbcn\xc3\xaf', `${LONG}\xff`, `folder/${LONG}/${LONG}`]) {
    expect(names).toContain(name);
  }
  expect(rows[names.indexOf('suid')]![3]).toBe('5000000000');
  if (isRoot) expect(rows[names.indexOf('owned')]![2]).toBe('3000000');
});

const ENTRY: Entry = Object.freeze({
  name: 'entry',
  type: 'file',
  mode: 0o600,
  uid: 1,
  gid: 2,
  mtime: { seconds: -2, nanoseconds: 750_000_000 },
  size: 0,
});

const LIST_TWO = LIST_TAR.replace('import sys', 'import sys, itertools').replace(
  'in tarfile.open(sys.argv[1])',
  'in itertools.islice(tarfile.open(sys.argv[1]), 2)',
);

test('times before 1970 and sizes above 8 GiB are told in full', async () => {
  const its = scratch();
  const path = await written(
    join(its.root, 'tar'),
    (sink) => new TarWriter(sink),
    async (writer) => {
      await writer.add({ path: 'before', entry: ENTRY });
      // Its content is left out: only the header is looked at.
      await writer.add({ path: 'huge', entry: { ...ENTRY, size: 9 * 2 ** 30 } });
    },
  );
  const [before, huge] = python(LIST_TWO, path);
  expect(before!.split(' ')[3]).toBe('-1.25');
  expect(huge!.split(' ')[1]).toBe(String(9 * 2 ** 30));
});

const LIST_ZIP = `
import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
for i in z.infolist():
    print(i.orig_filename.encode('utf8' if i.flag_bits & 2048 else 'cp437').hex(), i.file_size, oct(i.external_attr >> 16), '%d-%d-%dT%d:%d:%d' % i.date_time)`;

test('zip archives hold files, folders and symlinks, and say what they cannot hold', async () => {
  const its = await taken(TREE);
  const { path, summary, problems } = await archived(its, 'zip');
  expect(problems.map(({ subject }) => subject)).toEqual(isRoot ? ['device', 'fifo'] : ['fifo']);
  expect(summary.skipped).toBe(problems.length);
  const rows = new Map(
    python(LIST_ZIP, path).map((line) => {
      const [name, ...row] = line.split(' ');
      return [Buffer.from(name!, 'hex').toString('latin1'), row];
    }),
  );
  expect(rows.get('plain')).toEqual(['1000', '0o100640', '2009-2-13T23:31:30']);
  expect(rows.get('suid')).toEqual(['0', '0o104755', '2107-12-31T23:59:58']);
  expect(rows.get('folder/')![1]).toBe('0o42750');
  expect(rows.get('link')![1]).toBe('0o120777');
  expect(rows.get('folder/further name')![0]).toBe(String(9 * 2 ** 20));
  for (const name of ['caf\xe9', '\xc3\xbcn\xc3\xaf', `${LONG}\xff`])
    expect([...rows.keys()]).toContain(name);
});

test('unzip brings back content, modes, times and symlinks', async () => {
  const its = await taken(TREE.filter(({ type, name }) => type !== 'fifo' && !name.endsWith('\xff')));
  const { path } = await archived(its, 'zip');
  const facts = unpacked(its, 'unzip', '-qq', '-K', path, '-x', 'caf?', 'dressed', 'suid');
  const source = below(its.source);
  // To the second, and nothing of owners, attributes and further names.
  const told = (words: string | undefined): string | undefined => {
    const [mode, , mtime = '', , size, ...rest] = words?.split(' | ') ?? [];
    const isLink = mode?.startsWith('12');
    return [
      mode,
      isLink ? '' : mtime.slice(0, -9),
      size,
      rest.filter((each) => !each.startsWith('same')),
    ].join();
  };
  expect(Object.keys(facts)).toContain('./large');
  for (const [name, words] of Object.entries(facts)) {
    if (name !== './folder') expect(told(words), name).toBe(told(source[name]));
  }
});

test('zip archives of many and of large members are zip64', async () => {
  const its = scratch();
  const many = await written(
    join(its.root, 'many'),
    (sink) => new ZipWriter(sink, { zoneOffset: 60 }),
    async (writer) => {
      for (let i = 0; i < 70_000; i++) await writer.add({ path: `file ${i}`, entry: ENTRY });
    },
  );
  expect(python(LIST_ZIP, many)).toHaveLength(70_000);
  const large = await written(
    join(its.root, 'large'),
    (sink) => new ZipWriter(sink, { zoneOffset: 0 }),
    async (writer) => {
      // What decides is the size that the entry states.
      const content = (async function* () {
        for (let i = 0; i < 100; i++) yield Buffer.alloc(100_000, i);
      })();
      await writer.add({ path: 'large', entry: { ...ENTRY, size: 5 * 2 ** 30 } }, content);
      await writer.add({ path: 'next', entry: ENTRY });
    },
  );
  expect(python(LIST_ZIP, large).map((line) => line.split(' ')[1])).toEqual(['10000000', '0']);
  execFileSync('unzip', ['-tqq', large]);
  execFileSync('bsdtar', ['-tf', large]);
});

const lostChunk = (length: number) => ({ id: 'x'.repeat(32) as ChunkId, length });

test('what is damaged or has a name that no file can have is told and left out', async () => {
  const its = await scratchRepository();
  await its.use((repository) =>
    forgedSnapshot(repository, [
      { name: 'a/b', type: 'symlink' },
      { name: '..', type: 'directory', children: [{ name: 'below', type: 'fifo' }] },
      { name: 'lost', type: 'file', size: 3000, chunks: [{ hole: 1000 }, lostChunk(2000)] },
      { name: 'right', type: 'file', size: 3000, hole: 3000 },
    ]),
  );
  const { path, summary, problems } = await archived(its, 'tar', '/');
  expect(summary).toMatchObject({ files: 1, folders: 0, others: 0, lost: 3 });
  expect(problems.map(({ severity, subject }) => [severity, subject])).toEqual([
    ['error', '..'],
    ['error', 'a/b'],
    ['error', 'lost'],
  ]);
  expect(execFileSync('tar', ['-tf', path], { encoding: 'utf8' })).toBe('right\n');
});

test.each(['tar', 'zip'] as const)(
  'a damaged file that is under way already ends a %s archive',
  async (format) => {
    const its = await scratchRepository();
    const size = 9 * 2 ** 20;
    await its.use((repository) =>
      forgedSnapshot(repository, [
        { name: 'large', type: 'file', size, chunks: [{ hole: size - 2000 }, lostChunk(2000)] },
      ]),
    );
    await expect(archived(its, format, '/')).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining(`large is damaged from byte ${size - 2000} on`),
    });
  },
);

test('files that claim to be one and have other content are no hard links', async () => {
  const its = await scratchRepository();
  await its.use((repository) =>
    forgedSnapshot(repository, [
      { name: 'one', type: 'file', size: 10, hole: 10, linkGroup: 'samegrup' },
      { name: 'other', type: 'file', size: 20, hole: 20, linkGroup: 'samegrup' },
      { name: 'same', type: 'file', size: 10, hole: 10, linkGroup: 'samegrup' },
    ]),
  );
  const { path } = await archived(its, 'tar', '/');
  const listing = execFileSync('tar', ['-tvf', path], { encoding: 'utf8' }).trimEnd().split('\n');
  expect(listing.map((line) => line.replace(/^(.).* /, '$1 '))).toEqual(['- one', '- other', 'h one']);
  expect(listing[2]).toContain('same link to one');
});
