import { isAscii, isUtf8 } from 'node:buffer';
import { fromLatin1 } from '../../core/index.js';
import { TYPE_MODES } from '../../fs/index.js';
import type { Entry, TimeStamp } from '../entry.js';

/** The records of a zip archive (PKWARE APPNOTE 6.3; times and owners in the extra fields of Info-ZIP). */

/** Values that mean: see the zip64 extra field. */
const MAX_16 = 0xffff;
const MAX_32 = 0xffffffff;
const UTF8_NAME = 1 << 11;
const SIZES_FOLLOW = 1 << 3;
/** Made on Unix, by the rules of version 6.3. */
const MADE_BY = (3 << 8) | 63;
const NEEDS_DEFLATE = 20;
const NEEDS_ZIP64 = 45;
const DOS_FOLDER = 0x10;

export const STORED = 0;
export const DEFLATED = 8;

/** A member of a zip archive. Sizes in bytes; those that are not known before the content come behind it. */
export interface ZipMember {
  /** Raw bytes as latin1; a folder's ends with '/'. */
  readonly name: string;
  readonly entry: Entry;
  readonly method: typeof STORED | typeof DEFLATED;
  readonly sizesFollow: boolean;
  /** Sizes have 8 bytes. */
  readonly isLarge: boolean;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
}

/** Minutes east of UTC: the zone of the dates that zip has from DOS. Exact times are in UTC, in an extra field. */
export interface ZipZone {
  readonly zoneOffset: number;
}

function nameFlags(name: Buffer): number {
  return !isAscii(name) && isUtf8(name) ? UTF8_NAME : 0;
}

function common(member: ZipMember, name: Buffer, zone: ZipZone): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt16LE(member.isLarge ? NEEDS_ZIP64 : NEEDS_DEFLATE, 0);
  bytes.writeUInt16LE(nameFlags(name) | (member.sizesFollow ? SIZES_FOLLOW : 0), 2);
  bytes.writeUInt16LE(member.method, 4);
  bytes.writeUInt32LE(dosTime(member.entry.mtime, zone), 6);
  return bytes;
}

function numbers(...values: readonly (readonly [value: number, bytes: 2 | 4 | 8])[]): Buffer {
  const bytes = Buffer.alloc(values.reduce((sum, [, width]) => sum + width, 0));
  let at = 0;
  for (const [value, width] of values) {
    if (width === 8) bytes.writeBigUInt64LE(BigInt(value), at);
    else bytes.writeUIntLE(value, at, width);
    at += width;
  }
  return bytes;
}

/** What stands in front of the content. */
export function localRecord(member: ZipMember, zone: ZipZone): Buffer {
  const name = fromLatin1(member.name);
  const [crc, packed, size] = member.sizesFollow ? [0, 0, 0] : [member.crc, member.packed, member.size];
  const { isLarge } = member;
  const zip64 = isLarge ? numbers([0x0001, 2], [16, 2], [size, 8], [packed, 8]) : Buffer.alloc(0);
  const extra = Buffer.concat([zip64, timeExtra(member.entry.mtime), ownerExtra(member.entry)]);
  const head = numbers([0x04034b50, 4]);
  const sizes = numbers([crc, 4], [isLarge ? MAX_32 : packed, 4], [isLarge ? MAX_32 : size, 4]);
  const lengths = numbers([name.length, 2], [extra.length, 2]);
  return Buffer.concat([head, common(member, name, zone), sizes, lengths, name, extra]);
}

/** What follows the content where its sizes were not known before. */
export function sizesRecord({ crc, packed, size, isLarge }: ZipMember): Buffer {
  const width = isLarge ? 8 : 4;
  return numbers([0x08074b50, 4], [crc, 4], [packed, width], [size, width]);
}

/** What the directory at the end says of a member that begins at `offset`. */
export function directoryRecord(member: ZipMember, offset: number, zone: ZipZone): Buffer {
  const { crc, packed, size, entry } = member;
  const name = fromLatin1(member.name);
  const isFar = offset >= MAX_32;
  const large: (readonly [number, 8])[] = [];
  if (member.isLarge) large.push([size, 8], [packed, 8]);
  if (isFar) large.push([offset, 8]);
  const zip64 = large.length === 0 ? Buffer.alloc(0) : numbers([0x0001, 2], [8 * large.length, 2], ...large);
  const extra = Buffer.concat([zip64, timeExtra(entry.mtime), ownerExtra(entry)]);
  const unixMode = (TYPE_MODES[entry.type] | entry.mode) & 0xffff;
  const attributes = unixMode * 2 ** 16 + (entry.type === 'directory' ? DOS_FOLDER : 0);
  return Buffer.concat([
    numbers([0x02014b50, 4], [MADE_BY, 2]),
    common(member, name, zone),
    numbers([crc, 4], [member.isLarge ? MAX_32 : packed, 4], [member.isLarge ? MAX_32 : size, 4]),
    numbers([name.length, 2], [extra.length, 2], [0, 2], [0, 2], [0, 2], [attributes, 4]),
    numbers([isFar ? MAX_32 : offset, 4]),
    name,
    extra,
  ]);
}

/** The end of the archive: `members` records of `bytes` in all, which begin at `offset`. */
export function endRecords(members: number, offset: number, bytes: number): Buffer {
  const isLarge = members >= MAX_16 || offset >= MAX_32 || bytes >= MAX_32;
  const zip64 = isLarge
    ? Buffer.concat([
        numbers([0x06064b50, 4], [44, 8], [MADE_BY, 2], [NEEDS_ZIP64, 2], [0, 4], [0, 4]),
        numbers([members, 8], [members, 8], [bytes, 8], [offset, 8]),
        numbers([0x07064b50, 4], [0, 4], [offset + bytes, 8], [1, 4]),
      ])
    : Buffer.alloc(0);
  const count = Math.min(members, MAX_16);
  return Buffer.concat([
    zip64,
    numbers([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2]),
    numbers([Math.min(bytes, MAX_32), 4], [Math.min(offset, MAX_32), 4], [0, 2]),
  ]);
}

/** "UT": when it was modified, in UTC; nothing for what not every reader takes for the same. */
function timeExtra({ seconds }: TimeStamp): Buffer {
  if (seconds < 0 || seconds >= 2 ** 31) return Buffer.alloc(0);
  const bytes = numbers([0x5455, 2], [5, 2], [1, 2], [0, 4]).subarray(0, 9);
  bytes.writeUInt8(1, 4);
  bytes.writeInt32LE(seconds, 5);
  return bytes;
}

/** "ux": the numbers of its owner and group. */
function ownerExtra({ uid, gid }: Entry): Buffer {
  const bytes = Buffer.alloc(15);
  bytes.writeUInt16LE(0x7875, 0);
  bytes.writeUInt16LE(11, 2);
  bytes.writeUInt8(1, 4);
  bytes.writeUInt8(4, 5);
  bytes.writeUInt32LE(uid, 6);
  bytes.writeUInt8(4, 10);
  bytes.writeUInt32LE(gid, 11);
  return bytes;
}

const FIRST_YEAR = 1980;
const LAST_YEAR = 2107;

/** Date and time of DOS, time below: from 1980 to 2107, in steps of two seconds. */
function dosTime({ seconds }: TimeStamp, { zoneOffset }: ZipZone): number {
  const wall = new Date((seconds + 60 * zoneOffset) * 1000);
  const year = wall.getUTCFullYear();
  if (!(year >= FIRST_YEAR)) return (1 << 21) | (1 << 16);
  if (year > LAST_YEAR) return 0xff9f * 2 ** 16 + 0xbf7d;
  const date = ((year - FIRST_YEAR) << 9) | ((wall.getUTCMonth() + 1) << 5) | wall.getUTCDate();
  const time = (wall.getUTCHours() << 11) | (wall.getUTCMinutes() << 5) | (wall.getUTCSeconds() >> 1);
  return (date * 2 ** 16 + time) >>> 0;
}
