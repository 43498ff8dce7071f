import type { BigIntStats } from 'node:fs';
import { type EntryType, entryTypeOf, MODE_BITS, TYPE_MODES } from './entry-type.js';

/** The bytes of one row, and how many of them change detection compares: everything a content change moves. */
export const STAT_ROW_BYTES = 104;
export const STAT_CHANGE_BYTES = 72;

const STRIDE = STAT_ROW_BYTES / 4;

// Places in a row, in 32-bit words. Little endian, as is every platform that Node and this project support.
const NLINK = 0;
const UID = 1;
const GID = 2;
const MODE = 3;
const INO = 4; // u64
const SIZE = 6; // u64
const CTIME = 8; // seconds i64, nanoseconds u32, zero u32
const MTIME = 12; // likewise
const RDEV = 16; // major u32, minor u32
const BTIME = 18; // seconds i64, nanoseconds u32
const MARKS = 21; // bits: see below
const BLOCKS = 22; // u64, of 512 bytes
const DEV = 24; // major u32, minor u32

// What is known of a row beside numbers.
const HAS_BTIME = 0x1;
const TELLS_NODUMP = 0x2;
const NODUMP = 0x4;

/** What a call of statx(2) fills in, and the bit of its mask that says the birth time is known. */
export const STATX_BYTES = 256;
const STATX_BTIME = 0x800;
/** The bit of its attributes, and of the mask of those that the file system tells, for the flag of `chattr +d`. */
const STATX_ATTR_NODUMP = 0x40;

const HIGH = 2 ** 32;

/**
 * What stat tells of many entries, one row each, without an object per entry. A row never changes; `clear` forgets all
 * rows and keeps the memory.
 */
export class StatTable {
  private buffer: Buffer;
  private words: Uint32Array;
  private rows = 0;

  constructor(initialRows = 256) {
    this.buffer = Buffer.allocUnsafeSlow(Math.max(1, initialRows) * STAT_ROW_BYTES);
    this.words = wordsOf(this.buffer);
  }

  get count(): number {
    return this.rows;
  }

  clear(): void {
    this.rows = 0;
  }

  private room(): number {
    const row = this.rows++;
    if (this.rows * STAT_ROW_BYTES > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(this.buffer.length * 2);
      this.buffer.copy(larger);
      this.buffer = larger;
      this.words = wordsOf(larger);
    }
    return row * STRIDE;
  }

  /** Appends what statx(2) found, given as the 32-bit words of its struct. */
  addStatx(found: Uint32Array): void {
    const at = this.room();
    const words = this.words;
    // nlink, uid, gid, mode (16 bits, then zeros), then from word 8 on ino and size
    for (let i = 0; i < 4; i++) words[at + i] = found[4 + i]!;
    for (let i = 4; i < 8; i++) words[at + i] = found[4 + i]!;
    // ctime, mtime and rdev lie side by side in both
    for (let i = 0; i < 10; i++) words[at + CTIME + i] = found[24 + i]!;
    const hasBirth = (found[0]! & STATX_BTIME) !== 0;
    for (let i = 0; i < 3; i++) words[at + BTIME + i] = hasBirth ? found[20 + i]! : 0;
    const tells = (found[14]! & STATX_ATTR_NODUMP) !== 0;
    const isNodump = tells && (found[2]! & STATX_ATTR_NODUMP) !== 0;
    words[at + MARKS] = (hasBirth ? HAS_BTIME : 0) | (tells ? TELLS_NODUMP : 0) | (isNodump ? NODUMP : 0);
    words[at + BLOCKS] = found[12]!;
    words[at + BLOCKS + 1] = found[13]!;
    words[at + DEV] = found[34]!;
    words[at + DEV + 1] = found[35]!;
  }

  /** Appends what node's lstat or fstat found: the same row as `addStatx` makes for the same entry, but for flags. */
  addStats(found: BigIntStats): void {
    const row = this.rows;
    this.room();
    const at = row * STAT_ROW_BYTES;
    const buffer = this.buffer;
    buffer.fill(0, at, at + STAT_ROW_BYTES);
    buffer.writeUInt32LE(Number(found.nlink), at);
    buffer.writeUInt32LE(Number(found.uid), at + UID * 4);
    buffer.writeUInt32LE(Number(found.gid), at + GID * 4);
    buffer.writeUInt32LE(Number(found.mode), at + MODE * 4);
    buffer.writeBigUInt64LE(found.ino, at + INO * 4);
    buffer.writeBigUInt64LE(found.size, at + SIZE * 4);
    writeTime(buffer, at + CTIME * 4, found.ctimeNs);
    writeTime(buffer, at + MTIME * 4, found.mtimeNs);
    writeDevice(buffer, at + RDEV * 4, found.rdev);
    if (found.birthtimeNs > 0n) {
      writeTime(buffer, at + BTIME * 4, found.birthtimeNs);
      buffer.writeUInt32LE(HAS_BTIME, at + MARKS * 4);
    }
    buffer.writeBigUInt64LE(found.blocks, at + BLOCKS * 4);
    writeDevice(buffer, at + DEV * 4, found.dev);
  }

  /** Appends a row that was taken out of a table by `rowBytes`. */
  addRow(bytes: Uint8Array): void {
    const at = this.room() * 4;
    this.buffer.set(bytes.subarray(0, STAT_ROW_BYTES), at);
  }

  /** Appends the row of a device, taken out of a table, as that of a regular file of one name and so many bytes. */
  addAsFile(bytes: Uint8Array, size: number): void {
    const row = this.rows;
    this.addRow(bytes);
    const at = row * STAT_ROW_BYTES;
    const mode = (this.fullMode(row) & MODE_BITS) | TYPE_MODES.file;
    this.buffer.writeUInt32LE(1, at + NLINK * 4);
    this.buffer.writeUInt32LE(mode, at + MODE * 4);
    this.buffer.writeBigUInt64LE(BigInt(size), at + SIZE * 4);
    this.buffer.fill(0, at + RDEV * 4, at + RDEV * 4 + 8);
  }

  /** The bytes of one row; a view, valid until rows are added or cleared. */
  rowBytes(row: number): Buffer {
    return this.buffer.subarray(row * STAT_ROW_BYTES, (row + 1) * STAT_ROW_BYTES);
  }

  /** Copies the bytes that change detection compares (STAT_CHANGE_BYTES) to `target`. */
  copyChangeBytes(row: number, target: Uint8Array, at: number): void {
    const start = row * STAT_ROW_BYTES;
    this.buffer.copy(target, at, start, start + STAT_CHANGE_BYTES);
  }

  /** Whether change detection would see no difference between two rows, of this table and another. */
  sameAs(row: number, other: StatTable, otherRow: number): boolean {
    const a = row * STAT_ROW_BYTES;
    const b = otherRow * STAT_ROW_BYTES;
    return this.buffer.compare(other.buffer, b, b + STAT_CHANGE_BYTES, a, a + STAT_CHANGE_BYTES) === 0;
  }

  private word(row: number, place: number): number {
    return this.words[row * STRIDE + place]!;
  }

  private u64(row: number, place: number): number {
    const at = row * STRIDE + place;
    return this.words[at]! + this.words[at + 1]! * HIGH;
  }

  private i64(row: number, place: number): number {
    const at = row * STRIDE + place;
    return this.words[at]! + (this.words[at + 1]! | 0) * HIGH;
  }

  /** undefined for a type that cbr does not know. */
  type(row: number): EntryType | undefined {
    return entryTypeOf(this.word(row, MODE));
  }

  /** st_mode whole, with the type bits. */
  fullMode(row: number): number {
    return this.word(row, MODE);
  }

  /** Permissions with setuid, setgid and sticky bit. */
  mode(row: number): number {
    return this.word(row, MODE) & MODE_BITS;
  }

  nlink(row: number): number {
    return this.word(row, NLINK);
  }

  uid(row: number): number {
    return this.word(row, UID);
  }

  gid(row: number): number {
    return this.word(row, GID);
  }

  /** In bytes; exact up to 2^53. */
  size(row: number): number {
    return this.u64(row, SIZE);
  }

  /** Allocated space in units of 512 bytes; less than the size says where there may be holes. */
  blocks(row: number): number {
    return this.u64(row, BLOCKS);
  }

  ino(row: number): bigint {
    return this.buffer.readBigUInt64LE(row * STAT_ROW_BYTES + INO * 4);
  }

  /** The inode number as 8 characters of latin1 text, a cheap key within one file system. */
  inodeKey(row: number): string {
    const at = row * STAT_ROW_BYTES + INO * 4;
    return this.buffer.toString('latin1', at, at + 8);
  }

  /** One number for the device the entry lies on; differs where another file system is mounted. */
  device(row: number): number {
    return this.word(row, DEV) * HIGH + this.word(row, DEV + 1);
  }

  /** Seconds since 1970, negative before; the fraction always counts forward from them. */
  mtimeSeconds(row: number): number {
    return this.i64(row, MTIME);
  }

  mtimeNanoseconds(row: number): number {
    return this.word(row, MTIME + 2);
  }

  ctimeSeconds(row: number): number {
    return this.i64(row, CTIME);
  }

  ctimeNanoseconds(row: number): number {
    return this.word(row, CTIME + 2);
  }

  hasBirthTime(row: number): boolean {
    return (this.word(row, MARKS) & HAS_BTIME) !== 0;
  }

  /** Whether it has the flag of `chattr +d`; undefined where the file system, or node, does not tell. */
  isNodump(row: number): boolean | undefined {
    const marks = this.word(row, MARKS);
    return (marks & TELLS_NODUMP) === 0 ? undefined : (marks & NODUMP) !== 0;
  }

  birthSeconds(row: number): number {
    return this.i64(row, BTIME);
  }

  birthNanoseconds(row: number): number {
    return this.word(row, BTIME + 2);
  }

  /** What a device file stands for. */
  rdevMajor(row: number): number {
    return this.word(row, RDEV);
  }

  rdevMinor(row: number): number {
    return this.word(row, RDEV + 1);
  }
}

export function wordsOf(buffer: Buffer): Uint32Array {
  return new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length >>> 2);
}

function writeTime(buffer: Buffer, at: number, sinceEpochNs: bigint): void {
  const billion = 1_000_000_000n;
  const nanoseconds = ((sinceEpochNs % billion) + billion) % billion;
  buffer.writeBigInt64LE((sinceEpochNs - nanoseconds) / billion, at);
  buffer.writeUInt32LE(Number(nanoseconds), at + 8);
}

/** Splits a dev_t as the C library of this system does. */
function writeDevice(buffer: Buffer, at: number, device: bigint): void {
  const linux = process.platform === 'linux';
  const major = linux ? ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n) : (device >> 24n) & 0xffn;
  const minor = linux ? (device & 0xffn) | ((device >> 12n) & 0xffffff00n) : device & 0xffffffn;
  buffer.writeUInt32LE(Number(major), at);
  buffer.writeUInt32LE(Number(minor), at + 4);
}
