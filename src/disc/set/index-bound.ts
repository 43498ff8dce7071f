import { LIMITS } from '../../core/index.js';
import type { PlanPack } from './plan-discs.js';

/** How large index segments can be that are not written yet (docs/format.md, "Index segment"). Pure. */

const ROW_BYTES = 44;
const BLOCK_BYTES = 12;
/** Name, kind and size of a pack with their keys, and the head of its list of blocks. */
const PACK_BYTES = 96;
/** Header, seal, payload, and the keys of the columns. */
const FIXED_BYTES = 512;
/** What Padmé adds at most. */
const PADDED = 1.12;

/** Bytes, at most, of each segment that lists these packs, divided as `buildSegments` does. */
export function segmentBounds(packs: readonly PlanPack[], isPadded: boolean): number[] {
  const bounds: number[] = [];
  let [bytes, chunks] = [0, 0];
  const close = (): void => {
    if (bytes > 0) bounds.push(Math.ceil((bytes + FIXED_BYTES) * (isPadded ? PADDED : 1)));
    [bytes, chunks] = [0, 0];
  };
  for (const pack of packs) {
    if (chunks + pack.chunks > LIMITS.segmentChunks) close();
    bytes += PACK_BYTES + BLOCK_BYTES * pack.blocks + ROW_BYTES * pack.chunks;
    chunks += pack.chunks;
  }
  close();
  return bounds;
}
