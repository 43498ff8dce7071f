import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { discsForRestore } from '../../dist/disc/index.js';
import type { CatalogBuild, CatalogDisc, CatalogPack, DiscContent } from '../../dist/repo/index.js';
import { runs } from '../core/runs.js';

/** Which discs a restore is given. */

type State = CatalogDisc['state'];
type Disc = readonly [state: State, packs: string];

const packOf = (name: string): CatalogPack => ({ name, size: name.charCodeAt(0) });

/** A build for the snapshots of these letters. */
function build(first: number, content: DiscContent, snapshots: string, ...discs: Disc[]): CatalogBuild {
  return {
    id: String(first),
    set: 'home',
    content,
    medium: 'dvd+r',
    sectors: 1,
    snapshots: [...snapshots],
    time: 0,
    by: 'ann',
    discs: discs.map(([state, packs], i) => ({
      id: String(first + i),
      number: first + i,
      volume: `V${first + i}`,
      packs: [...packs].map(packOf),
      state,
      changed: 0,
      build: String(first),
    })),
  };
}

/** As `1:ab 3: -c`: what is read from which disc, and what is missing; `*` where a prune has moved it, `!` without trees. */
function shown(builds: readonly CatalogBuild[], packs: string, snapshot = 'S', gone = 'abcde'): string {
  const { discs, missing, hasTrees, isMoved } = discsForRestore(
    builds,
    snapshot,
    [...packs].map(packOf),
    (name) => !gone.includes(name),
  );
  const words = discs.map(({ disc, packs }) => `${disc.number}:${packs.map(({ name }) => name).join('')}`);
  if (missing.length > 0) words.push(`-${missing.map(({ name }) => name).join('')}`);
  return [...words, ...(hasTrees ? [] : ['!']), ...(isMoved ? ['*'] : [])].join(' ');
}

test('few discs, the newest of those that have as much, and the one with the trees', () => {
  const old = build(1, 'all', 'R', ['burned', 'ab'], ['burned', 'c']);
  const mine = build(3, 'new', 'S', ['built', 'ad'], ['built', 'e']);
  expect(shown([old, mine], 'abcde')).toBe('1:b 2:c 3:ad 4:e');
  expect(shown([old, mine], 'ab')).toBe('1:ab 4:');
  expect(shown([old, mine], 'a')).toBe('3:a 4:');
  expect(shown([old, mine], '')).toBe('4:');
  expect(shown([old, mine], 'ax', 'R')).toBe('1:ab 2:c *');
});

test('a prune that moved packs takes nothing from what was built whole', () => {
  const all = build(1, 'all', 'S', ['burned', 'ab'], ['built', 'c']);
  const less = build(3, 'new', 'ST', ['built', 'd']);
  expect(shown([all], 'xyz')).toBe('1:ab 2:c *');
  expect(shown([all, less], 'xyz', 'T')).toBe('1:ab 2:c 3:d *');
  // As long as the repository has the packs of the discs, what they lack is lacking.
  expect(shown([all], 'xyz', 'S', '')).toBe('2: -xyz');
  expect(shown([all], 'axz', 'S', 'x')).toBe('1:a 2: -xz');
  // One disc that is lacking, and nobody knows what was on it.
  for (const state of ['planned', 'retired'] as const) {
    const broken = build(1, 'all', 'S', [state, 'ab'], ['built', 'c']);
    expect(shown([broken], 'xyc')).toBe('2:c -xy');
    expect(shown([broken, less], 'xyd', 'T')).toBe('3:d -xy');
  }
  // What was built before is of no matter to a build of everything.
  const lost = build(1, 'all', 'R', ['retired', 'ab']);
  expect(shown([lost, build(2, 'all', 'S', ['built', 'ab'])], 'x')).toBe('2:ab *');
  expect(shown([all], 'x', 'other')).toBe('-x !');
});

test('what is taken and what is missing is what is needed, each once', () => {
  const state = fc.constantFrom<State>('planned', 'built', 'burned', 'retired');
  const letters = fc.array(fc.constantFrom(...'abcdefgh'), { maxLength: 5 });
  const packs = letters.map((names) => [...new Set(names)].join(''));
  const discs = fc.array(fc.tuple(state, packs), { minLength: 1, maxLength: 4 });
  const one = fc.tuple(
    fc.constantFrom<DiscContent>('all', 'since-full', 'new'),
    fc.constantFrom('S', ''),
    discs,
  );
  const set = fc
    .array(one, { maxLength: 4 })
    .map((all) => all.map(([content, of, on], i) => build(1 + 10 * i, content, of, ...on)));
  const property = (builds: CatalogBuild[], wanted: string, gone: string): void => {
    const found = discsForRestore(builds, 'S', [...wanted].map(packOf), (name) => name < gone);
    for (const { disc } of found.discs) expect(['built', 'burned']).toContain(disc.state);
    if (found.isMoved) return;
    const taken = found.discs.flatMap(({ packs }) => packs);
    expect([...taken, ...found.missing].map(({ name }) => name).sort()).toEqual([...wanted].sort());
    for (const { disc, packs } of found.discs) expect(disc.packs).toEqual(expect.arrayContaining([...packs]));
    const counting = builds.flatMap((each) => each.discs).filter(({ state }) => /^bu/.test(state));
    for (const pack of found.missing)
      expect(counting.some((disc) => disc.packs.some(({ name }) => name === pack.name))).toBe(false);
  };
  fc.assert(fc.property(set, packs, fc.constantFrom('a', 'e', 'z'), property), runs(500));
});
