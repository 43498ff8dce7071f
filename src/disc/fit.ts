import { CbrError } from '../core/index.js';

/** Which things go on which disc: the four ways of Cedar Backup 3 (its knapsack module), and what cbr adds. Pure. */

export const FITS = ['best', 'first', 'worst', 'alternate'] as const;

/**
 * `first`: in the order given. `best`: the largest first. `worst`: the smallest first. `alternate`: the smallest and the largest by
 * turns.
 */
export type Fit = (typeof FITS)[number];

/** Something that goes on one disc whole. */
export interface FitItem {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

export interface FittedDisc<Item extends FitItem> {
  readonly items: readonly Item[];
  /** Bytes of all of them. */
  readonly used: number;
}

/**
 * Puts all items on as many discs as the fit needs, each disc filled from what the ones before have left. Rejects with `usage` when
 * an item is larger than a disc.
 */
export function fitOnDiscs<Item extends FitItem>(
  items: readonly Item[],
  capacity: number,
  fit: Fit,
): readonly FittedDisc<Item>[] {
  const tooLarge = items.find(({ size }) => size > capacity);
  if (tooLarge !== undefined) {
    throw new CbrError(
      'usage',
      `${JSON.stringify(tooLarge.name)} has ${tooLarge.size} bytes, and a disc holds ${capacity}`,
      { hint: 'Choose larger media.' },
    );
  }
  const discs: FittedDisc<Item>[] = [];
  for (let left = items; left.length > 0; ) {
    const disc = fillDisc(left, capacity, fit);
    const taken = new Set(disc.items);
    left = left.filter((item) => !taken.has(item));
    discs.push(disc);
  }
  return discs;
}

/** What goes on one disc: each item in the order of the fit that still has room. */
export function fillDisc<Item extends FitItem>(
  items: readonly Item[],
  capacity: number,
  fit: Fit,
): FittedDisc<Item> {
  const taken: Item[] = [];
  let used = 0;
  for (const item of ordered(items, fit)) {
    if (used + item.size > capacity) continue;
    taken.push(item);
    used += item.size;
  }
  return { items: taken, used };
}

/** Items of one size stay in the order given. */
function ordered<Item extends FitItem>(items: readonly Item[], fit: Fit): readonly Item[] {
  if (fit === 'first') return items;
  if (fit === 'best') return [...items].sort((a, b) => b.size - a.size);
  const ascending = [...items].sort((a, b) => a.size - b.size);
  return fit === 'worst' ? ascending : byTurns(ascending);
}

/** The first, the last, the second, the last but one, and so on. */
function byTurns<Item>(items: readonly Item[]): readonly Item[] {
  const half = Math.floor(items.length / 2);
  const back = items.slice(half).reverse();
  return back.flatMap((item, i) => (i < half ? [items[i]!, item] : [item]));
}
