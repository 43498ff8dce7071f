import { describe, expect, test } from 'vitest';
import type { Backend, ListedObject } from '../../dist/backends/index.js';
import { altered, filled, forgetFirst, mirrorTo, newMirror, objectsOf } from './mirror-subject.js';
import { expectClean, objectsIn, prune, writeFiles } from './prune-subject.js';

describe('a source that is in use', () => {
  test('a prune that removes what is to be copied makes it begin again', async () => {
    const its = await filled();
    const copy = newMirror();
    let isPruned = false;
    const source = (medium: Backend): Backend =>
      altered(medium, {
        read: async (kind, ...rest) => {
          if (kind === 'packs' && !isPruned) {
            isPruned = true;
            await forgetFirst(its);
            await prune(its);
          }
          return medium.read(kind, ...rest);
        },
      });
    const { restarts } = await mirrorTo(its.repo, copy.repo, {}, { source });
    expect(restarts).toBe(1);
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
    await expectClean(copy);
  });

  test('one that changes all the time is given up, with what was copied', async () => {
    const its = await filled();
    const copy = newMirror();
    const absent = 'ab'.repeat(32);
    const source = (medium: Backend): Backend =>
      altered(medium, {
        async *list(kind, call) {
          yield* medium.list(kind, call);
          if (kind === 'packs') yield { name: absent, size: 10 };
        },
      });
    const failed = mirrorTo(its.repo, copy.repo, {}, { source });
    await expect(failed).rejects.toMatchObject({ code: 'busy', hint: expect.stringContaining('Try again') });
    expect(objectsIn(copy, 'packs').length).toBeGreaterThan(0);
    expect(objectsIn(copy, 'snapshots')).toEqual([]);
    await mirrorTo(its.repo, copy.repo);
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
  });

  const all = async (objects: AsyncIterable<ListedObject>): Promise<ListedObject[]> => {
    const found: ListedObject[] = [];
    for await (const object of objects) found.push(object);
    return found;
  };

  /** The source of a mirror in which the first list of a kind is what `list` makes of it. */
  const firstList =
    (kind: string, list: (medium: Backend) => Promise<ListedObject[]>) =>
    (medium: Backend): Backend => {
      let isFirst = true;
      return altered(medium, {
        async *list(of, call) {
          const isMeant = of === kind && isFirst;
          if (isMeant) isFirst = false;
          yield* isMeant ? await list(medium) : await all(medium.list(of, call));
        },
      });
    };

  test('a list in pages may miss a snapshot that others rely on', async () => {
    const its = await filled();
    const copy = newMirror();
    const source = firstList('snapshots', async (medium) => (await all(medium.list('snapshots'))).slice(1));
    await mirrorTo(its.repo, copy.repo, {}, { source });
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
  });

  test('a list in pages may miss what a prune writes, and what it removes then', async () => {
    const its = await filled();
    await forgetFirst(its);
    const copy = newMirror();
    const source = firstList('index', async (medium) => {
      const before = await all(medium.list('index'));
      await prune(its);
      const after = new Set((await all(medium.list('index'))).map(({ name }) => name));
      expect(before.every(({ name }) => after.has(name))).toBe(false);
      return before.filter(({ name }) => after.has(name));
    });
    await mirrorTo(its.repo, copy.repo, {}, { source });
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
    await expectClean(copy);
  });

  test('a prune may remove packs before they are listed, of segments that were', async () => {
    const its = await filled();
    const copy = newMirror();
    await mirrorTo(its.repo, copy.repo);
    await forgetFirst(its);
    const source = firstList('packs', async (medium) => {
      await prune(its);
      return all(medium.list('packs'));
    });
    await mirrorTo(its.repo, copy.repo, {}, { source });
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
    await expectClean(copy);
  });

  test('of two mirrors at a time each ends well or says that the other one runs', async () => {
    const its = await filled();
    const copy = newMirror();
    await mirrorTo(its.repo, copy.repo);
    writeFiles(its, 'later', 7, 20, 20_000);
    await its.take({ threads: 1 });
    const both = await Promise.allSettled([1, 2].map(() => mirrorTo(its.repo, copy.repo)));
    expect(both.some(({ status }) => status === 'fulfilled')).toBe(true);
    for (const each of both)
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'busy' });
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
  });
});
