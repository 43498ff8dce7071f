import { CHUNK_ID_BYTES, type ChunkId, chunkIdAt } from '../../core/index.js';
import { STAT_CHANGE_BYTES, type StatTable } from '../../fs/index.js';
import type { ChunkReference } from '../entry.js';

/**
 * What change detection keeps of one directory: the tree it became, and for each entry its name and the part of its stat
 * row that changes with it. Two lists are equal byte for byte exactly when nothing below the directory itself changed.
 *
 * Layout: tree id (32 bytes), tree length (u32), then per entry: name length (u16), name, 72 bytes of stat row.
 */

const HEAD_BYTES = CHUNK_ID_BYTES + 4;
const CTIME = 32;
const CTIME_BYTES = 12;
const INODE = 16;
const INODE_BYTES = 8;

/** How change detection tells whether an entry is as it was. */
export interface ChangeRules {
  /** False where inode numbers do not last: they are not compared. */
  readonly keepInodes: boolean;
  /** False where ctimes change by themselves: they are not compared. */
  readonly keepCtimes: boolean;
  /** Content is as it was when size, mtime and inode are, whatever else changed. */
  readonly trustMtime: boolean;
}

/** Forgets what the rules do not compare, of the row at `at`. */
function maskRow(list: Buffer, at: number, { keepInodes, keepCtimes }: ChangeRules): void {
  if (!keepInodes) list.fill(0, at + INODE, at + INODE + INODE_BYTES);
  if (!keepCtimes) list.fill(0, at + CTIME, at + CTIME + CTIME_BYTES);
}

/** An entry that was being changed while it was looked at may look the same the next time: it is read again. */
const RACY_SECONDS = 2;

/** Builds the list of one directory. Used again for the next one. */
export class FolderListBuilder {
  private bytes = Buffer.allocUnsafe(64 * 1024);
  private length = 0;

  constructor(private readonly rules: ChangeRules) {}

  reset(): void {
    this.length = 0;
  }

  /** Appends one entry and returns where its stat row begins. */
  add(name: string, stats: StatTable, row: number): number {
    const needed = this.length + 2 + name.length + STAT_CHANGE_BYTES;
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafe(2 * needed);
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    }
    this.bytes.writeUInt16LE(name.length, this.length);
    this.bytes.write(name, this.length + 2, name.length, 'latin1');
    const at = this.length + 2 + name.length;
    stats.copyChangeBytes(row, this.bytes, at);
    maskRow(this.bytes, at, this.rules);
    this.length = needed;
    return at;
  }

  /** The list so far; valid until the next `add` or `reset`. */
  get list(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

/** Makes an entry of a list differ from whatever is seen next time, so that it is read again. */
export function markForReading(list: Buffer, at: number): void {
  list.fill(0xff, at + CTIME, at + CTIME + CTIME_BYTES);
}

/** Puts the row that was true when the content was read in place of the one from the scan. */
export function replaceRow(list: Buffer, at: number, row: Uint8Array, rules: ChangeRules): void {
  list.set(row.subarray(0, STAT_CHANGE_BYTES), at);
  maskRow(list, at, rules);
}

/** Whether an entry changed so recently before `seconds` (or in its future) that a later change could go unseen. */
export function isRacy(list: Buffer, at: number, seconds: number): boolean {
  const ctime = Number(list.readBigInt64LE(at + CTIME));
  const mtime = Number(list.readBigInt64LE(at + CTIME + 16));
  return Math.max(ctime, mtime) >= seconds - RACY_SECONDS;
}

/** The places of a row in which a change of content alone shows: the file type, inode, size and mtime. */
const CONTENT_PLACES = [
  [INODE, INODE + INODE_BYTES + 8],
  [CTIME + 16, CTIME + 28],
] as const;
const MODE = 12;
const TYPE_BITS = 0o170000;
const FOLDER_TYPE = 0o040000;

/**
 * Whether a row of an earlier list differs from the one at `at` at most in what is not content: owner, permissions, number
 * of names and ctime. Never so for one that was marked for reading.
 */
export function differsInMetadataOnly(old: Buffer, list: Buffer, at: number): boolean {
  const type = old.readUInt32LE(MODE) & TYPE_BITS;
  if (type !== (list.readUInt32LE(at + MODE) & TYPE_BITS) || isMarked(old)) return false;
  return CONTENT_PLACES.every(([start, end]) => old.compare(list, at + start, at + end, start, end) === 0);
}

function isMarked(row: Buffer): boolean {
  return row.subarray(CTIME, CTIME + CTIME_BYTES).every((byte) => byte === 0xff);
}

export function encodeFolderState(tree: ChunkReference, list: Uint8Array): Buffer {
  const state = Buffer.allocUnsafe(HEAD_BYTES + list.byteLength);
  state.write(tree.id, 0, CHUNK_ID_BYTES, 'latin1');
  state.writeUInt32LE(tree.length, CHUNK_ID_BYTES);
  state.set(list, HEAD_BYTES);
  return state;
}

/** The tree that a stored state names. */
export function stateTree(state: Uint8Array): ChunkReference {
  const length = new DataView(state.buffer, state.byteOffset).getUint32(CHUNK_ID_BYTES, true);
  return { id: chunkIdAt(state) as ChunkId, length };
}

/** The list of a stored state; shares its memory. */
export function stateList(state: Uint8Array): Buffer {
  return Buffer.from(state.buffer, state.byteOffset + HEAD_BYTES, state.byteLength - HEAD_BYTES);
}

/** The rows of a list by name; views of its memory. */
export function listRows(list: Buffer): Map<string, Buffer> {
  const rows = new Map<string, Buffer>();
  for (let at = 0; at + 2 <= list.length; ) {
    const nameLength = list.readUInt16LE(at);
    const row = at + 2 + nameLength;
    rows.set(list.toString('latin1', at + 2, row), list.subarray(row, row + STAT_CHANGE_BYTES));
    at = row + STAT_CHANGE_BYTES;
  }
  return rows;
}

/** Marks the entries of a list, folders apart, that changed at or after a moment in milliseconds since 1970. */
export function markRowsSince(list: Buffer, milliseconds: number): void {
  for (let at = 0; at + 2 <= list.length; ) {
    const row = at + 2 + list.readUInt16LE(at);
    const isFolder = (list.readUInt32LE(row + MODE) & TYPE_BITS) === FOLDER_TYPE;
    const changed = Math.max(timeAt(list, row + CTIME), timeAt(list, row + CTIME + 16));
    if (!isFolder && changed >= milliseconds) markForReading(list, row);
    at = row + STAT_CHANGE_BYTES;
  }
}

function timeAt(list: Buffer, at: number): number {
  return Number(list.readBigInt64LE(at)) * 1000 + list.readUInt32LE(at + 8) / 1e6;
}

/** Whether a row of a list is that of a directory. */
export function isFolderRow(row: Buffer): boolean {
  return (row.readUInt32LE(MODE) & TYPE_BITS) === FOLDER_TYPE;
}
