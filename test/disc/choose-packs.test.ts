import { describe, expect, test } from 'vitest';
import { choosePacks } from '../../dist/disc/index.js';
import type { CatalogBuild, CatalogDisc, DiscContent } from '../../dist/repo/index.js';

/** Which packs a build takes, by what is on discs already. */

type State = CatalogDisc['state'];

let made = 0;
const disc = (state: State, ...packs: string[]): CatalogDisc => {
  const number = ++made;
  return {
    id: String(number),
    number,
    volume: `V${number}`,
    packs: packs.map((name) => ({ name, size: 1 })),
    state,
    changed: 0,
    build: '',
  };
};
const build = (content: DiscContent, discs: readonly CatalogDisc[], set = 'home'): CatalogBuild => ({
  id: String(++made),
  set,
  content,
  medium: 'dvd+r',
  sectors: 1,
  snapshots: [],
  time: 0,
  by: 'ann',
  discs,
});
const packs = [...'abcdef'].map((name) => ({ name, size: 1 }));
const chosen = (content: DiscContent, ...builds: CatalogBuild[]): string =>
  choosePacks({ builds }, 'home', content, packs)
    .map(({ name }) => name)
    .join('');

describe('all', () => {
  test('takes everything, whatever is on discs', () => {
    expect(chosen('all', build('all', [disc('burned', 'a', 'b')]))).toBe('abcdef');
  });
});

describe('new', () => {
  test('takes what is on no disc of the set that counts', () => {
    const builds = [
      build('all', [disc('built', 'a'), disc('burned', 'b'), disc('planned', 'c'), disc('retired', 'd')]),
      build('since-full', [disc('burned', 'e')]),
      build('all', [disc('burned', 'f')], 'photos'),
    ];
    expect(chosen('new', ...builds)).toBe('cdf');
  });

  test('takes all where there are no discs', () => {
    expect(chosen('new')).toBe('abcdef');
  });

  test('a pack that lies on another disc too is still on one when the first is retired', () => {
    expect(chosen('new', build('all', [disc('retired', 'a'), disc('burned', 'a')]))).toBe('bcdef');
  });
});

describe('since-full', () => {
  test('takes what is on no disc of the last build of all, whatever later discs have', () => {
    const old = build('all', [disc('burned', 'a', 'b', 'c')]);
    const last = build('all', [disc('burned', 'b'), disc('retired', 'c'), disc('planned', 'd')]);
    const later = [build('since-full', [disc('burned', 'e')]), build('new', [disc('burned', 'f')])];
    expect(chosen('since-full', old, last, ...later)).toBe('acdef');
  });

  test('a build of all that never wrote a disc, or lost them all, is no base', () => {
    const old = build('all', [disc('burned', 'a')]);
    const planned = build('all', [disc('planned', 'a', 'b')]);
    const lost = build('all', [disc('retired', 'a', 'b')]);
    expect(chosen('since-full', old, planned, lost)).toBe('bcdef');
    for (const builds of [[], [planned], [lost], [build('new', [disc('burned', 'a')])]])
      expect(() => chosen('since-full', ...builds)).toThrow('set "home" has no discs with all content');
  });

  test('of another set does not count', () => {
    expect(() => chosen('since-full', build('all', [disc('burned', 'a')], 'photos'))).toThrow('"home"');
  });
});
