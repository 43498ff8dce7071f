import { createHash } from 'node:crypto';
import type { Entry } from '../entry.js';
import type { Change } from './change.js';

/** Files that are on one side only, by what they hold: what is gone here and new there was moved. */

/** The same for files of the same content; undefined for what is no file, is empty, or is one hole. */
export function contentKey({
  type,
  size,
  content,
}: Pick<Entry, 'type' | 'size' | 'content'>): string | undefined {
  if (type !== 'file' || size === undefined || content === undefined) return undefined;
  if (content.kind === 'list') return `${size} ${content.root.id}`;
  const { items } = content;
  if (items.every(({ id }) => id === undefined)) return undefined;
  const [first] = items;
  if (items.length === 1 && first?.id !== undefined) return `${size} ${first.id}`;
  const hash = createHash('sha256');
  for (const item of items) {
    if (item.id === undefined) hash.update(`hole ${item.hole} `);
    else hash.update(`${item.length} `).update(item.id, 'latin1');
  }
  return `${size} ${hash.digest('hex')}`;
}

/** A file on one side only. */
export interface Stray {
  readonly change: Change;
  readonly entry: Entry;
  readonly key: string;
}

/**
 * Which of the removed files became which of the added ones, by the path of the added one. Of several with one content those
 * of the same name belong together, then those that come first; what is left over was added or removed.
 */
export function pairMoves(removed: readonly Stray[], added: readonly Stray[]): ReadonlyMap<string, Stray> {
  const gone = new Map<string, Stray[]>();
  for (const stray of removed) {
    const same = gone.get(stray.key);
    if (same === undefined) gone.set(stray.key, [stray]);
    else same.push(stray);
  }
  const moves = new Map<string, Stray>();
  const pair = (to: Stray, choose: (candidates: readonly Stray[]) => number): void => {
    const candidates = gone.get(to.key);
    if (candidates === undefined || moves.has(to.change.path)) return;
    const chosen = choose(candidates);
    if (chosen === -1) return;
    moves.set(to.change.path, candidates[chosen]!);
    candidates.splice(chosen, 1);
  };
  for (const to of added) {
    pair(to, (candidates) =>
      candidates.findIndex(({ change }) => nameOf(change.path) === nameOf(to.change.path)),
    );
  }
  for (const to of added) pair(to, (candidates) => (candidates.length > 0 ? 0 : -1));
  return moves;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
