import { type ChunkId, toLatin1 } from '../../core/index.js';
import type { FilterRules, RawPath } from '../../fs/index.js';
import { chunkReader, loadForReading, type Repository } from '../../repo/index.js';
import { compareTrees } from '../compare-trees.js';
import type { ReadTreeChunk } from '../content-list.js';
import { type FoundPath, findPath } from '../find-path.js';
import { mayLackOf } from '../held-paths.js';
import type { Snapshot } from '../snapshot-record.js';
import type { IdOfValue } from './change.js';
import { EntryChoice } from './entry-choice.js';
import { type ChangeBatch, type ComparedPair, gatherChanges, HELD_CHANGES } from './gather-changes.js';

/** A snapshot, or a part of it. */
export interface DiffSide {
  readonly snapshot: Snapshot;
  /** As a user wrote it; without one the whole snapshot. */
  readonly path?: string;
}

export interface DiffOptions {
  readonly rules: FilterRules;
  /** Whether changes of times alone count. */
  readonly times: boolean;
  readonly signal: AbortSignal;
  /** See `GatherOptions`. */
  readonly held?: number;
}

/** Is called for each entry that only one side has, and that the other one perhaps could not read: it is no change then. */
export type UnsureListener = (only: 'before' | 'after') => void;

/**
 * The changes from one snapshot to another, or between parts of them, in the order of their paths. Trees that both have are
 * not read. Rejects with `not-found` when there is no such path, and with DamagedError when a tree cannot be read.
 */
export async function* diffSnapshots(
  repository: Repository,
  before: DiffSide,
  after: DiffSide,
  options: DiffOptions,
  unsure: UnsureListener = () => undefined,
): AsyncGenerator<ChangeBatch> {
  const reader = chunkReader(repository, await loadForReading(repository));
  const read: ReadTreeChunk = (reference) => reader.read('tree', reference.id, reference.length);
  const from = await findPath(before.snapshot, before.path, read);
  const to = await findPath(after.snapshot, after.path, read);
  const choice = new EntryChoice(options.rules, to.path as RawPath);
  const chosen = chosenPairs(pairsOf(from, to, read), choice, options.signal);
  yield* gatherChanges(surePairs(chosen, isUnsureOf(before, from, after, to), unsure), {
    idOf: idOfValue(repository),
    times: options.times,
    held: options.held ?? HELD_CHANGES,
  });
}

/** What is compared itself, and what is in it. */
async function* pairsOf(
  before: FoundPath,
  after: FoundPath,
  read: ReadTreeChunk,
): AsyncGenerator<readonly ComparedPair[]> {
  // The root of a snapshot is no entry.
  if (before.entry !== undefined && after.entry !== undefined) {
    yield [{ path: '', before: before.entry, after: after.entry }];
  }
  yield* compareTrees(before.tree, after.tree, read);
}

type IsUnsure = (pair: ComparedPair) => boolean;

/** Whether what one side does not have may have been there when that was taken; undefined where it never may. */
function isUnsureOf(
  before: DiffSide,
  { path: from }: FoundPath,
  after: DiffSide,
  { path: to }: FoundPath,
): IsUnsure | undefined {
  const [beforeLacks, afterLacks] = [mayLackOf(before.snapshot), mayLackOf(after.snapshot)];
  if (beforeLacks === undefined && afterLacks === undefined) return undefined;
  return (pair) => {
    if (pair.before === undefined) return beforeLacks?.(shownPath(from, pair.path)) === true;
    return pair.after === undefined && afterLacks?.(shownPath(to, pair.path)) === true;
  };
}

async function* surePairs(
  pairs: AsyncIterable<readonly ComparedPair[]>,
  isUnsure: IsUnsure | undefined,
  unsure: UnsureListener,
): AsyncGenerator<readonly ComparedPair[]> {
  for await (const batch of pairs) {
    if (isUnsure === undefined) {
      yield batch;
      continue;
    }
    yield batch.filter((pair) => {
      if (!isUnsure(pair)) return true;
      unsure(pair.before === undefined ? 'after' : 'before');
      return false;
    });
  }
}

async function* chosenPairs(
  pairs: AsyncIterable<readonly ComparedPair[]>,
  choice: EntryChoice,
  signal: AbortSignal,
): AsyncGenerator<readonly ComparedPair[]> {
  for await (const batch of pairs) {
    signal.throwIfAborted();
    yield batch.filter(({ path, before, after }) => choice.of(path, (after ?? before)!) === 'chosen');
  }
}

export function idOfValue({ keys }: Repository): IdOfValue {
  const hasher = keys.chunkIds('tree');
  return (value) => toLatin1(hasher.digest(value)) as ChunkId;
}

/** A path as it is shown: absolute. */
export function shownPath(root: string, relative: string): string {
  if (relative === '') return root;
  return root === '/' ? `/${relative}` : `${root}/${relative}`;
}
