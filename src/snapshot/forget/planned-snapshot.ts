import type { PolicySnapshot } from '../../policy/index.js';
import { isPinned } from '../notes.js';
import { isPartial } from '../snapshot-extensions.js';
import type { Snapshot } from '../snapshot-record.js';

/** A snapshot as policies see it, its paths raw. */
export interface PlannedSnapshot extends PolicySnapshot {
  readonly snapshot: Snapshot;
}

export function plannedSnapshot(snapshot: Snapshot, nowSeconds: number): PlannedSnapshot {
  const { seconds, nanoseconds, level, host, paths, job, tags } = snapshot.about;
  return {
    id: snapshot.id,
    time: { seconds, nanoseconds },
    level,
    host,
    paths,
    tags,
    ...(job === undefined ? {} : { job }),
    pinned: isPinned(snapshot, nowSeconds),
    partial: isPartial(snapshot.about),
    snapshot,
  };
}
