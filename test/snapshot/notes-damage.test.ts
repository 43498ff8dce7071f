import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CbrError, decode, encode } from '../../dist/core/index.js';
import {
  createRecord,
  encodeRecord,
  type NoteRecord,
  noteRecord,
  policiesRecord,
  type Repository,
} from '../../dist/repo/index.js';
import { listSnapshots } from '../../dist/snapshot/index.js';
import { mutated } from '../core/mutations.js';
import { runs } from '../core/runs.js';
import {
  annotate,
  BY,
  damage,
  elsewhere,
  NOW,
  notePath,
  numbersOf,
  only,
  prepared,
  put,
} from './annotated.js';
import { forgedSnapshot } from './forged-snapshot.js';

describe('damage', () => {
  test('of the highest note: the one below counts, check names it, and the next one goes above it', async () => {
    const { at, id } = await prepared();
    await annotate(at, id, { tags: { set: ['one'] }, pin: {} });
    await annotate(at, id, { tags: { set: ['two'] } });
    damage(notePath(at, id, 2));
    expect(await only(at, elsewhere(at))).toMatchObject({ pin: {}, about: { tags: ['one'] } });
    const { findings } = await at.check(0);
    expect(findings).toMatchObject([{ object: `notes/${id}/2`, affected: [] }]);
    await annotate(at, id, { comment: 'after' }, elsewhere(at));
    expect(numbersOf(at, id)).toEqual([1, 2, 3]);
    expect(await only(at)).toMatchObject({ pin: {}, about: { tags: ['one'], comment: 'after' } });
    damage(notePath(at, id, 1));
    expect((await at.check(0)).findings.map(({ object }) => object)).toEqual([
      `notes/${id}/1`,
      `notes/${id}/2`,
    ]);
  });

  test('of what the cache remembers whole takes nothing away, and the next note repairs it', async () => {
    const { at, id } = await prepared();
    await annotate(at, id, { tags: { set: ['one'] }, pin: {} });
    await only(at);
    damage(notePath(at, id, 1));
    expect(await only(at)).toMatchObject({ pin: {}, about: { tags: ['one'] } });
    expect((await at.check(0)).findings).toHaveLength(1);
    await annotate(at, id, { comment: 'after' });
    expect(await only(at, elsewhere(at))).toMatchObject({
      pin: {},
      about: { tags: ['one'], comment: 'after' },
    });
  });

  test('of all notes: the record counts', async () => {
    const { at, id } = await prepared();
    await annotate(at, id, { tags: { set: ['one'] } });
    put(notePath(at, id, 1), Buffer.alloc(0));
    expect((await only(at, elsewhere(at))).about.tags).toEqual([]);
    await annotate(at, id, { comment: 'after' }, elsewhere(at));
    expect((await only(at)).about).toMatchObject({ tags: [], comment: 'after' });
    expect(numbersOf(at, id)).toEqual([1, 2]);
  });

  test.each([false, true])('a note under the name of another is none, encrypted: %s', async (encrypted) => {
    const { at, id } = await prepared({ encrypted });
    const other = await at.use((repository) => forgedSnapshot(repository, []));
    await annotate(at, id, { tags: { set: ['old'] } });
    await annotate(at, id, { tags: { set: ['new'] } });
    put(notePath(at, id, 3), readFileSync(notePath(at, id, 1)));
    put(notePath(at, other, 1), readFileSync(notePath(at, id, 1)));
    const snapshots = await at.snapshots(elsewhere(at));
    const tags = new Map(snapshots.map((each) => [each.id, each.about.tags]));
    expect(tags).toEqual(
      new Map([
        [id, ['new']],
        [other, []],
      ]),
    );
    expect((await at.check(0)).findings.map(({ object }) => object).sort()).toEqual(
      [`notes/${id}/3`, `notes/${other}/1`].sort(),
    );
  });

  test('a note of a newer program is no damage: nobody reads past it', async () => {
    const { at, id } = await prepared();
    await annotate(at, id, { pin: {} });
    const content = readFileSync(notePath(at, id, 1)).subarray(0, -32);
    content.writeUInt16LE(99, 4);
    put(notePath(at, id, 2), Buffer.concat([content, createHash('sha256').update(content).digest()]));
    await expect(only(at, elsewhere(at))).rejects.toMatchObject({ code: 'newer-format' });
    await expect(annotate(at, id, { pin: 'none' })).rejects.toMatchObject({ code: 'newer-format' });
    expect(numbersOf(at, id)).toEqual([1, 2]);
  });

  test('of a stored policy is named by check', async () => {
    const { at } = await prepared();
    const policy = { rules: [{ name: 'keep-last', value: '3' }], anchors: [], by: BY, time: NOW };
    await at.use(({ backend, records }) =>
      createRecord(backend, 'policies', '1', policiesRecord, policy, records),
    );
    expect((await at.check(0)).findings).toEqual([]);
    const stored = readFileSync(join(at.repo, 'policies/1'));
    put(join(at.repo, 'policies/2'), Buffer.from('nothing of ours'));
    put(join(at.repo, 'policies/10'), stored);
    expect((await at.check(0)).findings.map(({ object }) => object)).toEqual(['policies/10', 'policies/2']);
  });
});

describe('the bytes', () => {
  const tag = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 });
  const time = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
  const note: fc.Arbitrary<NoteRecord> = fc.record(
    {
      tags: fc.array(tag, { maxLength: 6 }),
      comment: fc.string({ unit: 'binary', maxLength: 200 }),
      pinned: fc.boolean(),
      pinnedUntil: time,
      by: tag,
      time,
    },
    { requiredKeys: ['tags', 'pinned', 'by', 'time'] },
  );

  test('decode to what was encoded', () => {
    fc.assert(
      fc.property(note, (each) => {
        expect(decode(noteRecord, encode(noteRecord, each), 'note')).toEqual(each);
      }),
      runs(300),
    );
  });

  const samples = fc.sample(note, { numRuns: 30, seed: 7 });

  test('changed anyhow are a note that has no second form, or refused as such', () => {
    const encoded = samples.map((each) => encode(noteRecord, each));
    fc.assert(
      fc.property(mutated(encoded), (bytes) => {
        try {
          expect(encode(noteRecord, decode(noteRecord, bytes, 'note')).equals(bytes)).toBe(true);
        } catch (error) {
          if (!(error instanceof CbrError) || error.code !== 'format') throw error;
        }
      }),
      runs(1500),
    );
  });

  test('stored and changed anyhow never stop a listing, nor become another note', async () => {
    const { at, id } = await prepared();
    await at.use(async (repository) => {
      const last = samples.at(-1)!;
      await createRecord(repository.backend, 'notes', `${id}/1`, noteRecord, last, repository.records);
      const stored = encodeRecord('notes', `${id}/2`, noteRecord, samples[0]!, repository.records);
      const path = notePath(at, id, 2);
      await fc.assert(
        fc.asyncProperty(mutated([stored]), async (bytes) => {
          put(path, bytes);
          const [snapshot] = (await listSnapshots(unremembering(repository))).snapshots;
          expect(snapshot!.about.tags).toEqual((bytes.equals(stored) ? samples[0]! : last).tags);
        }),
        runs(150),
      );
    });
  });
});

/** The same repository, read as by a machine that was never here. */
function unremembering(repository: Repository): Repository {
  const cache = Object.assign(Object.create(repository.cache) as Repository['cache'], {
    getRecord: () => undefined,
    putRecord: () => undefined,
  });
  return { ...repository, cache };
}
