import { CbrError, DamagedError, type ObjectDigest, type SessionId } from '../../core/index.js';
import { type SyncReport, syncIndex } from '../index-sync.js';
import { recordMemory } from '../repository.js';
import { type RepositoryView, readView, segmentCounts } from '../view.js';
import type { PruneRun } from './prune-run.js';
import { endUnregistered } from './settle-sessions.js';

/** What a prune knows of the repository after one reading: P2 and P8. */
export interface PruneView {
  readonly view: RepositoryView;
  readonly sync: SyncReport;
  /** K1: packs listed between marks and index, with their stored length. */
  readonly packs: ReadonlyMap<ObjectDigest, number>;
}

/** A view is read again when something in it had gone by the time it was looked at; more often than this is no accident. */
const MOST_READINGS = 5;

/**
 * Reads as rule 8 says, with the packs listed between marks and index, and brings the chunk index in line with exactly the
 * segments that count, those of the own epoch among them. Rejects (damaged) when a record cannot be opened without which
 * nobody can tell what is needed.
 */
export async function readPruneView(
  run: PruneRun,
  own: { readonly epoch: number; readonly segments: ReadonlySet<ObjectDigest> } | undefined,
): Promise<PruneView> {
  const { backend, records, cache } = run.repository;
  for (let readings = 1; ; readings++) {
    const packs = new Map<ObjectDigest, number>();
    const view = await readView(backend, records, recordMemory(cache), async () => {
      for await (const { name, size } of backend.list('packs')) packs.set(name as ObjectDigest, size);
    });
    refuseUnreadable(view);
    const sync = await syncIndex(run.repository, view, (name, author) => {
      const isOwn = author.kind === 'prune' && author.epoch === own?.epoch;
      return isOwn ? own.segments.has(name) : segmentCounts(name, author, view);
    });
    const lost = missingSegments(view, sync, run);
    if (lost && readings < MOST_READINGS) continue;
    // Only with a lease: a dry run changes nothing.
    if (own !== undefined && (await endUnregistered(run, undecidedAuthors(view, sync)))) continue;
    return { view, sync, packs };
  }
}

/** Whether a segment that was listed was gone when it was to be read. */
function missingSegments(
  view: RepositoryView,
  { damaged, uncounted }: SyncReport,
  { repository }: PruneRun,
): boolean {
  const known = repository.cache.segments();
  const unread = [...view.segments.keys()].filter((name) => !known.has(name) && !uncounted.has(name));
  return unread.length > damaged.length;
}

function undecidedAuthors(view: RepositoryView, { uncounted }: SyncReport): Set<SessionId> {
  const authors = new Set<SessionId>();
  for (const author of uncounted.values()) {
    if (author.kind === 'session' && !view.outcomes.has(author.session)) authors.add(author.session);
  }
  return authors;
}

function refuseUnreadable({ outcomes, unreadableMarks }: RepositoryView): void {
  const hint = 'Nothing was removed. Run: cbr check';
  for (const [sid, outcome] of outcomes) {
    if (!(outcome instanceof CbrError)) continue;
    throw new DamagedError(`snapshots/${sid}`, 'cannot be opened, so nobody can tell what it needs', {
      cause: outcome,
      hint,
    });
  }
  const mark = unreadableMarks[0];
  if (mark !== undefined) {
    throw new CbrError('damaged', `${mark.message}; nobody can tell which packs it condemns`, {
      cause: mark,
      hint,
    });
  }
}
