import type { PolicySnapshot, PolicyTime } from './policy-snapshot.js';
import type { TimeZone } from './time-zone.js';

/** What a rule decides about: the whole snapshots of one group that are not dated in the future. */
export interface Subject<S extends PolicySnapshot> {
  /** Newest first. */
  readonly snapshots: readonly S[];
  readonly now: PolicyTime;
  readonly zone: TimeZone;
  /** Says that a snapshot is kept, and why. */
  keep(snapshot: S, reason: string): void;
}
