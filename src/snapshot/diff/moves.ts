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

/** Removed files of one content, in their order: each is given out once. */
class Candidates {
  private readonly all: Stray[] = [];
  private readonly byName = new Map<string, { readonly strays: Stray[]; next: number }>();
  private readonly taken = new Set<Stray>();
  private next = 0;

  add(stray: Stray): void {
    this.all.push(stray);
    const name = nameOf(stray.change.path);
    const same = this.byName.get(name);
    if (same === undefined) this.byName.set(name, { strays: [stray], next: 0 });
    else same.strays.push(stray);
  }

  /** The first of that name; before `first` is called. */
  named(name: string): Stray | undefined {
    const same = this.byName.get(name);
    const found = same?.strays[same.next];
    if (same === undefined || found === undefined) return undefined;
    same.next++;
    this.taken.add(found);
    return found;
  }

  first(): Stray | undefined {
    for (let found = this.all[this.next++]; found !== undefined; found = this.all[this.next++]) {
      if (!this.taken.has(found)) return found;
    }
    return undefined;
  }
}

/**
 * Which of the removed files became which of the added ones, by the path of the added one. Of several with one content those
 * of the same name belong together, then those that come first; what is left over was added or removed.
 */
export function pairMoves(removed: readonly Stray[], added: readonly Stray[]): ReadonlyMap<string, Stray> {
  const gone = new Map<string, Candidates>();
  for (const stray of removed) {
    const candidates = gone.get(stray.key) ?? new Candidates();
    gone.set(stray.key, candidates);
    candidates.add(stray);
  }
  const moves = new Map<string, Stray>();
  const pair = (
    { key, change: { path } }: Stray,
    choose: (candidates: Candidates) => Stray | undefined,
  ): void => {
    const candidates = gone.get(key);
    if (candidates === undefined || moves.has(path)) return;
    const chosen = choose(candidates);
    if (chosen !== undefined) moves.set(path, chosen);
  };
  for (const to of added) pair(to, (candidates) => candidates.named(nameOf(to.change.path)));
  for (const to of added) pair(to, (candidates) => candidates.first());
  return moves;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
