import * as fc from 'fast-check';
import { unpack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { MessagePackWriter } from '../../dist/core/index.js';
import type { Entry } from '../../dist/snapshot/entry.js';
import { decodeEntry, encodeEntry } from '../../dist/snapshot/tree.js';
import { runs } from '../core/runs.js';
import { entries, FILE, file, idOf } from './snapshot-samples.js';

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
