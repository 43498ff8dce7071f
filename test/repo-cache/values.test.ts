import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../dist/repo/cache/database.js';
import type { RepositoryCache } from '../../dist/repo/cache/index.js';
import { digest, open, plainSegment, session } from './samples.js';

let folder: string;
let cache: RepositoryCache;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cbr-test-'));
  cache = await open(folder);
});
afterEach(async () => {
  await cache.close();
  rmSync(folder, { recursive: true, force: true });
});

async function reopen(said: string[] = []): Promise<void> {
  await cache.close();
  cache = await open(folder, said);
}

const key = (number: number) => Buffer.alloc(16, number);

describe('directory states', () => {
  test('agree with a plain model', async () => {
    const directories = fc.uniqueArray(fc.nat(5), { maxLength: 4 });
    const step = fc.oneof(
      fc.record({
        do: fc.constant('commit' as const),
        root: fc.nat(2),
        puts: directories,
        removes: directories,
        size: fc.nat(30_000),
      }),
      fc.record({ do: fc.constant('clear' as const), root: fc.nat(2) }),
      fc.record({ do: fc.constant('clear all' as const) }),
      fc.record({ do: fc.constant('reopen' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        cache.clearDirectoryStates();
        const model = new Map<number, { snapshot: string; states: Map<number, Buffer> }>();
        for (const [turn, each] of steps.entries()) {
          if (each.do === 'commit') {
            const known = model.get(each.root) ?? { snapshot: '', states: new Map() };
            known.snapshot = session(`${turn}`);
            for (const directory of each.removes) known.states.delete(directory);
            for (const directory of each.puts)
              known.states.set(directory, Buffer.alloc(each.size, `${turn} ${directory}`));
            model.set(each.root, known);
            cache.commitDirectoryState(
              key(each.root),
              session(`${turn}`),
              each.puts.map((directory) => [key(directory), known.states.get(directory)!] as const),
              each.removes.map(key),
            );
          } else if (each.do === 'clear') {
            model.delete(each.root);
            cache.clearDirectoryStates([key(each.root)]);
          } else if (each.do === 'clear all') {
            model.clear();
            cache.clearDirectoryStates();
          } else {
            await reopen();
          }
          expect(cache.roots().map((root) => root[0])).toEqual([...model.keys()].sort());
          for (let root = 0; root <= 2; root++) {
            const state = cache.directoryState(key(root));
            expect(state.snapshot).toBe(model.get(root)?.snapshot);
            for (let directory = 0; directory <= 5; directory++) {
              const found = state.get(key(directory));
              const wanted = model.get(root)?.states.get(directory);
              expect(found === undefined).toBe(wanted === undefined);
              if (found && wanted) expect(Buffer.compare(found, wanted)).toBe(0);
            }
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  test('are committed whole or not at all', () => {
    cache.commitDirectoryState(key(1), session('a'), [[key(1), Buffer.from('old')]]);
    function* broken() {
      yield [key(1), Buffer.from('new')] as const;
      throw new Error('the scan failed');
    }
    expect(() => cache.commitDirectoryState(key(1), session('b'), broken())).toThrow('the scan failed');
    const state = cache.directoryState(key(1));
    expect(state.snapshot).toBe(session('a'));
    expect(Buffer.from(state.get(key(1))!).toString()).toBe('old');
  });

  test('may have any size', async () => {
    const sizes = [0, 1, 5000, 2 ** 20 + 1, 17 * 2 ** 20, 40 * 2 ** 20];
    const states = sizes.map((size, i) => [key(i), Buffer.alloc(size, i + 1)] as const);
    cache.commitDirectoryState(key(1), session('a'), states);
    await reopen();
    const state = cache.directoryState(key(1));
    for (const [directory, bytes] of states) expect(Buffer.compare(state.get(directory)!, bytes)).toBe(0);
  });

  test('that rotted do not exist, and the cache is not used again', async () => {
    cache.commitDirectoryState(key(1), session('a'), [[key(2), Buffer.from('a directory')]]);
    cache.putRecord('snapshots', 'a', Buffer.from('a record'));
    await cache.close();
    const database = await openDatabase(join(folder, 'data.mdb'), 'write');
    for (const table of [database.tables.directories, database.tables.records]) {
      for (const { key: at, value } of [...table.entries(Buffer.from([0]))]) {
        value[value.length - 1]! ^= 1;
        table.put(at, value);
      }
    }
    await database.close();
    const { writeOpenMark } = await import('../../dist/repo/cache/open-mark.js');
    const { fingerprintOf } = await import('../../dist/repo/cache/data-file.js');
    writeOpenMark(folder, { state: 'closed', fingerprint: fingerprintOf(join(folder, 'data.mdb'))! });
    const said: string[] = [];
    cache = await open(folder, said);
    expect(said).toEqual([]);
    expect(cache.directoryState(key(1)).get(key(2))).toBeUndefined();
    expect(cache.getRecord('snapshots', 'a')).toBeUndefined();
    await reopen(said);
    expect(said.join()).toContain('built anew');
    expect(cache.directoryState(key(1)).snapshot).toBeUndefined();
  });
});

describe('small values', () => {
  test('records are kept by kind and name', async () => {
    cache.putRecord('snapshots', 'b', Buffer.from('1'));
    cache.putRecord('snapshots', 'a', Buffer.from('2'));
    cache.putRecord('snap', 'shots', Buffer.from('3'));
    cache.putRecord('forgotten', 'a', new Uint8Array(0));
    cache.putRecord('snapshots', 'b', Buffer.from('4'));
    await reopen();
    expect(cache.recordNames('snapshots')).toEqual(['a', 'b']);
    expect(cache.recordNames('snap')).toEqual(['shots']);
    expect(Buffer.from(cache.getRecord('snapshots', 'b')!).toString()).toBe('4');
    expect(cache.getRecord('forgotten', 'a')).toHaveLength(0);
    cache.removeRecord('snapshots', 'a');
    cache.removeRecord('snapshots', 'never');
    expect(cache.recordNames('snapshots')).toEqual(['b']);
    expect(cache.getRecord('snapshots', 'a')).toBeUndefined();
  });

  test('a batch is one change', () => {
    expect(() =>
      cache.batch(() => {
        cache.putRecord('snapshots', 'a', Buffer.from('1'));
        cache.setValue('packs listed', Buffer.from('2'));
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(cache.recordNames('snapshots')).toEqual([]);
    expect(cache.getValue('packs listed')).toBeUndefined();
    cache.batch(() => {
      for (let i = 0; i < 1000; i++) cache.putRecord('snapshots', `${i}`, Buffer.from('1'));
    });
    expect(cache.recordNames('snapshots')).toHaveLength(1000);
  });

  test('values and times of verification stay, those of removed packs do not', async () => {
    const { name, segment, packs } = plainSegment('sample', 2, 3);
    await cache.addSegment(name, segment);
    const [kept, removed] = packs.map((pack) => pack.name);
    cache.setValue('highest config', Buffer.from([3]));
    cache.setVerified(kept!, 1_700_000_000.5);
    cache.setVerified(removed!, 5);
    await reopen();
    expect(cache.getValue('highest config')).toEqual(Buffer.from([3]));
    expect(cache.getValue('counters')).toBeUndefined();
    expect(cache.verifiedAt(kept!)).toBe(1_700_000_000.5);
    await cache.dropPacks([removed!, digest('never there')]);
    expect(cache.verifiedAt(removed!)).toBeUndefined();
    expect(cache.verifiedAt(kept!)).toBe(1_700_000_000.5);
  });
});
