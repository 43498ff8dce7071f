import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MessagePackWriter } from '../../dist/core/index.js';
import type { Entry } from '../../dist/snapshot/entry.js';
import { readTreeReferences } from '../../dist/snapshot/prune/page-references.js';
import { encodeEntry, readDecodedPage, storeTree } from '../../dist/snapshot/tree.js';
import { mutated } from '../core/mutations.js';
import { runs } from '../core/runs.js';
import { entries, file, memoryStore } from './snapshot-samples.js';

/** What a walk is told of a page. */
function told(page: Uint8Array, mostLevel = 8): unknown[] {
  const found: unknown[] = [];
  readTreeReferences(page, mostLevel, {
    page: (below, level) => found.push(['page', level, below.id, below.length]),
    tree: ({ id, length }) => found.push(['tree', id, length]),
    attribute: ({ id, length }) => found.push(['attribute', id, length]),
    list: ({ id, length }) => found.push(['list', id, length]),
    content: (item) => {
      if (item.id !== undefined) found.push(['content', item.id, item.length]);
    },
  });
  return found;
}

/** The same by way of whole entries. */
function named(entry: Entry): unknown[] {
  const { xattrs = [], content, tree } = entry;
  return [
    ...xattrs.flatMap(({ value }) =>
      value instanceof Uint8Array ? [] : [['attribute', value.id, value.length]],
    ),
    ...(content?.kind === 'list' ? [['list', content.root.id, content.root.length]] : []),
    ...(content?.kind === 'items'
      ? content.items.flatMap((item) => (item.id === undefined ? [] : [['content', item.id, item.length]]))
      : []),
    ...(tree === undefined ? [] : [['tree', tree.id, tree.length]]),
  ];
}

function pageOf(all: readonly Entry[]): Uint8Array {
  const writer = new MessagePackWriter();
  writer.array(2).int(0).array(all.length);
  for (const entry of all) writer.raw(encodeEntry(entry).bytes);
  return writer.finish();
}

const sorted = fc
  .uniqueArray(entries, { maxLength: 6, selector: ({ name }) => name })
  .map((all) => all.sort((a, b) => (a.name < b.name ? -1 : 1)));

describe('what a page names', () => {
  test('is what its entries name', () => {
    fc.assert(
      fc.property(sorted, (all) => {
        expect(told(pageOf(all))).toEqual(all.flatMap(named));
      }),
      runs(500),
    );
  });

  test('is the same of whatever bytes can be read as entries', () => {
    let read = 0;
    fc.assert(
      fc.property(
        sorted.chain((all) => mutated([pageOf(all)])),
        (bytes) => {
          let whole: readonly Entry[];
          try {
            const page = readDecodedPage(bytes, 'page');
            if (!('entries' in page)) return;
            whole = page.entries;
          } catch {
            return;
          }
          read++;
          expect(told(bytes)).toEqual(whole.flatMap(named));
        },
      ),
      runs(2000),
    );
    expect(read).toBeGreaterThan(0);
  });

  test('of pages of pages are these, one level below', () => {
    const memory = memoryStore();
    const names = Array.from({ length: 3000 }, (_, i) => `name ${i}`).sort();
    const root = storeTree(
      names.map((name) => encodeEntry(file(name))),
      memory.store,
    );
    const top = memory.chunks.get(root.id)!;
    const below = told(top);
    expect(below.length).toBeGreaterThan(1);
    expect(below.every((each) => (each as unknown[])[0] === 'page' && (each as unknown[])[1] === 0)).toBe(
      true,
    );
    expect(below.map((each) => (each as unknown[])[2])).toEqual(
      [...memory.chunks.keys()].filter((id) => id !== root.id),
    );
    expect(() => told(top, 0)).toThrow(/nested wrongly/);
  });

  test('is not told where something may be named that is not understood', () => {
    const write = (type: number, ...more: ((writer: MessagePackWriter) => void)[]): Uint8Array => {
      const writer = new MessagePackWriter();
      writer
        .array(2)
        .int(0)
        .array(1)
        .map(2 + more.length);
      writer.int(0).latin1('n').int(1).int(type);
      for (const field of more) field(writer);
      return writer.finish();
    };
    const list =
      (field: number) =>
      (writer: MessagePackWriter): void =>
        void writer.int(field).array(2).latin1('i'.repeat(32)).int(5);
    const size =
      (value: number) =>
      (writer: MessagePackWriter): void =>
        void writer.int(13).int(value);
    const ids =
      (value: string) =>
      (writer: MessagePackWriter): void =>
        void writer.int(14).latin1(value);
    const known = write(0, size(5), list(16));
    expect(told(known)).toEqual([['list', 'i'.repeat(32), 5]]);
    const wrong = [
      write(0, size(5), list(22)),
      write(0, size(5), list(63)),
      write(0, size(5)),
      write(0, size(5), ids('i'.repeat(31))),
      write(0, size(5), ids('i'.repeat(64))),
      write(0, size(5), list(16), size(5)),
      write(0, size(5), ids('i'.repeat(32)), list(16)),
      write(0, size(0), list(21)),
      write(1),
      write(1, ids('i'.repeat(32)), list(21)),
      write(2, list(16)),
      Buffer.concat([known, known]),
    ];
    for (const [i, bytes] of wrong.entries()) {
      expect(() => told(bytes), `case ${i}`).toThrow(expect.objectContaining({ code: 'format' }));
    }
    expect(told(write(0, size(5), list(16), list(64)))).toEqual([['list', 'i'.repeat(32), 5]]);
  });
});
