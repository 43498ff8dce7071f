import { constants } from 'node:os';
import { native } from './native.js';

/** Bytes from `start` up to, not including, `end`. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/**
 * Holes below 16 KiB are read as zeros: they cost the repository nothing after compression, while each would split the
 * content into two chunks and add two items to its list.
 */
export const SMALLEST_HOLE = 16 * 1024;

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/**
 * Where a file of `size` bytes holds data, in order; everything else is holes. All of it where the file system or the
 * machine cannot tell. Moves the file position of `fd`: read with explicit positions.
 */
export function dataExtents(fd: number, size: number): readonly Extent[] {
  if (size === 0) return [];
  const whole = [{ start: 0, end: size }];
  const calls = native();
  if (calls === undefined) return whole;
  const firstHole = calls.lseek(fd, 0, SEEK_HOLE);
  if (firstHole < 0 || firstHole >= size) return whole;

  const extents: { start: number; end: number }[] = [];
  let position = 0;
  while (position < size) {
    let start = calls.lseek(fd, position, SEEK_DATA);
    if (start < 0) {
      if (calls.errno() === constants.errno.ENXIO) break; // only a hole is left
      start = position;
    }
    if (start >= size) break;
    const hole = calls.lseek(fd, start, SEEK_HOLE);
    const end = hole <= start || hole > size ? size : hole;
    const last = extents.at(-1);
    const gap = start - (last?.end ?? 0);
    if (gap >= SMALLEST_HOLE || (last === undefined && gap === 0)) extents.push({ start, end });
    else if (last === undefined) extents.push({ start: 0, end });
    else last.end = end;
    position = end;
  }
  const last = extents.at(-1);
  if (last === undefined) return size < SMALLEST_HOLE ? whole : [];
  if (size - last.end < SMALLEST_HOLE) last.end = size;
  return extents;
}
