import { nativeError, reasonOf } from './file-error.js';
import { native } from './native.js';
import type { Problem } from './problem.js';
import type { RawPath } from './raw-path.js';
import { isUnsupported } from './xattrs.js';

/**
 * The inode flags that chattr can set again, with its letters (FS_*_FL of linux/fs.h). Left out is what describes the
 * file system's own layout (extents, index, inline data, verity, encryption).
 */
const FLAGS: readonly (readonly [letter: string, bit: number])[] = Object.freeze([
  ['s', 0x1],
  ['u', 0x2],
  ['c', 0x4],
  ['S', 0x8],
  ['d', 0x40],
  ['A', 0x80],
  ['m', 0x400],
  ['j', 0x4000],
  ['t', 0x8000],
  ['D', 0x1_0000],
  ['T', 0x2_0000],
  ['C', 0x80_0000],
  ['x', 0x200_0000],
  ['P', 0x2000_0000],
  ['F', 0x4000_0000],
  // These two last: once they are set, nothing else can be.
  ['a', 0x20],
  ['i', 0x10],
]);

/** The flag of `chattr +d`: dump(8) shall leave it out. */
export const NODUMP_FLAG = 0x40;

export const RESTORABLE_FLAGS: number = FLAGS.reduce((mask, [, bit]) => mask | bit, 0);

/** No copy on write, compression, case folding: file systems take them only while a file or folder is empty. */
const BEFORE_CONTENT = 0x80_0000 | 0x4 | 0x4000_0000;

/** FS_IOC_GETFLAGS and FS_IOC_SETFLAGS of the generic 64-bit Linux ABI; the kernel moves 4 bytes in spite of the number. */
const GET_FLAGS = 0x8008_6601;
const SET_FLAGS = 0x4008_6602;

/** The restorable inode flags of what is open as `fd`; 0 where the file system has none or the machine cannot ask. */
export function inodeFlags(fd: number, path: RawPath, problems: Problem[]): number {
  const found = currentFlags(fd);
  if (typeof found === 'number') return found & RESTORABLE_FLAGS;
  if (!found.unsupported) problems.push({ path, what: 'flags', reason: found.reason });
  return 0;
}

/** Sets those of `flags` that need an empty file or folder, so that they hold by the time `setFlags` sets the rest. */
export function setFlagsBeforeContent(fd: number, flags: number): void {
  const wanted = flags & BEFORE_CONTENT;
  if (wanted === 0) return;
  const current = currentFlags(fd);
  if (typeof current === 'number') change(fd, current | wanted); // what fails here is reported by setFlags
}

/**
 * Adds `flags` to what is open as `fd`; those that stay unset become one problem. To be called after everything else: an
 * immutable file can be neither renamed nor linked nor given metadata.
 */
export function setFlags(fd: number, flags: number, path: RawPath, problems: Problem[]): void {
  const wanted = flags & RESTORABLE_FLAGS;
  if (wanted === 0) return;
  const before = currentFlags(fd);
  if (typeof before !== 'number') {
    problems.push({ path, what: 'flags', reason: `${lettersOf(wanted)}: ${before.reason}` });
    return;
  }
  if ((before & wanted) === wanted) return;
  let refusal: string | undefined;
  if (change(fd, before | wanted) !== undefined) {
    // One of them is refused, and the others shall not suffer for it.
    let current = before;
    for (const [, bit] of FLAGS) {
      if ((wanted & ~current & bit) === 0) continue;
      const refused = change(fd, current | bit);
      if (refused === undefined) current |= bit;
      else refusal ??= refused;
    }
  }
  const after = currentFlags(fd); // some file systems accept a flag and ignore it
  const unset = wanted & ~(typeof after === 'number' ? after : 0);
  if (unset === 0) return;
  const reason = `${lettersOf(unset)}: ${refusal ?? 'the file system does not keep it'}`;
  problems.push({ path, what: 'flags', reason });
}

/** Whether what is open as `fd` has not all of `flags`, as far as the file system tells. */
export function lacksFlags(fd: number, flags: number): boolean {
  const found = currentFlags(fd);
  return typeof found === 'number' && (flags & RESTORABLE_FLAGS & ~found) !== 0;
}

interface Refusal {
  readonly unsupported: boolean;
  readonly reason: string;
}

function currentFlags(fd: number): number | Refusal {
  const calls = native();
  if (calls === undefined) return { unsupported: true, reason: 'not possible on this machine' };
  const flags = Buffer.alloc(8);
  if (calls.ioctl(fd, GET_FLAGS, flags) >= 0) return flags.readUInt32LE();
  const errno = calls.errno();
  return { unsupported: isUnsupported(errno), reason: reasonOf(nativeError('ioctl', errno)) };
}

/** Sets all flags at once; the reason if that is refused. */
function change(fd: number, flags: number): string | undefined {
  const calls = native();
  if (calls === undefined) return 'not possible on this machine';
  const argument = Buffer.alloc(8);
  argument.writeUInt32LE(flags >>> 0);
  return calls.ioctl(fd, SET_FLAGS, argument) >= 0
    ? undefined
    : reasonOf(nativeError('ioctl', calls.errno()));
}

function lettersOf(flags: number): string {
  return FLAGS.filter(([, bit]) => (flags & bit) !== 0)
    .map(([letter]) => letter)
    .join('');
}
