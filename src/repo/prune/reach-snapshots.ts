import {
  type ChunkId,
  DamagedError,
  decode,
  messageOf,
  type ObjectDigest,
  type SessionId,
  toLatin1,
} from '../../core/index.js';
import type { CachedPack, RepositoryCache } from '../cache/index.js';
import { ChunkReader } from '../chunk-reader.js';
import { ifDamaged } from '../damage.js';
import { readRecord } from '../record-store.js';
import { forgottenRecord, type OutcomeRecord, outcomeRecord } from '../records.js';
import { type RepositoryView, validSnapshots } from '../view.js';
import { ChunkUsage, type PackRank } from './chunk-usage.js';
import type { ReachVisitor, Reference } from './prune-options.js';
import { type PruneRun, stopIfAborted } from './prune-run.js';
import { RecentChunks } from './recent-chunks.js';

/**
 * Of blocks of trees kept open: the folders of a snapshot lie in the packs of all that changed them. Of a hundred snapshots with
 * 2 % changes each, forgotten but for ten, a prune made 7,023 reads with 64 blocks of 256 KiB and 4,197 with 512.
 */
const KEPT_BYTES = 512 * 256 * 1024;

/** Below so many stored bytes of trees threads would take longer to start than to open them. */
const FEW_TREE_BYTES = 32 * 2 ** 20;

function treeBytes(cache: RepositoryCache): number {
  return cache.allPacks().reduce((sum, { kind, size }) => sum + (kind === 'tree' ? size : 0), 0);
}

/** What snapshots reach, as far as they were walked. */
export class ReachedChunks {
  readonly usage: ChunkUsage;

  constructor(
    private readonly run: PruneRun,
    rankOf: PackRank,
  ) {
    this.usage = new ChunkUsage(run.repository.cache, rankOf);
  }

  /** Rejects (damaged) when something cannot be read or is nowhere: then nothing may be removed. */
  async walk(snapshots: ReadonlyMap<SessionId, Reference>): Promise<void> {
    const visitor = this.newVisitor();
    let done = 0;
    for (const [sid, root] of snapshots) {
      this.run.options.onProgress?.({ step: 'reading trees', done: done++, total: snapshots.size });
      stopIfAborted(this.run);
      try {
        await this.run.walk(root, visitor);
      } catch (error) {
        ifDamaged(error);
        throw new DamagedError(`snapshot ${sid.slice(0, 8)}`, `cannot be walked: ${messageOf(error)}`, {
          cause: error,
          hint: 'Nothing was removed. Run: cbr check',
        });
      }
    }
  }

  /** For one walk: what it keeps at hand is given back after it, and places that have gone since the one before are missed. */
  private newVisitor(): ReachVisitor {
    const { run, usage } = this;
    const { backend, keys, algorithms, cache } = run.repository;
    const workers = treeBytes(cache) < FEW_TREE_BYTES ? undefined : run.workers();
    const reader = new ChunkReader(backend, keys, algorithms, cache, async () => false, {
      keptBytes: KEPT_BYTES,
      ...(workers === undefined ? {} : { open: (block) => workers.open(block) }),
    });
    const recent = new RecentChunks(cache.counts().chunks);
    return {
      see: (_, reference) => recent.add(reference.id) && usage.see(reference),
      read: (reference) => {
        stopIfAborted(run);
        return reader.read('tree', reference.id, reference.length);
      },
    };
  }
}

/** L: the roots of the valid snapshots. */
export function validRoots(view: RepositoryView): Map<SessionId, Reference> {
  return new Map([...validSnapshots(view)].map(([sid, outcome]) => [sid, rootOf(sid, outcome)]));
}

/** The roots of forgotten snapshots. Those whose session ended otherwise have none. Rejects when a record cannot be opened. */
export async function forgottenRoots(
  { repository }: PruneRun,
  sids: readonly SessionId[],
): Promise<Map<SessionId, Reference>> {
  const { backend, records } = repository;
  const roots = new Map<SessionId, Reference>();
  for (const sid of sids) {
    const { outcome } = await readRecord(backend, 'forgotten', sid, forgottenRecord, records).catch(
      (cause: unknown) => {
        ifDamaged(cause);
        throw new DamagedError(
          `forgotten/${sid}`,
          'cannot be opened, so nobody can tell whether it is meant',
          {
            cause,
            hint: 'Nothing was removed. If the snapshot is to stay, remove this object. Run: cbr check',
          },
        );
      },
    );
    const decoded = decode(outcomeRecord, outcome, `forgotten/${sid}`);
    if (decoded.outcome === 'commit') roots.set(sid, rootOf(sid, decoded));
  }
  return roots;
}

function rootOf(sid: SessionId, { root }: OutcomeRecord): Reference {
  if (root === undefined) {
    throw new DamagedError(`snapshots/${sid}`, 'names no root tree', {
      hint: 'Nothing was removed. Run: cbr check',
    });
  }
  return { id: toLatin1(root.id) as ChunkId, length: root.length };
}

/** How many chunks of each pack, by its name, are in use, to see later which have become more. */
export function useCounts(usage: ChunkUsage, packs: Iterable<CachedPack>): Map<ObjectDigest, number> {
  return new Map([...packs].map((pack) => [pack.name, usage.use(pack)?.chunks ?? 0]));
}
