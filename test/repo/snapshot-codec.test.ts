import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { unpack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import {
  CbrError,
  type ChunkId,
  chunkIdAt,
  encode,
  LIMITS,
  MessagePackReader,
  MessagePackWriter,
  type SessionId,
} from '../../dist/core/index.js';
import { outcomeRecord } from '../../dist/repo/index.js';
import {
  ContentListBuilder,
  contentItems,
  MAX_PAGE_ITEMS,
  readListPage,
} from '../../dist/snapshot/content-list.js';
import { type ContentItem, type Entry, readEntry, writeEntry } from '../../dist/snapshot/entry.js';
import { type AboutSnapshot, encodeAbout, snapshotOf } from '../../dist/snapshot/snapshot-record.js';
import {
  decodeEntry,
  encodeEntry,
  findEntry,
  readDecodedPage,
  readTree,
  storeTree,
} from '../../dist/snapshot/tree.js';
import { mutated } from '../core/mutations.js';
import { runs } from '../core/runs.js';
import { noise, randomSession } from './parts.js';

/** What snapshots are made of, as bytes: entries, tree pages, content lists, the snapshot's own record. */

function idOf(label: number | string): ChunkId {
  return chunkIdAt(createHash('sha256').update(String(label)).digest());
}

/** Chunks in memory, by id. `bytes` counts what was stored. */
function memoryStore() {
  const chunks = new Map<string, Uint8Array>();
  return {
    chunks,
    store: (plain: Uint8Array) => {
      if (chunks.size > 100_000) throw new Error('it stores without end');
      const id = chunkIdAt(createHash('sha256').update(plain).digest());
      chunks.set(id, Uint8Array.from(plain));
      return { id, length: plain.byteLength };
    },
    read: async ({ id, length }: { id: ChunkId; length: number }) => {
      const found = chunks.get(id);
      expect(found?.byteLength).toBe(length);
      return found!;
    },
  };
}

const u32 = fc.nat({ max: 0xffffffff });
const rawName = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));
const time = fc.record({ seconds: fc.maxSafeInteger(), nanoseconds: fc.nat({ max: 999_999_999 }) });
const reference = fc.record({ id: fc.nat().map(idOf), length: fc.integer({ min: 1, max: LIMITS.chunk }) });
const item: fc.Arbitrary<ContentItem> = fc.oneof(
  reference,
  fc.integer({ min: 1, max: 2 ** 40 }).map((hole) => ({ hole })),
);
const xattr = fc.record({ name: rawName, value: fc.oneof(fc.uint8Array({ maxLength: 50 }), reference) });

const optionalFields = {
  user: fc.string({ unit: 'grapheme', maxLength: 10 }),
  group: fc.string({ maxLength: 10 }),
  birthTime: time,
  flags: u32,
  xattrs: fc.array(xattr, { minLength: 1, maxLength: 4 }),
  linkGroup: fc
    .uint8Array({ minLength: 8, maxLength: 8 })
    .map((bytes) => Buffer.from(bytes).toString('latin1')),
};
const required = { name: rawName, mode: fc.nat({ max: 0o7777 }), uid: u32, gid: u32, mtime: time };
const requiredKeys = ['name', 'mode', 'uid', 'gid', 'mtime'] as const;

const sizeOf = (items: readonly ContentItem[]): number =>
  items.reduce((sum, each) => sum + (each.id === undefined ? each.hole : each.length), 0);

const kinds = fc.oneof(
  fc.array(item, { maxLength: 64 }).map((items) => ({
    type: 'file' as const,
    size: sizeOf(items),
    content: { kind: 'items' as const, items },
  })),
  fc.tuple(reference, fc.maxSafeNat()).map(([root, size]) => ({
    type: 'file' as const,
    size,
    content: { kind: 'list' as const, root },
  })),
  reference.map((tree) => ({ type: 'directory' as const, tree })),
  rawName.map((linkTarget) => ({ type: 'symlink' as const, linkTarget })),
  fc.constantFrom('fifo' as const, 'socket' as const).map((type) => ({ type })),
  fc
    .tuple(fc.constantFrom('character device' as const, 'block device' as const), u32, u32)
    .map(([type, major, minor]) => ({ type, device: { major, minor } })),
);

const entries: fc.Arbitrary<Entry> = fc
  .tuple(fc.record({ ...required, ...optionalFields }, { requiredKeys: [...requiredKeys] }), kinds)
  .map(([common, kind]) => ({ ...common, ...kind }));

const FILE: Entry = {
  name: 'f',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  size: 0,
  content: { kind: 'items', items: [] },
};

/** A file of so many bytes, one chunk. */
function file(name: string, size = 10): Entry {
  return { ...FILE, name, size, content: { kind: 'items', items: [{ id: idOf(name), length: size }] } };
}

describe('entries', () => {
  test('of every type read back as written', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const encoded = encodeEntry(entry);
        expect(encoded.name).toBe(entry.name);
        expect(decodeEntry(encoded)).toEqual(entry);
        expect(encodeEntry(decodeEntry(encoded)).bytes).toEqual(encoded.bytes);
      }),
      runs(500),
    );
  });

  test('have the bytes that the format says', () => {
    const entry: Entry = {
      ...file('a\xff', 300),
      mode: 0o4755,
      uid: 1000,
      gid: 100_000,
      user: 'ü',
      mtime: { seconds: -1, nanoseconds: 999_999_999 },
    };
    expect(Buffer.from(encodeEntry(entry).bytes).toString('hex')).toBe(
      [
        '8a',
        '00c40261ff',
        '0100',
        '02cd09ed',
        '03cd03e8',
        '04ce000186a0',
        '05a2c3bc',
        '07ff',
        '08ce3b9ac9ff',
        '0dcd012c',
        `0ec420${Buffer.from(idOf('a\xff'), 'latin1').toString('hex')}`,
      ].join(''),
    );
  });

  test('are maps from small numbers, as any MessagePack library shows', () => {
    const items = [{ id: idOf(1), length: 5 }, { hole: 7 }, { id: idOf(2), length: 6 }];
    const entry: Entry = { ...FILE, size: 18, content: { kind: 'items', items } };
    const plain = unpack(Buffer.from(encodeEntry(entry).bytes)) as Record<string, unknown>;
    expect(plain[15]).toEqual([5, -7, 6]);
    expect(plain[14]).toEqual(Buffer.from(idOf(1) + idOf(2), 'latin1'));
  });

  test('that contradict themselves are refused', () => {
    const write = (
      ...fields: readonly (readonly [number, (writer: MessagePackWriter) => void])[]
    ): Uint8Array => {
      const writer = new MessagePackWriter();
      writer.map(fields.length);
      for (const [number, value] of fields) value(writer.int(number));
      return writer.finish();
    };
    const int =
      (value: number) =>
      (writer: MessagePackWriter): void =>
        void writer.int(value);
    const raw =
      (value: string) =>
      (writer: MessagePackWriter): void =>
        void writer.latin1(value);
    const link = (writer: MessagePackWriter): void => void writer.array(2).latin1(idOf(1)).int(5);
    const holes =
      (...lengths: readonly number[]) =>
      (writer: MessagePackWriter): void => {
        writer.array(lengths.length);
        for (const length of lengths) writer.int(length);
      };
    const head = (type: number) =>
      [
        [0, raw('n')],
        [1, int(type)],
        [2, int(0o644)],
        [3, int(0)],
        [4, int(0)],
        [7, int(0)],
        [8, int(0)],
      ] as const;
    const read = (bytes: Uint8Array): Entry => decodeEntry({ name: 'n', bytes });
    expect(read(write(...head(0), [13, int(0)])).size).toBe(0);
    const wrong: readonly Uint8Array[] = [
      write(...head(0)),
      write(...head(0).slice(1), [13, int(0)]),
      write(...head(0).slice(0, -1), [13, int(0)]),
      write(...head(0).filter(([field]) => field !== 3), [13, int(0)]),
      write(...head(0), [13, int(5)]),
      write(...head(0), [13, int(5)], [14, raw(idOf(1).slice(1))]),
      write(...head(0), [13, int(5)], [14, raw(idOf(1) + idOf(2))]),
      write(...head(0), [13, int(5)], [14, raw(idOf(1))], [15, holes(5, 5)]),
      write(...head(0), [13, int(6)], [14, raw(idOf(1))], [15, holes(5)]),
      write(...head(0), [13, int(5)], [14, raw('')], [15, holes(-5, 0)]),
      write(...head(0), [13, int(5)], [14, raw(idOf(1))], [16, link]),
      write(...head(0), [13, int(0)], [21, link]),
      write(...head(1)),
      write(...head(1), [14, raw(idOf(1))], [21, link]),
      write(...head(2)),
      write(...head(5)),
      write(...head(3), [19, int(1)], [20, int(2)]),
      write(...head(7)),
      write(...head(0), [13, int(0)], [17, raw('seven b')]),
      write(...head(0), [13, int(0)], [22, int(0)]),
      write(...head(0), [13, int(0)], [13, int(0)]),
      write([1, int(0)], [0, raw('n')]),
    ];
    for (const [i, bytes] of wrong.entries()) {
      expect(() => read(bytes), `case ${i}`).toThrow(expect.objectContaining({ code: 'format' }));
    }
  });

  test('may have as many attributes as the kernel lists', () => {
    const xattrs = Array.from({ length: 30_000 }, (_, i) => ({ name: `u.${i}`, value: new Uint8Array(0) }));
    expect(decodeEntry(encodeEntry({ ...file('many'), xattrs })).xattrs?.length).toBe(30_000);
  });
});

describe('trees', () => {
  test.each([0, 1, 2, 1024, 1025, 5000])(
    'of %i entries read back in order, and each entry is found',
    async (count) => {
      const memory = memoryStore();
      const names = Array.from(
        { length: count },
        (_, i) => `name ${String(i * 7).padStart(6, '0')}\xe9`,
      ).sort();
      const root = storeTree(
        names.map((name) => encodeEntry(file(name))),
        memory.store,
      );
      expect((await readTree(root, memory.read)).map(({ name }) => name)).toEqual(names);
      for (const name of names.filter((_, i) => i % 97 === 0)) {
        expect((await findEntry(root, name, memory.read))?.name).toBe(name);
      }
      for (const name of ['', 'name', 'zzz'])
        expect(await findEntry(root, name, memory.read)).toBeUndefined();
      expect(memory.chunks.size === 1).toBe(count <= 1024);
      for (const page of memory.chunks.values()) expect(page.byteLength).toBeLessThan(LIMITS.chunk);
    },
  );

  test('of very many entries: an entry added in the middle changes few pages', () => {
    const names = Array.from({ length: 40_000 }, (_, i) => `file-${i}`).sort();
    const before = memoryStore();
    storeTree(
      names.map((name) => encodeEntry(file(name))),
      before.store,
    );
    const after = memoryStore();
    storeTree(
      [...names, 'file-20000a'].sort().map((name) => encodeEntry(file(name))),
      after.store,
    );
    const fresh = [...after.chunks.keys()].filter((id) => !before.chunks.has(id));
    expect(before.chunks.size).toBeGreaterThan(20);
    expect(fresh.length).toBeLessThan(8);
  });

  test('end, whatever names someone plants', async () => {
    const names = zeroHashNames(1100).sort();
    const memory = memoryStore();
    const root = storeTree(
      names.map((name) => encodeEntry(file(name))),
      memory.store,
    );
    expect((await readTree(root, memory.read)).map(({ name }) => name)).toEqual(names);
    expect(memory.chunks.size).toBeLessThan(30);
  });

  test('with large entries are cut into pages by their size', async () => {
    const names = Array.from({ length: 700 }, (_, i) => `big ${String(i).padStart(4, '0')}`);
    const xattrs = [{ name: 'user.blob', value: noise(20_000, 'blob') }];
    const memory = memoryStore();
    const root = storeTree(
      names.map((name) => encodeEntry({ ...file(name), xattrs })),
      memory.store,
    );
    expect((await readTree(root, memory.read)).map(({ name }) => name)).toEqual(names);
    for (const page of memory.chunks.values()) expect(page.byteLength).toBeLessThan(4 * 2 ** 20 + 100);
  });

  test('whose names are not sorted, or occur twice, are refused', async () => {
    for (const names of [
      ['b', 'a'],
      ['a', 'a'],
    ]) {
      const memory = memoryStore();
      const root = storeTree(
        names.map((name) => encodeEntry(file(name))),
        memory.store,
      );
      await expect(readTree(root, memory.read)).rejects.toMatchObject({ code: 'format' });
    }
  });

  test('whose pages lead back up are refused', async () => {
    const memory = memoryStore();
    const writer = new MessagePackWriter();
    writer.array(2).int(1).array(1).array(2).latin1('a').array(2).latin1(idOf('loop')).int(50);
    const page = writer.finish();
    memory.chunks.set(idOf('loop'), page);
    const looping = { id: idOf('loop'), length: 50 };
    const read = async () => page;
    await expect(readTree(looping, read)).rejects.toMatchObject({ code: 'format' });
    await expect(findEntry(looping, 'a', read)).rejects.toMatchObject({ code: 'format' });
  });
});

/** Names whose FNV-1a hash is zero, which asks for a new page at every one of them, on every level. */
function zeroHashNames(count: number): string[] {
  const PRIME = 0x01000193;
  let inverse = 1;
  for (let i = 0; i < 6; i++) inverse = Math.imul(inverse, 2 - Math.imul(PRIME, inverse));
  /** Hashes from which two more bytes lead to zero. */
  const wanted = new Map<number, string>();
  const near = new Uint8Array(1 << 24);
  for (let last = 33; last < 256; last++) {
    const before = last; // (before ^ last) * PRIME is zero only if they are equal
    for (let byte = 33; byte < 256; byte++) {
      if (byte === 47 || last === 47) continue;
      const hash = (Math.imul(before, inverse) ^ byte) >>> 0;
      wanted.set(hash, String.fromCharCode(byte, last));
      near[hash >>> 8] = 1;
    }
  }
  const found: string[] = [];
  for (let number = 0; found.length < count; number++) {
    let prefix = 0x811c9dc5;
    const text = number.toString(36);
    for (let i = 0; i < text.length; i++) prefix = Math.imul(prefix ^ text.charCodeAt(i), PRIME);
    for (let byte = 97; byte < 123; byte++) {
      const hash = Math.imul(prefix ^ byte, PRIME) >>> 0;
      if (near[hash >>> 8] === 0) continue;
      const tail = wanted.get(hash);
      if (tail !== undefined) found.push(`${text}${String.fromCharCode(byte)}${tail}`);
    }
  }
  return [...new Set(found)];
}

describe('content lists', () => {
  async function listed(items: readonly ContentItem[]) {
    const memory = memoryStore();
    const builder = new ContentListBuilder(memory.store);
    for (const each of items) builder.add(each);
    const content = builder.finish();
    const found: ContentItem[] = [];
    for await (const page of contentItems(content, memory.read)) found.push(...page);
    return { content, found, memory };
  }
  const chunk = (label: number): ContentItem => ({ id: idOf(label), length: 1 + (label % 1000) });

  test.each([0, 1, 64, 65, 255, 256, 4096, 4097, 20_000])('of %i items read back in order', async (count) => {
    const items = Array.from({ length: count }, (_, i) => (i % 50 === 49 ? { hole: i } : chunk(i)));
    const { content, found } = await listed(items);
    expect(content.kind).toBe(count <= 64 ? 'items' : 'list');
    expect(found).toEqual(items);
  });

  test('of holes alone, which give no reason to cut, have pages of the largest size', async () => {
    const items = Array.from({ length: 10_000 }, (_, i) => ({ hole: i + 1 }));
    const { found, memory } = await listed(items);
    expect(found).toEqual(items);
    const counts = [...memory.chunks.values()]
      .map((page) => readListPage(page, 'page'))
      .map((page) => ('items' in page ? page.items.length : 0));
    expect(Math.max(...counts)).toBe(MAX_PAGE_ITEMS);
  });

  test('are alike but for few pages when something changes in the middle', async () => {
    const items = Array.from({ length: 60_000 }, (_, i) => chunk(i));
    const one = await listed(items);
    const other = await listed([...items.slice(0, 30_000), chunk(999_999), ...items.slice(30_000)]);
    const fresh = [...other.memory.chunks.keys()].filter((id) => !one.memory.chunks.has(id));
    expect(one.memory.chunks.size).toBeGreaterThan(20);
    expect(fresh.length).toBeLessThan(6);
  });

  test('say in inner pages how many bytes are below', async () => {
    const items = Array.from({ length: 30_000 }, (_, i) => (i % 9 === 0 ? { hole: 5 } : chunk(i)));
    const { content, memory } = await listed(items);
    if (content.kind !== 'list') return expect.unreachable();
    const total = async (at: { id: ChunkId; length: number }): Promise<number> => {
      const page = readListPage(await memory.read(at), 'page');
      if ('items' in page) return sizeOf(page.items);
      let sum = 0;
      for (const below of page.pages) {
        expect(await total(below)).toBe(below.bytes);
        sum += below.bytes;
      }
      return sum;
    };
    expect(await total(content.root)).toBe(sizeOf(items));
  });
});

const ABOUT: AboutSnapshot = {
  seconds: 1_700_000_000,
  nanoseconds: 5,
  zoneOffset: -90,
  host: 'here',
  user: 'ann',
  paths: ['/home/ann', '/srv/\xff'],
  level: 'incr',
  job: 'nightly',
  tags: ['a', 'b'],
  comment: 'before the move',
  parent: noise(16, 'parent'),
  program: 'cbr 0.1.0',
  statistics: {
    files: 1,
    folders: 2,
    others: 3,
    newFiles: 4,
    changedFiles: 5,
    unchangedFiles: 6,
    sourceBytes: 2 ** 40,
    newBytes: 8,
    storedBytes: 9,
    milliseconds: 10,
  },
  errors: [{ path: '/srv/\xfe', reason: 'permission denied' }],
};

function outcomeWith(about: Uint8Array) {
  return {
    outcome: 'commit' as const,
    root: { id: noise(32, 'root'), length: 5 },
    segments: [],
    seen: [],
    about,
  };
}

describe('snapshot records', () => {
  const id: SessionId = randomSession();

  test('read back as written, within the record that commits them', () => {
    const stored = encode(outcomeRecord, outcomeWith(encodeAbout(ABOUT)));
    const reader = new MessagePackReader(stored, 'outcome');
    const snapshot = snapshotOf(id, outcomeRecord.read(reader));
    expect(snapshot.about).toEqual({ ...ABOUT, parent: Uint8Array.from(ABOUT.parent!) });
    expect(snapshot.root).toEqual({ id: noise(32, 'root').toString('latin1'), length: 5 });
    // A plain library reads the whole of it at once.
    expect((unpack(stored) as { about: object }).about).toMatchObject({ host: 'here', level: 'incr' });
  });

  test('of a fence there are none', () => {
    expect(() => snapshotOf(id, { outcome: 'fence', segments: [], seen: [] })).toThrow(
      /not the record of a snapshot/,
    );
  });
});

describe('on mutated and random bytes: a value, or an error that says what is wrong', () => {
  const holds = (decoding: (bytes: Buffer) => unknown) => (bytes: Buffer) => {
    try {
      decoding(bytes);
    } catch (error) {
      if (!(error instanceof CbrError) || error.code !== 'format') throw error;
    }
  };
  const samples = fc.sample(entries, { numRuns: 60, seed: 42 }).map((entry) => encodeEntry(entry).bytes);
  const pages = memoryStore();
  storeTree(
    Array.from({ length: 1100 }, (_, i) => encodeEntry(file(String(i + 1000)))),
    pages.store,
  );
  const lists = memoryStore();
  const builder = new ContentListBuilder(lists.store);
  for (let i = 0; i < 3000; i++) builder.add(i % 9 === 0 ? { hole: i + 1 } : { id: idOf(i), length: i + 1 });
  builder.finish();
  const smallList = new MessagePackWriter().array(3).int(0).latin1(idOf(1)).array(2).int(7).int(-9).finish();
  const smallPage = new MessagePackWriter().array(2).int(0).array(1).raw(samples[0]!).finish();

  const targets: readonly (readonly [string, readonly Uint8Array[], (bytes: Buffer) => unknown])[] = [
    [
      'entries',
      samples,
      (bytes) => {
        const entry = readEntry(new MessagePackReader(bytes, 'entry'));
        const writer = new MessagePackWriter();
        writeEntry(writer, entry);
        return writer.finish();
      },
    ],
    [
      'tree pages',
      [smallPage, ...pages.chunks.values()].slice(0, 4),
      (bytes) => readDecodedPage(bytes, 'page'),
    ],
    [
      'content list pages',
      [smallList, ...lists.chunks.values()].slice(0, 4),
      (bytes) => readListPage(bytes, 'page'),
    ],
    ['snapshots', [encodeAbout(ABOUT)], (bytes) => snapshotOf(randomSession(), outcomeWith(bytes))],
  ];
  test.each(targets)('%s', (_, from, decoding) => {
    for (const sample of from) decoding(Buffer.from(sample));
    fc.assert(fc.property(mutated(from), holds(decoding)), runs(1500));
  });
});
