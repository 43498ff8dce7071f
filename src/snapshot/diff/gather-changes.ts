import type { Entry } from '../entry.js';
import { type Change, changeOf, differingAspects, type IdOfValue, isTimesOnly } from './change.js';
import { contentKey, pairMoves, type Stray } from './moves.js';

/** What one path is on two sides. */
export interface ComparedPair {
  readonly path: string;
  readonly before?: Entry | undefined;
  readonly after?: Entry | undefined;
  /** Of files on both sides, where their chunks do not tell. */
  readonly isSameContent?: boolean;
}

export interface GatherOptions<Pair extends ComparedPair> {
  readonly idOf: IdOfValue;
  /** Whether changes of times alone count. */
  readonly times: boolean;
  /** Changes that are held until all are known, so that what was moved is found: about 1 KB each. */
  readonly held: number;
  /**
   * The key (`contentKey`) of an added file whose content is not known, out of the keys of removed files of its size; by
   * default that of its own content.
   */
  readonly keyOf?: (added: Pair, candidates: ReadonlyMap<string, Entry>) => Promise<string | undefined>;
}

export const HELD_CHANGES = 200_000;

/** Changes in the order of their paths. */
export interface ChangeBatch {
  readonly changes: readonly Change[];
  /** There were more than could be held: what was moved between this batch and others is told as removed and added. */
  readonly isCut: boolean;
}

/**
 * The changes that pairs make, in their order; a moved file where it is now. All come at the end in one batch, unless there
 * are too many: then those so far are one, and every further batch stands for itself.
 */
export async function* gatherChanges<Pair extends ComparedPair>(
  pairs: AsyncIterable<readonly Pair[]>,
  options: GatherOptions<Pair>,
): AsyncGenerator<ChangeBatch> {
  let held = new HeldChanges(options);
  let isCut = false;
  for await (const batch of pairs) {
    for (const pair of batch) held.add(pair);
    if (held.count < options.held) continue;
    isCut = true;
    yield { changes: await held.finish(), isCut };
    held = new HeldChanges(options);
  }
  yield { changes: await held.finish(), isCut };
}

class HeldChanges<Pair extends ComparedPair> {
  private readonly changes: Change[] = [];
  private readonly removed: Stray[] = [];
  private readonly removedBySize = new Map<number, Map<string, Entry>>();
  private readonly added: { readonly change: Change; readonly pair: Pair; readonly entry: Entry }[] = [];

  constructor(private readonly its: GatherOptions<Pair>) {}

  get count(): number {
    return this.changes.length;
  }

  add(pair: Pair): void {
    const { path, before, after, isSameContent } = pair;
    const change = changeOf(path, before, after, this.its.idOf, isSameContent);
    if (change === undefined || (!this.its.times && isTimesOnly(change))) return;
    this.changes.push(change);
    if (change.kind === 'added' && after?.type === 'file' && after.size !== 0) {
      this.added.push({ change, pair, entry: after });
    }
    const key = change.kind === 'removed' && before !== undefined ? contentKey(before) : undefined;
    if (key === undefined || before?.size === undefined) return;
    this.removed.push({ change, entry: before, key });
    const same = this.removedBySize.get(before.size) ?? new Map<string, Entry>();
    this.removedBySize.set(before.size, same.set(key, before));
  }

  async finish(): Promise<readonly Change[]> {
    const strays = await this.strays();
    const moves = pairMoves(this.removed, strays);
    if (moves.size === 0) return this.changes;
    const gone = new Set([...moves.values()].map(({ change }) => change));
    const arrived = new Map(strays.map(({ change, entry }) => [change, entry]));
    return this.changes
      .filter((change) => !gone.has(change))
      .map((change) => {
        const entry = arrived.get(change);
        const from = entry === undefined ? undefined : moves.get(change.path);
        return entry === undefined || from === undefined ? change : this.moved(change, entry, from);
      });
  }

  private moved(change: Change, entry: Entry, { change: { path: from }, entry: before }: Stray): Change {
    const aspects = differingAspects(before, entry, this.its.idOf, true);
    const { size } = before;
    const sizes = size === undefined ? {} : { sizeBefore: size };
    return { ...change, kind: 'moved', from, aspects, ...sizes };
  }

  /** Added files that hold what a removed one did. */
  private async strays(): Promise<readonly Stray[]> {
    const strays: Stray[] = [];
    for (const { change, pair, entry } of this.added) {
      const candidates = this.removedBySize.get(entry.size ?? 0);
      if (candidates === undefined) continue;
      const { keyOf } = this.its;
      const key = keyOf === undefined ? contentKey(entry) : await keyOf(pair, candidates);
      if (key !== undefined) strays.push({ change, entry, key });
    }
    return strays;
  }
}
