import { CbrError } from '../../core/index.js';
import { chunkReader, loadForReading, type ReachVisitor, type Repository } from '../../repo/index.js';
import type { Listener } from '../events.js';
import { treeWalk } from '../prune/reach.js';
import type { Snapshot } from '../snapshot-record.js';
import { ChunkOwners, type Footprint, MOST_OWNERS } from './chunk-owners.js';

export interface MeasureOptions {
  readonly signal: AbortSignal;
  readonly listener: Listener;
}

/** Between two words about the progress within a snapshot. */
const STEPS_PER_WORD = 256;

/**
 * What each of the groups of snapshots reaches and no snapshot of another group does: what would be free if it were forgotten
 * and pruned while the others stay. Of a single group that is all it reaches. Reads all their trees, those that several
 * share no more than twice. Rejects with DamagedError when one cannot be read, and with `limit` when there are too many groups.
 */
export async function measureSnapshots(
  repository: Repository,
  groups: readonly (readonly Snapshot[])[],
  { signal, listener }: MeasureOptions,
): Promise<readonly Footprint[]> {
  if (groups.length > MOST_OWNERS) {
    throw new CbrError('limit', `at most ${MOST_OWNERS} snapshots can be told apart`, {
      hint: 'Choose fewer of them.',
    });
  }
  const reader = chunkReader(repository, await loadForReading(repository));
  const owners = new ChunkOwners(repository.cache, groups.length);
  const walk = treeWalk();
  const total = groups.reduce((sum, group) => sum + group.length, 0);
  let done = 0;
  for (const [i, group] of groups.entries()) {
    for (const { id, root } of group) {
      let steps = 0;
      const tell = (): void =>
        listener({
          type: 'progress',
          phase: 'measure',
          files: done,
          totalFiles: total,
          bytes: 0,
          current: id,
        });
      const visitor: ReachVisitor = {
        see: (kind, reference) => owners.see(i + 1, kind, reference),
        read: (reference) => {
          signal.throwIfAborted();
          if (steps++ % STEPS_PER_WORD === 0) tell();
          return reader.read('tree', reference.id, reference.length);
        },
      };
      await walk(root, visitor);
      done++;
    }
  }
  return groups.map((_, i) => owners.ofOwner(i + 1));
}
