import * as fc from 'fast-check';
import { unpack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import {
  CbrError,
  encode,
  MessagePackReader,
  MessagePackWriter,
  type SessionId,
} from '../../dist/core/index.js';
import { outcomeRecord } from '../../dist/repo/index.js';
import { ContentListBuilder, readListPage } from '../../dist/snapshot/content-list.js';
import { readEntry, writeEntry } from '../../dist/snapshot/entry.js';
import { encodeAbout, snapshotOf } from '../../dist/snapshot/snapshot-record.js';
import { encodeEntry, readDecodedPage, storeTree } from '../../dist/snapshot/tree.js';
import { mutated } from '../core/mutations.js';
import { runs } from '../core/runs.js';
import { noise, randomSession } from './parts.js';
import { ABOUT, entries, file, idOf, memoryStore, outcomeWith } from './snapshot-samples.js';

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
