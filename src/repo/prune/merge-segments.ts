import { type CbrError, DamagedError, type ObjectDigest } from '../../core/index.js';
import { badPacks } from '../bad-packs.js';
import type { CachedPack, CachedSegment } from '../cache/index.js';
import type { IndexSegment } from '../index-segment.js';
import { readSegment } from '../index-sync.js';
import { encodeSegment } from '../segment-codec.js';
import { numberIn } from './chunk-usage.js';
import type { CondemnedPacks } from './condemned-packs.js';
import { type KeptRows, MergedRows } from './merged-rows.js';
import { type PruneRun, stopIfAborted } from './prune-run.js';

/** A segment of fewer stored bytes is small: a full one has some 7 MB. */
const SMALL_BYTES = 2 ** 20;
/** So many small segments are merged though none of them has to go: fewer would be rewritten again every night. */
const MANY_SMALL = 10;

export interface MergedSegments {
  /** To be removed after the close; all that counts of them is in those written, or swept. */
  readonly dropped: readonly ObjectDigest[];
  /** Durable. */
  readonly written: readonly ObjectDigest[];
  readonly bytesWritten: number;
}

/** Which of the counting segments go: all that name a condemned pack, and small ones where there are many. Pure. */
export function segmentsToDrop(
  segments: ReadonlyMap<ObjectDigest, CachedSegment>,
  sizes: ReadonlyMap<ObjectDigest, number>,
  condemned: Iterable<CachedPack>,
  bad: Iterable<CachedPack>,
): ObjectDigest[] {
  const touched = new Set([...condemned].flatMap((pack) => pack.segments));
  // Of two places of a chunk a merged segment keeps one: it must not be that in a damaged pack.
  const doubtful = new Set([...bad].flatMap((pack) => pack.segments));
  const forced: ObjectDigest[] = [];
  const small: ObjectDigest[] = [];
  for (const [name, { number }] of segments) {
    if (touched.has(number)) forced.push(name);
    else if (!doubtful.has(number) && (sizes.get(name) ?? SMALL_BYTES) < SMALL_BYTES) small.push(name);
  }
  return forced.length > 0 || small.length >= MANY_SMALL ? [...forced, ...small] : [];
}

/** P9: writes merged segments of the epoch, without the packs that are swept, for the counting segments that are to be dropped. */
export async function mergeSegments(
  run: PruneRun,
  epoch: number,
  sizes: ReadonlyMap<ObjectDigest, number>,
  { swept, left }: CondemnedPacks,
): Promise<MergedSegments> {
  const { cache, backend, records } = run.repository;
  const named = (names: Iterable<ObjectDigest>): CachedPack[] =>
    [...names].map((name) => cache.packNamed(name)).filter((pack) => pack !== undefined);
  const segments = cache.segments();
  const doubtful = new Set([...badPacks(cache), ...left]);
  const dropped = segmentsToDrop(segments, sizes, named(swept), named(doubtful));
  const written: ObjectDigest[] = [];
  let bytesWritten = 0;
  const write = async (segment: IndexSegment | undefined): Promise<void> => {
    if (segment === undefined) return;
    const { name, bytes } = encodeSegment(segment, records.keys, records.compression);
    await backend.write('index', name, bytes);
    bytesWritten += bytes.byteLength;
    written.push(name);
  };
  const rows = new MergedRows({ kind: 'prune', epoch });
  const taken = new Uint8Array((cache.chunkNumberLimit >> 3) + 1);
  const row: KeptRows['row'] = (pack, block, ordinal) => {
    const number = numberIn(pack, block, ordinal);
    const [at, bit] = [number >>> 3, 1 << (number & 7)];
    if ((taken[at]! & bit) !== 0) return false;
    taken[at]! |= bit;
    return true;
  };
  // Of two places of a chunk the first one stays: places in damaged packs, and in condemned ones that stay, come last.
  for (const isDoubtful of doubtful.size > 0 ? [false, true] : [false]) {
    for (const name of dropped) {
      stopIfAborted(run);
      const segment = await wholeSegment(run, name);
      const pack: KeptRows['pack'] = ({ name: each }) =>
        swept.has(each) || doubtful.has(each) !== isDoubtful ? undefined : cache.packNamed(each);
      await write(rows.add(segment, { pack, row }));
    }
  }
  await write(rows.finish());
  return { dropped, written, bytesWritten };
}

async function wholeSegment({ repository }: PruneRun, name: ObjectDigest): Promise<IndexSegment> {
  const damaged: CbrError[] = [];
  const segment = await readSegment(repository, name, damaged);
  if (segment !== undefined) return segment;
  throw damaged[0] ?? new DamagedError(`index/${name}`, 'is gone, and was there a moment ago');
}
