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

/** An entry that was being changed while it was looked at may look the same the next time: it is read again. */
const RACY_SECONDS = 2;

/** Builds the list of one directory. Used again for the next one. */
export class FolderListBuilder {
  private bytes = Buffer.allocUnsafe(64 * 1024);
  private length = 0;

  /** `keepInodes`: false on file systems whose inode numbers do not last. */
  constructor(private readonly keepInodes: boolean) {}

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
    if (!this.keepInodes) this.bytes.fill(0, at + INODE, at + INODE + INODE_BYTES);
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
export function replaceRow(list: Buffer, at: number, row: Uint8Array, keepInodes: boolean): void {
  list.set(row.subarray(0, STAT_CHANGE_BYTES), at);
  if (!keepInodes) list.fill(0, at + INODE, at + INODE + INODE_BYTES);
}

/** Whether an entry changed so recently before `seconds` (or in its future) that a later change could go unseen. */
export function isRacy(list: Buffer, at: number, seconds: number): boolean {
  const ctime = Number(list.readBigInt64LE(at + CTIME));
  const mtime = Number(list.readBigInt64LE(at + CTIME + 16));
  return Math.max(ctime, mtime) >= seconds - RACY_SECONDS;
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

const MODE = 12;

/** Whether a row of a list is that of a directory. */
export function isFolderRow(row: Buffer): boolean {
  return (row.readUInt32LE(MODE) & 0o170000) === 0o040000;
}
