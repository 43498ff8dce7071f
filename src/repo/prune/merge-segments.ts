import { CbrError, type ObjectDigest, readAhead } from '../../core/index.js';
import type { CachedPack, CachedSegment } from '../cache/index.js';
import type { IndexSegment } from '../index-segment.js';
import { readSegment } from '../index-sync.js';
import { encodeSegment } from '../segment-codec.js';
import { MergedRows } from './merged-rows.js';
import { type PruneRun, stopIfAborted } from './prune-run.js';

/** A segment of fewer stored bytes is small: a full one has some 7 MB. */
const SMALL_BYTES = 2 ** 20;
/** So many small segments are merged though none of them has to go: fewer would be rewritten again every night. */
const MANY_SMALL = 10;

/** Each takes up to 30 MB of memory while it waits. */
const SEGMENTS_AHEAD = 2;

/** A segment that was counting is gone: the sweep of the epoch before goes on beside this prune (rule 27). */
export class SegmentGone extends CbrError {
  constructor(name: ObjectDigest) {
    super('backend', `index/${name} is gone, and was there a moment ago`, { hint: 'Prune again.' });
  }
}

export interface MergedSegments {
  /** To be removed after the close; all that counts of them is in those written, or swept. */
  readonly dropped: readonly ObjectDigest[];
  /** Durable. */
  readonly written: readonly ObjectDigest[];
  readonly bytesWritten: number;
}

/** Which of the counting segments go: all that name a pack that is swept, and small ones where there are many. Pure. */
export function segmentsToDrop(
  segments: ReadonlyMap<ObjectDigest, CachedSegment>,
  sizes: ReadonlyMap<ObjectDigest, number>,
  swept: Iterable<CachedPack>,
  untouched: ReadonlySet<ObjectDigest> = new Set(),
): ObjectDigest[] {
  const touched = new Set([...swept].flatMap((pack) => pack.segments));
  const forced: ObjectDigest[] = [];
  const small: ObjectDigest[] = [];
  for (const [name, { number }] of segments) {
    if (untouched.has(name)) continue;
    if (touched.has(number)) forced.push(name);
    else if ((sizes.get(name) ?? SMALL_BYTES) < SMALL_BYTES) small.push(name);
  }
  return forced.length > 0 || small.length >= MANY_SMALL ? [...forced, ...small] : [];
}

/**
 * P9: writes merged segments of the epoch, without the packs that are swept, for the counting segments that are to be dropped.
 * Rejects with SegmentGone when the repository has to be read again first.
 */
export async function mergeSegments(
  run: PruneRun,
  epoch: number,
  sizes: ReadonlyMap<ObjectDigest, number>,
  swept: ReadonlySet<ObjectDigest>,
  /** Packs that merged segments do not name either, and segments that are left as they are. */
  also: { readonly leftOut?: ReadonlySet<ObjectDigest>; readonly untouched?: ReadonlySet<ObjectDigest> } = {},
): Promise<MergedSegments> {
  const { cache, backend, records } = run.repository;
  const sweptPacks = [...swept].map((name) => cache.packNamed(name)).filter((pack) => pack !== undefined);
  const dropped = segmentsToDrop(cache.segments(), sizes, sweptPacks, also.untouched);
  const written: ObjectDigest[] = [];
  let bytesWritten = 0;
  const write = async (segment: IndexSegment): Promise<void> => {
    const { name, bytes } = encodeSegment(segment, records.keys, records.compression);
    await backend.write('index', name, bytes);
    bytesWritten += bytes.byteLength;
    written.push(name);
  };
  const stays = (pack: ObjectDigest): boolean => !swept.has(pack) && also.leftOut?.has(pack) !== true;
  const rows = new MergedRows({ kind: 'prune', epoch });
  const segments = readAhead(dropped, SEGMENTS_AHEAD, (name) => wholeSegment(run, name));
  for await (const segment of segments) {
    stopIfAborted(run);
    // Also rows of a pack that is not listed just now: nothing is known of why.
    for (const full of rows.add(segment, stays)) await write(full);
  }
  for (let rest = rows.finish(); rest !== undefined; rest = rows.finish()) await write(rest);
  return { dropped, written, bytesWritten };
}

async function wholeSegment({ repository }: PruneRun, name: ObjectDigest): Promise<IndexSegment> {
  const damaged: CbrError[] = [];
  const segment = await readSegment(repository, name, damaged);
  if (segment !== undefined) return segment;
  throw damaged[0] ?? new SegmentGone(name);
}
