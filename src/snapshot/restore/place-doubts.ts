import type { BlockPlace } from './window.js';

/** Bad reads of one place, each by itself, after which nothing more is expected of it. */
const CONDEMNED = 2;

/**
 * What is known against blocks and the chunks in them. One bad read may be the fault of the way, not of the medium: a block
 * that failed among others is in doubt, and is condemned only when it fails again by itself.
 */
export class PlaceDoubts {
  private readonly failures = new Map<string, number>();

  /** The best of the places of a chunk; undefined when all are condemned. */
  best(places: readonly BlockPlace[]): BlockPlace | undefined {
    let best: BlockPlace | undefined;
    let least = CONDEMNED;
    for (const place of places) {
      const failures = this.against(place);
      if (failures >= least) continue;
      best = place;
      least = failures;
    }
    return best;
  }

  /** No place has failed. */
  get isEmpty(): boolean {
    return this.failures.size === 0;
  }

  /** Without an ordinal the whole block. A read of several blocks leaves no more than a doubt, however often it fails. */
  failed(isSingle: boolean, pack: number, block: number, ordinal?: number): void {
    const key = keyOf(pack, block, ordinal);
    const before = this.failures.get(key) ?? 0;
    this.failures.set(key, isSingle ? before + 1 : Math.max(before, 1));
  }

  /** Could not be fetched: other places are better, and this one is not condemned for it. */
  doubt(pack: number, block: number): void {
    this.failed(false, pack, block);
  }

  /** Was opened well, when read by itself. */
  opened(pack: number, block: number): void {
    this.failures.delete(keyOf(pack, block));
  }

  private against({ pack, block, ordinal }: BlockPlace): number {
    const ofBlock = this.failures.get(keyOf(pack, block)) ?? 0;
    const ofChunk = this.failures.get(keyOf(pack, block, ordinal)) ?? 0;
    return Math.max(ofBlock, ofChunk);
  }
}

function keyOf(pack: number, block: number, ordinal?: number): string {
  return ordinal === undefined ? `${pack} ${block}` : `${pack} ${block} ${ordinal}`;
}
