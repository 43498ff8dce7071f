/** What policies know of a snapshot, and the order in which they see snapshots. */

/** Seconds since 1970, negative before, and nanoseconds above them. */
export interface PolicyTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface PolicySnapshot {
  readonly id: string;
  readonly time: PolicyTime;
  /** What is left out counts as full: no policy forgets that by its age unless it is told to. */
  readonly level?: 'full' | 'diff' | 'incr';
  readonly host?: string;
  readonly paths?: readonly string[];
  readonly job?: string;
  readonly tags?: readonly string[];
  /** Whether a pin holds it now. */
  readonly pinned?: boolean;
  /** It was stopped before it had taken in everything. */
  readonly partial?: boolean;
}

/** Negative when `a` is earlier. */
export function compareTimes(a: PolicyTime, b: PolicyTime): number {
  return a.seconds - b.seconds || a.nanoseconds - b.nanoseconds;
}

/** Newest first; those of the same time in the order of their ids, backwards. */
export function newestFirst<S extends PolicySnapshot>(snapshots: readonly S[]): S[] {
  return [...snapshots].sort(
    (a, b) => compareTimes(b.time, a.time) || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0),
  );
}
