import { describe, expect, test } from 'vitest';
import { type ChunkId, LIMITS, MessagePackWriter } from '../../dist/core/index.js';
import {
  ContentListBuilder,
  contentItems,
  MAX_PAGE_ITEMS,
  readListPage,
} from '../../dist/snapshot/content-list.js';
import type { ContentItem } from '../../dist/snapshot/entry.js';
import { encodeEntry, findEntry, readTree, storeTree } from '../../dist/snapshot/tree.js';
import { noise } from './parts.js';
import { file, idOf, memoryStore, sizeOf } from './snapshot-samples.js';

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
    const size = items.reduce((sum, item) => sum + (item.id === undefined ? item.hole : item.length), 0);
    for await (const page of contentItems(content, size, memory.read)) found.push(...page);
    return { content, found, memory };
  }
  const chunk = (label: number): ContentItem => ({ id: idOf(label), length: 1 + (label % 1000) });

  test.each([0, 1, 64, 65, 255, 256, 4096, 4097, 20_000])('of %i items read back in order', async (count) => {
    const items = Array.from({ length: count }, (_, i) => (i % 50 === 49 ? { hole: i } : chunk(i)));
    const { content, found } = await listed(items);
    expect(content.kind).toBe(count <= 64 ? 'items' : 'list');
    expect(found).toEqual(items);
  });

  test('that hold more than their file are refused, for forged pages could go on for ever', async () => {
    const memory = memoryStore();
    const builder = new ContentListBuilder(memory.store);
    for (let i = 0; i < 100; i++) builder.add(chunk(i));
    const read = contentItems(builder.finish(), 1000, memory.read);
    await expect(
      (async () => {
        for await (const _ of read);
      })(),
    ).rejects.toMatchObject({ code: 'format' });
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
