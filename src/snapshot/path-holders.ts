import { CbrError } from '../core/index.js';
import type { RawPath } from '../fs/index.js';
import type { Repository } from '../repo/index.js';
import type { ReadTreeChunk } from './content-list.js';
import { listSnapshots } from './list-snapshots.js';
import type { Snapshot } from './snapshot-record.js';
import { findEntry } from './tree.js';

/** Which other snapshots hold a path. */

export interface Holders {
  /** The newest first. */
  readonly earlier: readonly Snapshot[];
  /** The oldest first. */
  readonly later: readonly Snapshot[];
  /** Whether these are all. */
  readonly isWhole: boolean;
}

/** So many are named on each side. */
const MOST_HOLDERS = 4;
/** What answers somebody who mistyped a path must not take longer than that. */
const MOST_SNAPSHOTS = 500;
const MOST_MS = 3000;

/**
 * Looks for a path in the other snapshots of the host, the nearest in time first. Reads the folders on the way to it only, each
 * of them once: most snapshots share them. Those whose folders cannot be read are passed over.
 */
export async function holdersOf(
  repository: Repository,
  snapshot: Snapshot,
  path: RawPath,
  read: ReadTreeChunk,
): Promise<Holders> {
  const { snapshots, damaged } = await listSnapshots(repository);
  const ofHost = snapshots.filter(({ about }) => about.host === snapshot.about.host);
  const at = ofHost.findIndex(({ id }) => id === snapshot.id);
  const sides = [
    { wanted: ofHost.slice(0, Math.max(0, at)).reverse(), found: [] as Snapshot[] },
    { wanted: ofHost.slice(at + 1), found: [] as Snapshot[] },
  ] as const;
  const names = path.split('/').filter((name) => name !== '');
  const seen = new Map<string, boolean>();
  const deadline = performance.now() + MOST_MS;
  let looks = 0;
  let isWhole = damaged.length === 0;
  for (let i = 0; sides.some(({ wanted }) => i < wanted.length); i++) {
    for (const { wanted, found } of sides) {
      const candidate = wanted[i];
      if (candidate === undefined) continue;
      if (found.length === MOST_HOLDERS || looks >= MOST_SNAPSHOTS || performance.now() > deadline) {
        isWhole = false;
        continue;
      }
      looks++;
      const holds = await isIn(candidate, names, read, seen);
      if (holds === undefined) isWhole = false;
      else if (holds) found.push(candidate);
    }
  }
  const [{ found: earlier }, { found: later }] = sides;
  return { earlier, later, isWhole };
}

/** Undefined when nobody can tell. `seen`: what is known of the folders met so far. */
async function isIn(
  { root }: Snapshot,
  names: readonly string[],
  read: ReadTreeChunk,
  seen: Map<string, boolean>,
): Promise<boolean | undefined> {
  const met: string[] = [];
  let holds: boolean | undefined;
  let tree: Snapshot['root'] | undefined = root;
  try {
    for (const [depth, name] of names.entries()) {
      const key: string = `${depth} ${tree.id}`;
      holds = seen.get(key);
      if (holds !== undefined) break;
      met.push(key);
      const entry: Awaited<ReturnType<typeof findEntry>> = await findEntry(tree, name, read);
      const isLast = depth === names.length - 1;
      if (entry !== undefined && isLast) holds = true;
      else if (entry?.tree === undefined) holds = false;
      if (holds !== undefined) break;
      tree = entry!.tree!;
    }
  } catch (error) {
    if (!(error instanceof CbrError)) throw error;
    return undefined;
  }
  if (holds !== undefined) for (const key of met) seen.set(key, holds);
  return holds;
}
