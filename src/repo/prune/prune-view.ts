import { CbrError, DamagedError, type ObjectDigest, type SessionId } from '../../core/index.js';
import { type Counting, listPacks, type SyncReport, syncIndex } from '../index-sync.js';
import { isOutdated, memoryFor } from '../load-repository.js';
import type { OutcomeRecord } from '../records.js';
import { neverCounts, type RepositoryView, readView, segmentCounts } from '../view.js';
import { lostOutcomes } from './lost-outcomes.js';
import type { PruneRun } from './prune-run.js';
import { fenceVanished } from './settle-sessions.js';

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
 * segments that count, those of the own epoch among them. Rejects (damaged) when a record is gone or cannot be opened without
 * which nobody can tell what is needed.
 */
export async function readPruneView(
  run: PruneRun,
  own: { readonly epoch: number; readonly segments: ReadonlySet<ObjectDigest> } | undefined,
): Promise<PruneView> {
  const { backend, records, waitingMs } = run.repository;
  // What counted for somebody once may be the only place of something there (docs/protocol.md, V3).
  const isWaiting = waitingMs !== undefined;
  for (let readings = 1; ; readings++) {
    let packs: ReadonlyMap<ObjectDigest, number> = new Map();
    const whole = await readView(backend, records, memoryFor(run.repository), async () => {
      packs = await listPacks(backend);
    });
    const view = withoutAbout(whole);
    refuseUnreadable(view);
    const counts: Counting = (name, author) => {
      const isOwn = author.kind === 'prune' && author.epoch === own?.epoch;
      if (isOwn) return own.segments.has(name);
      return segmentCounts(name, author, view) || (isWaiting && neverCounts(name, author, view));
    };
    // What was listed between marks and index serves here as well: only a prune removes packs: those that a mark
    // condemns, and orphans, which no counting segment names.
    const sync = await syncIndex(run.repository, view, counts, { packs });
    if (readings < MOST_READINGS && (await isOutdated(run.repository, view, sync))) continue;
    if (sync.gone > 0) {
      throw new CbrError('backend', 'index segments are listed again and again that are not there', {
        hint: HINT,
      });
    }
    const lost = await lostOutcomes(run.repository, view, sync);
    if (lost.length === 0) return { view, sync, packs };
    // Fenced once, they are there: a store that goes on hiding them cannot be pruned.
    if (!run.options.acceptVanished || readings > 2 * MOST_READINGS) throw vanished(lost);
    // A dry run changes nothing, and so cannot go on from here.
    if (own === undefined) return { view, sync, packs };
    await fenceVanished(run, lost);
  }
}

/** What snapshots say of themselves, thousands of errors perhaps, need not be held as long as a prune takes. */
function withoutAbout(view: RepositoryView): RepositoryView {
  const outcomes = [...view.outcomes].map(
    ([sid, outcome]) =>
      [sid, outcome instanceof CbrError || outcome.outcome !== 'commit' ? outcome : bare(outcome)] as const,
  );
  return { ...view, outcomes: new Map(outcomes) };
}

function bare({ about: _, root, segments, seen, ...rest }: OutcomeRecord): OutcomeRecord {
  // Copies: parts of a record keep all of it in memory.
  const copies = (each: readonly Uint8Array[]): Uint8Array[] => each.map((bytes) => Uint8Array.from(bytes));
  return {
    ...rest,
    ...(root === undefined ? {} : { root: { ...root, id: Uint8Array.from(root.id) } }),
    segments: copies(segments),
    seen: copies(seen),
  };
}

const HINT = 'Nothing was removed. Run: cbr check';

function vanished(lost: readonly SessionId[]): DamagedError {
  const names = lost.slice(0, 3).map((sid) => `snapshots/${sid}`);
  const more = lost.length > names.length ? ` and ${lost.length - names.length} more` : '';
  return new DamagedError(
    `${names.join(', ')}${more}`,
    'gone, though nobody forgot it: what it needs would be removed',
    {
      hint: 'Put it back from a copy, if there is one. If it is to stay away: cbr prune --accept-vanished',
    },
  );
}

function refuseUnreadable({ outcomes, forgotten, unreadableMarks, unreadableLeases }: RepositoryView): void {
  for (const [sid, outcome] of outcomes) {
    if (!(outcome instanceof CbrError) || forgotten.has(sid)) continue;
    throw new DamagedError(`snapshots/${sid}`, 'cannot be opened, so nobody can tell what it needs', {
      cause: outcome,
      hint: 'Put it back from a copy, if there is one. If not, remove this object, then: cbr prune --accept-vanished',
    });
  }
  for (const [number, lease] of unreadableLeases) {
    throw new DamagedError(
      `leases/prune/${number}`,
      'cannot be opened, so nobody can tell which segments count',
      {
        cause: lease,
        hint: HINT,
      },
    );
  }
  const mark = unreadableMarks[0];
  if (mark !== undefined) {
    throw new CbrError('damaged', `${mark.message}; nobody can tell which packs it condemns`, {
      cause: mark,
      hint: 'If no prune runs anywhere, remove this object and prune again.',
    });
  }
}
