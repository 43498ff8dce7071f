import { randomInt } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  openSync,
  readSync,
  statSync,
} from 'node:fs';

/**
 * What can be known about an LMDB data file without letting LMDB touch it: LMDB maps the file into memory and trusts
 * it, so a short file is a SIGBUS and a damaged one may abort the process.
 */

/** The two pages that describe the database: the one of the higher transaction counts. Layout of lmdb-js 3.5, 64 bit. */
const META_BYTES = 168;
const MAGIC = 0xbeefc0de;
const P_META = 0x08;
/** Where the trees of free pages and of tables are described. */
const FREE_TREE = 48;
const MAIN_TREE = 96;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;
/** LMDB's own bound on the height of a tree (CURSOR_STACK). */
const MOST_DEPTH = 32;

interface Meta {
  readonly pageSize: number;
  readonly lastPage: bigint;
  readonly transaction: bigint;
  readonly isEmpty: boolean;
}

function readMeta(descriptor: number, offset: number): Meta | string {
  const bytes = Buffer.alloc(META_BYTES);
  if (readSync(descriptor, bytes, 0, META_BYTES, offset) !== META_BYTES) return 'its head is cut short';
  if ((bytes.readUInt16LE(18) & P_META) === 0 || bytes.readUInt32LE(24) !== MAGIC)
    return 'its head is damaged';
  const pageSize = bytes.readUInt32LE(48);
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0)
    return 'its page size is wrong';
  const lastPage = bytes.readBigUInt64LE(144);
  for (const tree of [FREE_TREE, MAIN_TREE]) {
    const root = bytes.readBigUInt64LE(tree + 40);
    if (bytes.readUInt16LE(tree + 6) > MOST_DEPTH || (root !== NO_ROOT && (root < 2n || root > lastPage))) {
      return 'its head names impossible pages';
    }
  }
  const isEmpty = bytes.readBigUInt64LE(MAIN_TREE + 40) === NO_ROOT;
  return { pageSize, lastPage, transaction: bytes.readBigUInt64LE(152), isEmpty };
}

function newestMeta(descriptor: number): Meta | string {
  const first = readMeta(descriptor, 0);
  if (typeof first === 'string') return first;
  const second = readMeta(descriptor, first.pageSize);
  if (typeof second === 'string') return second;
  if (second.pageSize !== first.pageSize) return 'its heads disagree';
  return second.transaction > first.transaction ? second : first;
}

function bytesNeeded(meta: Meta): bigint {
  return (meta.lastPage + 1n) * BigInt(meta.pageSize);
}

function withFile<T>(path: string, flags: string, action: (descriptor: number) => T): T {
  const descriptor = openSync(path, flags);
  try {
    return action(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Why the data file must not be opened, or undefined: its head is damaged, or it is shorter than its head says. */
export function faultOf(path: string): string | undefined {
  return withFile(path, 'r', (descriptor) => {
    const meta = newestMeta(descriptor);
    if (typeof meta === 'string') return meta;
    const { size } = fstatSync(descriptor, { bigint: true });
    return size < bytesNeeded(meta) ? `it has ${size} bytes and should have ${bytesNeeded(meta)}` : undefined;
  });
}

/**
 * Makes the file as long as its head says. LMDB does not write the free pages at its end, so a sound file may be
 * shorter; once lengthened by this, a shorter one has lost something. Does nothing to a file with a damaged head.
 */
function lengthenFile(descriptor: number): void {
  const meta = newestMeta(descriptor);
  if (typeof meta === 'string') return;
  const { size } = fstatSync(descriptor, { bigint: true });
  const needed = bytesNeeded(meta);
  // A damaged head may name any number of pages; free pages at the end are never a multiple of the file.
  if (size < needed && needed < 4n * size) ftruncateSync(descriptor, Number(needed));
}

/** As `lengthenFile`, for a file that a killed process left: what is missing is then read as zeros, and found out. */
export function lengthen(path: string): void {
  withFile(path, 'r+', lengthenFile);
}

/** Whether the file holds not even tables: it was left while it was made. */
export function isEmpty(path: string): boolean {
  return withFile(path, 'r', (descriptor) => {
    const meta = newestMeta(descriptor);
    return typeof meta !== 'string' && meta.isEmpty;
  });
}

function fingerprint(stat: { ino: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint }): string {
  return `${stat.ino}.${stat.size}.${stat.mtimeNs}.${stat.ctimeNs}`;
}

/** Changes whenever anybody writes to the file; undefined if there is no file. */
export function fingerprintOf(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat && fingerprint(stat);
}

/** Flushes the closed data file to the disk, brings it to its full length and returns its fingerprint. */
export function settle(path: string): string {
  return withFile(path, 'r+', (descriptor) => {
    lengthenFile(descriptor);
    // A modification time that no later write can give it again, however coarse the clock of the file system is.
    const { mtimeMs, atimeMs } = fstatSync(descriptor);
    futimesSync(descriptor, atimeMs / 1000, mtimeMs / 1000 - 1 - randomInt(1_000_000) / 1e6);
    fsyncSync(descriptor);
    return fingerprint(fstatSync(descriptor, { bigint: true }));
  });
}
