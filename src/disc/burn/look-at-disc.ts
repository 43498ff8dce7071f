import { CbrError, type ErrorCode } from '../../core/index.js';
import { openSectors, type SectorSource } from '../iso/sectors.js';
import type { DiscLabel } from '../label.js';
import { labelOnDisc } from '../label-on-disc.js';
import { SECTOR_BYTES } from '../media.js';
import { runXorriso } from '../xorriso/run-xorriso.js';
import { isBlank, isShared } from './blank-disc.js';
import type { Drive } from './drive.js';

/** What is in a drive before anything is written to it. */
export type DiscThere =
  /** `capacity`: bytes that it holds, 0 when the drive does not tell. */
  | { readonly kind: 'blank'; readonly capacity: number }
  /** A disc of cbr that can be written anew; `isRewritable` is false for one that cannot. */
  | {
      readonly kind: 'ours';
      readonly label: DiscLabel;
      readonly capacity: number;
      readonly isRewritable: boolean;
    }
  | { readonly kind: 'foreign'; readonly what: string };

/** Rejects as `runXorriso`, with BackendError when there is no disc, and as `openSectors`. */
export async function lookAtDisc(
  { device, address, isBurner }: Drive,
  signal: AbortSignal,
): Promise<DiscThere> {
  const said = await runXorriso(['-outdev', address, '-toc'], { what: `cannot look at ${device}`, signal });
  const status = /^Media status : (.*)$/m.exec(said)?.[1] ?? '';
  const media = /^Media current: (.*)$/m.exec(said)?.[1]?.trim() ?? 'unknown media';
  const overall = SECTOR_BYTES * Number(/([0-9]+) overall/.exec(said)?.[1] ?? 0);
  const isOverwritten = /overwrit|DVD\+RW|BD-RE|DVD-RAM/i.test(media);
  const isErased = isOverwritten || /CD-RW|DVD-RW/i.test(media);
  if (status.includes('is blank')) {
    // Of media that can be overwritten it says so of everything that is no ISO 9660: a file system, a partition table.
    if (!isOverwritten || (await withSectors(device, (source) => isBlank(source, isBurner)))) {
      return { kind: 'blank', capacity: overall };
    }
    return { kind: 'foreign', what: 'something that is no disc of cbr' };
  }
  const label = await labelOn(device);
  if (label === undefined) return { kind: 'foreign', what: `something else (${media}, ${status.trim()})` };
  if (!isBurner && (await withSectors(device, isShared))) {
    return { kind: 'foreign', what: 'a partition table beside a disc of cbr' };
  }
  // Of others it tells what is written, not what they hold when they are erased.
  return { kind: 'ours', label, capacity: isOverwritten ? overall : 0, isRewritable: isErased };
}

async function labelOn(device: string): Promise<DiscLabel | undefined> {
  return withSectors(device, async (source) => {
    try {
      return await labelOnDisc(source, device);
    } catch (error) {
      if (!(error instanceof CbrError) || !NO_LABEL.includes(error.code)) throw error;
      return undefined;
    }
  });
}

/** Whatever cannot be read as a disc of cbr may be somebody's. */
const NO_LABEL: readonly ErrorCode[] = ['not-a-repository', 'format', 'damaged', 'limit', 'newer-format'];

async function withSectors<T>(device: string, use: (source: SectorSource) => Promise<T>): Promise<T> {
  const source = await openSectors(device);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}
