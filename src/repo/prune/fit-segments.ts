import type { ObjectDigest } from '../../core/index.js';

/** An index segment, as far as it matters for room. */
export interface SizedSegment {
  readonly name: ObjectDigest;
  /** Stored bytes. */
  readonly size: number;
  /** Numbers of the packs it names. */
  readonly packs: readonly number[];
}

/**
 * Which condemned packs cannot go for want of room: a segment that names one has to be written anew without it, before anything
 * is removed, unless all its packs go. Small segments first, so that as many as possible can. Pure. Returns numbers of packs.
 */
export function withoutRoom(
  condemned: ReadonlySet<number>,
  segments: readonly SizedSegment[],
  roomBytes: number,
): Set<number> {
  const stay = new Set<number>();
  const touched = segments
    .filter(({ packs }) => packs.some((number) => condemned.has(number)))
    .filter(({ packs }) => !packs.every((number) => condemned.has(number)))
    .sort((a, b) => a.size - b.size);
  let left = roomBytes;
  for (const { size, packs } of touched) {
    left -= size;
    if (left < 0) for (const number of packs) if (condemned.has(number)) stay.add(number);
  }
  // What stays may keep a segment from going whole that was counted on.
  if (stay.size === 0) return stay;
  const rest = new Set([...condemned].filter((number) => !stay.has(number)));
  return rest.size === 0 ? stay : new Set([...stay, ...withoutRoom(rest, segments, roomBytes)]);
}
