import { describe, expect, test } from 'vitest';
import type { SessionId } from '../../dist/core/index.js';
import type { Entry, PathVersion, Snapshot } from '../../dist/snapshot/index.js';
import { type StateRun, versionsOf } from '../../dist/snapshot/paths/path-versions.js';
import { ABOUT, FILE, file } from '../repo/snapshot-samples.js';
import { stateOfEntry } from './path-index-subject.js';

const snapshots = Array.from({ length: 9 }, (_, i): Snapshot => {
  const id = String(i).padStart(32, '0') as SessionId;
  return { id, root: { id: '' as Snapshot['root']['id'], length: 1 }, about: { ...ABOUT, seconds: i } };
});

/** One entry for each snapshot. */
function versions(entries: readonly (Entry | undefined)[], gaps: readonly number[] = []) {
  const runs = entries.map(
    (entry, i): StateRun => ({ from: i, to: i + 1, state: entry && stateOfEntry(entry) }),
  );
  const found = versionsOf(runs, snapshots, () => gaps);
  return found.map(({ first, last, snapshots: count, changes }: PathVersion) => [
    Number(first.id),
    Number(last.id),
    count,
    changes.join(),
  ]);
}

const at = (seconds: number): Partial<Entry> => ({ mtime: { seconds, nanoseconds: 0 } });

describe('the versions of a path', () => {
  test('begin when it is first there, and tell what changed', () => {
    const one = file('a', 5);
    const other: Entry = { ...file('b', 5), name: 'a' };
    const entries = [
      undefined,
      one,
      one,
      { ...one, ...at(7) },
      { ...other, ...at(8) },
      { ...other, ...at(8), mode: 0o600, uid: 7 },
      undefined,
      { ...other, ...at(8), user: 'ann' },
    ];
    expect(versions(entries)).toEqual([
      [1, 2, 2, 'added'],
      [3, 3, 1, 'mtime'],
      [4, 4, 1, 'content,mtime'],
      [5, 5, 1, 'mode,owner'],
      [6, 6, 1, 'removed'],
      [7, 7, 1, 'added'],
    ]);
  });

  test('tell changes that are neither content nor permissions, and of the type', () => {
    const { size: _, content: __, ...rest } = FILE;
    const link: Entry = { ...rest, type: 'symlink', linkTarget: 'x' };
    const entries: Entry[] = [FILE, { ...FILE, user: 'ann' }, link, { ...link, linkTarget: 'y' }];
    expect(versions(entries).map(([, , , changes]) => changes)).toEqual([
      'added',
      'metadata',
      'type',
      'content',
    ]);
  });

  test('do not say that it was gone where that is not known', () => {
    const one = file('a', 5);
    const two = file('a', 6);
    expect(versions([one, undefined, one, undefined, undefined, two], [1, 4])).toEqual([
      [0, 2, 2, 'added'],
      [3, 3, 1, 'removed'],
      [5, 5, 1, 'added'],
    ]);
    expect(versions([undefined, undefined], [0])).toEqual([]);
  });

  test('a folder does not differ by what is in it', () => {
    const { size: _, content: __, ...rest } = FILE;
    const folder = (label: string): Entry => {
      const { content } = file(label);
      const [chunk] = content?.kind === 'items' ? content.items : [];
      return { ...rest, type: 'directory', tree: { id: chunk!.id!, length: 1 } };
    };
    expect(versions([folder('a'), folder('b')])).toEqual([[0, 1, 2, 'added']]);
  });
});
