import type { ObjectDigest } from '../../core/index.js';

/** What a pack is to a plan of removals under a waiting period. */
export interface WaitingPack {
  readonly name: ObjectDigest;
  /** Numbers of the segments that name it. */
  readonly segments: readonly number[];
  /** Condemned, or named by nothing that counts: it is only read from. */
  readonly isCondemned: boolean;
}

export interface WaitingRemovals {
  readonly packs: ReadonlySet<ObjectDigest>;
  /** Numbers of segments: all that name one of these packs, and those whose time is over. */
  readonly segments: ReadonlySet<number>;
  /** They could go but for a segment that names something else which no other one names: they wait anew. */
  readonly restarted: ReadonlySet<ObjectDigest>;
}

/**
 * Which packs and segments can go now: V5. Whatever stays must be named by a segment that stays, and what is relied on by one
 * that counts. `removable`: packs whose time is over and of which nothing is in use; `dropped`: segments whose time is over. Pure.
 */
export function planRemovals(
  packs: readonly WaitingPack[],
  counting: ReadonlySet<number>,
  removable: ReadonlySet<ObjectDigest>,
  dropped: ReadonlySet<number>,
): WaitingRemovals {
  const going = new Set(removable);
  const restarted = new Set<ObjectDigest>();
  const kept = new Set<number>();
  for (;;) {
    const segments = new Set([...dropped].filter((number) => !kept.has(number)));
    for (const pack of packs)
      if (going.has(pack.name)) for (const number of pack.segments) segments.add(number);
    const stranded = packs.filter((pack) => !going.has(pack.name) && isStranded(pack, segments, counting));
    if (stranded.length === 0) return { packs: going, segments, restarted };
    for (const { segments: naming } of stranded) for (const number of naming) kept.add(number);
    for (const { name, segments: naming } of packs) {
      if (!going.has(name) || !naming.some((number) => kept.has(number))) continue;
      going.delete(name);
      restarted.add(name);
    }
  }
}

function isStranded(
  { segments: naming, isCondemned }: WaitingPack,
  going: ReadonlySet<number>,
  counting: ReadonlySet<number>,
): boolean {
  if (!naming.some((number) => going.has(number))) return false;
  return !naming.some((number) => !going.has(number) && (isCondemned || counting.has(number)));
}
