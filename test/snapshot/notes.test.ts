import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type BackendCall, withFaults } from '../../dist/backends/index.js';
import type { SessionId } from '../../dist/core/index.js';
import { createRecord, forgetSnapshot, outcomeRecord } from '../../dist/repo/index.js';
import {
  filterSnapshots,
  isPinned,
  listSnapshots,
  type SnapshotChange,
  selectSnapshot,
} from '../../dist/snapshot/index.js';
import {
  annotate,
  BY,
  beforeNotes,
  DAY,
  elsewhere,
  NOW,
  notePath,
  numbersOf,
  type Opening,
  only,
  prepared,
  put,
  recording,
} from './annotated.js';
import { forgedSnapshot } from './forged-snapshot.js';
import { type Scratch, scratch, scratchRepository } from './scratch-repository.js';

describe('a note', () => {
  test('changes what is said of a snapshot, one thing at a time, and keeps the rest', async () => {
    const at = await scratchRepository();
    writeFileSync(join(at.source, 'file'), 'content');
    const { summary } = await at.take({ tags: ['y', 'x', 'y'], comment: 'as taken' });
    const id = summary.snapshot as SessionId;
    const taken = await only(at);
    expect(taken).not.toHaveProperty('pin');

    const pinned = await annotate(at, id, { pin: { until: NOW + DAY } });
    expect(pinned.isChanged).toBe(true);
    expect(pinned.snapshot).toMatchObject({
      pin: { until: NOW + DAY },
      about: { tags: ['x', 'y'], comment: 'as taken' },
    });
    expect(await only(at)).toEqual(pinned.snapshot);
    expect(pinned.snapshot).toEqual({
      ...taken,
      about: { ...taken.about, tags: ['x', 'y'] },
      pin: { until: NOW + DAY },
    });

    await annotate(at, id, { tags: { add: ['a', 'x', '\u{1f600}', '\uffee'], remove: ['y', 'never'] } });
    // In the order of their bytes.
    expect(await only(at)).toMatchObject({
      pin: { until: NOW + DAY },
      about: { tags: ['a', 'x', '\uffee', '\u{1f600}'], comment: 'as taken' },
    });
    await annotate(at, id, { tags: { set: ['b'] }, comment: 'another' });
    expect(await only(at)).toMatchObject({ about: { tags: ['b'], comment: 'another' } });
    await annotate(at, id, { comment: '', pin: 'none', tags: { set: [] } });
    const bare = await only(at, elsewhere(at));
    expect(bare.about.tags).toEqual([]);
    expect(bare.about).not.toHaveProperty('comment');
    expect(bare).not.toHaveProperty('pin');
    expect(numbersOf(at, id)).toEqual([1, 2, 3, 4]);
    expect((await at.check(0)).findings).toEqual([]);
  });

  test('decides which snapshots a tag means, and what the chosen one says', async () => {
    const { at, id } = await prepared();
    const other = await at.use((repository) => forgedSnapshot(repository, [], 0, 'forger'));
    await annotate(at, id, { tags: { set: ['keep'] }, pin: {} });
    await at.use(async (repository) => {
      const { snapshots } = await listSnapshots(repository);
      expect(filterSnapshots(snapshots, { tags: ['keep'] }).map((each) => each.id)).toEqual([id]);
      expect(await selectSnapshot(repository, 'latest', { tags: ['keep'] })).toMatchObject({
        id,
        pin: {},
        about: { tags: ['keep'] },
      });
      expect((await selectSnapshot(repository, other, { tags: [] })).about.tags).toEqual([]);
    });
    await annotate(at, id, { tags: { set: [] } });
    await expect(
      at.use((repository) => selectSnapshot(repository, 'latest', { tags: ['keep'] })),
    ).rejects.toMatchObject({ code: 'not-found' });
  });

  test('is not written where nothing changes', async () => {
    const { at, id } = await prepared();
    for (const change of [{}, { pin: 'none' }, { tags: { remove: ['x'] } }, { comment: '' }] as const) {
      expect(await annotate(at, id, change)).toMatchObject({ isChanged: false, snapshot: { id } });
    }
    expect(existsSync(join(at.repo, 'notes', id))).toBe(false);
    await annotate(at, id, { pin: { until: NOW }, tags: { set: ['b', 'a'] } });
    for (const change of [
      { pin: { until: NOW } },
      { tags: { set: ['a', 'b', 'a'] } },
      { tags: { add: ['a'] } },
    ]) {
      expect((await annotate(at, id, change)).isChanged).toBe(false);
    }
    expect(numbersOf(at, id)).toEqual([1]);
    // A pin that ran out is there to see, and none to take away.
    expect((await annotate(at, id, { pin: 'none' }, {}, NOW + 1)).isChanged).toBe(false);
    expect((await annotate(at, id, { pin: 'none' }, {}, NOW)).isChanged).toBe(true);
  });

  test('that cannot be read again is not written', async () => {
    const { at, id } = await prepared();
    for (const change of [
      { tags: { set: ['x'.repeat(1025)] } },
      { comment: 'x'.repeat(65_536) },
    ] satisfies SnapshotChange[]) {
      await expect(annotate(at, id, change)).rejects.toMatchObject({ code: 'limit' });
    }
    expect(numbersOf(at, id)).toEqual([]);
  });
});

test('a pin holds to its last second', () => {
  expect(isPinned({}, NOW)).toBe(false);
  expect(isPinned({ pin: {} }, NOW)).toBe(true);
  expect(isPinned({ pin: { until: NOW } }, NOW)).toBe(true);
  expect(isPinned({ pin: { until: NOW } }, NOW + 1)).toBe(false);
});

describe('reading', () => {
  const notesOf = async (at: Scratch, opening: Opening = {}): Promise<string[]> => {
    const calls: BackendCall[] = [];
    await at.use(listSnapshots, { ...recording(calls), ...opening });
    return calls
      .filter(({ kind }) => kind === 'notes')
      .map(({ operation, names }) => [operation, ...names].join(' '));
  };

  test('costs one list where there are none, and one read of each counting one where they are new', async () => {
    const { at, id } = await prepared();
    expect(await notesOf(at)).toEqual(['list']);
    for (const tag of ['a', 'b', 'c']) await annotate(at, id, { tags: { add: [tag] } });
    expect(await notesOf(at, elsewhere(at))).toEqual(['list', `read ${id}/3`]);
    expect(await notesOf(at, elsewhere(at))).toEqual(['list']);
  });

  test('takes numbers for numbers, and looks at no other name', async () => {
    const { at, id } = await prepared();
    for (let i = 1; i <= 11; i++) await annotate(at, id, { comment: String(i) });
    for (const name of ['012', '99x', '0', '1000000000000000'])
      put(join(at.repo, 'notes', id, name), Buffer.of(1));
    put(join(at.repo, 'notes', 'stranger'), Buffer.of(1));
    expect((await only(at, elsewhere(at))).about.comment).toBe('11');
    expect((await at.check(0)).findings).toEqual([]);
    await annotate(at, id, { comment: '12' });
    expect(existsSync(notePath(at, id, 12))).toBe(true);
  });
});

describe('writers at the same time', () => {
  test('both change what they meant to: the second starts from what the first wrote', async () => {
    const { at, id } = await prepared();
    const first = { tags: { add: ['first'] }, pin: { until: NOW } } satisfies SnapshotChange;
    const race = beforeNotes(async (write) => {
      if (write === 1) await annotate(at, id, first, elsewhere(at));
    });
    const { isChanged, snapshot } = await annotate(
      at,
      id,
      { tags: { add: ['second'] }, comment: 'mine' },
      race,
    );
    expect(isChanged).toBe(true);
    const both = { pin: { until: NOW }, about: { tags: ['first', 'second'], comment: 'mine' } };
    expect(snapshot).toMatchObject(both);
    expect(await only(at)).toMatchObject(both);
    expect(numbersOf(at, id)).toEqual([1, 2]);
  });

  test('who finds the same change made meanwhile writes nothing', async () => {
    const { at, id } = await prepared();
    const race = beforeNotes(() => annotate(at, id, { pin: {} }, elsewhere(at)));
    expect(await annotate(at, id, { pin: {} }, race)).toMatchObject({
      isChanged: false,
      snapshot: { pin: {} },
    });
    expect(numbersOf(at, id)).toEqual([1]);
  });

  test('eight of them, all at once', async () => {
    const { at, id } = await prepared();
    const tags = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    await Promise.all(tags.map((tag) => annotate(at, id, { tags: { add: [tag] } }, elsewhere(at, tag))));
    expect((await only(at)).about.tags).toEqual(tags);
    expect(numbersOf(at, id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('who is too slow every time says so, and wrote nothing', async () => {
    const { at, id } = await prepared();
    const race = beforeNotes((write) => annotate(at, id, { comment: `faster ${write}` }, elsewhere(at)));
    await expect(annotate(at, id, { pin: {} }, race)).rejects.toMatchObject({ code: 'busy' });
    const found = await only(at);
    expect(found.about.comment).toBe('faster 20');
    expect(found).not.toHaveProperty('pin');
  });
});

describe('a snapshot that is gone', () => {
  const forget = (at: Scratch, id: SessionId, opening: Opening = {}) =>
    at.use((repository) => forgetSnapshot(repository, id, BY, NOW), opening);

  test('has no notes that count, gets none, and its notes are no damage', async () => {
    const { at, id } = await prepared();
    await annotate(at, id, { pin: {} });
    const calls: BackendCall[] = [];
    await forget(at, id);
    await at.use(listSnapshots, { ...elsewhere(at), ...recording(calls) });
    expect(calls.filter(({ kind, operation }) => kind === 'notes' && operation === 'read')).toEqual([]);
    expect(await at.snapshots()).toEqual([]);
    await expect(annotate(at, id, { comment: 'late' })).rejects.toMatchObject({ code: 'not-found' });
    expect(numbersOf(at, id)).toEqual([1]);
    expect((await at.check(0)).findings).toEqual([]);
  });

  test('since a moment ago: who pins it is told that it is too late', async () => {
    const { at, id } = await prepared();
    const race = beforeNotes(() => forget(at, id, elsewhere(at)));
    await expect(annotate(at, id, { pin: {} }, race)).rejects.toMatchObject({ code: 'not-found' });
    expect((await at.check(0)).findings).toEqual([]);
  });

  test('half way: with a forgotten record it is not valid, whatever stays of it', async () => {
    const { at, id } = await prepared();
    const record = readFileSync(join(at.repo, 'snapshots', id));
    await forget(at, id);
    put(join(at.repo, 'snapshots', id), record);
    await expect(annotate(at, id, { pin: {} })).rejects.toMatchObject({ code: 'not-found' });
    expect(numbersOf(at, id)).toEqual([]);
  });

  test('nor is a fence one, nor what never was', async () => {
    const { at } = await prepared();
    const fence = 'f'.repeat(32) as SessionId;
    await at.use(({ backend, records }) =>
      createRecord(
        backend,
        'snapshots',
        fence,
        outcomeRecord,
        { outcome: 'fence', segments: [], seen: [] },
        records,
      ),
    );
    for (const id of [fence, '0'.repeat(32) as SessionId]) {
      await expect(annotate(at, id, { pin: {} })).rejects.toMatchObject({ code: 'not-found' });
      expect(numbersOf(at, id)).toEqual([]);
    }
  });
});

test('the process dies at any call: the change is there whole or not at all, and can be made again', async () => {
  const { at, id } = await prepared();
  await annotate(at, id, { tags: { set: ['old'] }, comment: 'kept' });
  const before = await only(at);
  const change = { tags: { set: ['new'] }, pin: { until: NOW + DAY } } satisfies SnapshotChange;
  const after = { ...before, pin: change.pin, about: { ...before.about, tags: ['new'] } };
  const calls: BackendCall[] = [];
  const whole = copyOf(at);
  await annotate(whole, id, change, recording(calls));
  expect(await only(whole)).toEqual(after);
  expect(calls.some(({ operation, kind }) => operation === 'write' && kind === 'notes')).toBe(true);
  let stopped = 0;
  for (const { number } of calls) {
    for (const when of ['before', 'after'] as const) {
      const its = copyOf(at);
      const dying: Opening = {
        wrapBackend: (medium) =>
          withFaults(medium, (call) => (call.number === number ? { when, stop: true } : undefined)),
      };
      await expect(annotate(its, id, change, dying), `${when} ${number}`).rejects.toThrow('injected stop');
      stopped++;
      const found = await only(its, elsewhere(its));
      expect([before, after]).toContainEqual(found);
      expect((await its.check(0)).findings).toEqual([]);
      await annotate(its, id, change);
      expect(await only(its)).toEqual(after);
      expect(numbersOf(its, id)).toEqual([1, 2]);
    }
  }
  expect(stopped).toBeGreaterThan(8);
});

function copyOf(original: Scratch): Scratch {
  const copy = scratch();
  cpSync(original.repo, copy.repo, { recursive: true });
  return copy;
}
