import { constants } from 'node:os';
import { nativeError, reasonOf } from './file-error.js';
import { cString, type Native, native } from './native.js';
import { once } from './once.js';
import type { Problem } from './problem.js';
import { joinRaw, parentPath, type RawPath } from './raw-path.js';
import { atEntry, type Follow } from './source-path.js';

/** An extended attribute. POSIX ACLs are those named system.posix_acl_access and system.posix_acl_default. */
export interface Xattr {
  /** Raw bytes as latin1 text, with the name space: 'user.comment'. */
  readonly name: string;
  readonly value: Uint8Array;
}

/** The kernel's limit for a list and for a value (XATTR_LIST_MAX, XATTR_SIZE_MAX): one buffer of it always suffices. */
export const XATTR_BYTES = 65_536;

const NONE: readonly Xattr[] = Object.freeze([]);

const scratch = once(() => Buffer.allocUnsafeSlow(XATTR_BYTES));

/**
 * The extended attributes of what is open as `fd`, sorted by name; a value is a copy. What cannot be read becomes a
 * problem of `path`; a file system without attributes has none.
 */
export function readXattrs(fd: number, path: RawPath, problems: Problem[]): readonly Xattr[] {
  const calls = native();
  if (calls === undefined) return NONE;
  const length = calls.flistxattr(fd, scratch(), XATTR_BYTES);
  if (length === 0) return NONE;
  return collect(calls, length, path, problems, (name, into) => calls.fgetxattr(fd, name, into, XATTR_BYTES));
}

/** As `readXattrs`, by path and of a symlink itself. */
export function readXattrsOfPath(
  path: RawPath,
  problems: Problem[],
  follow: Follow = 'above',
): readonly Xattr[] {
  const calls = native();
  if (calls === undefined) return NONE;
  try {
    return atEntry(path, follow, (short) => {
      const place = cString(short);
      const length = calls.llistxattr(place, scratch(), XATTR_BYTES);
      if (length === 0) return NONE;
      return collect(calls, length, path, problems, (name, into) =>
        calls.lgetxattr(place, name, into, XATTR_BYTES),
      );
    });
  } catch (error) {
    problems.push({ path, what: 'xattrs', reason: reasonOf(error) });
    return NONE;
  }
}

/**
 * The extended attributes of entries of one folder, by name and not following symlinks; what cannot be read has none. The
 * folder is opened once for all of them, and no symlink on the way to it is followed.
 */
export function readXattrsIn(folder: RawPath, names: readonly string[]): readonly (readonly Xattr[])[] {
  const calls = native();
  if (calls === undefined || names.length === 0) return names.map(() => NONE);
  try {
    // By way of any name in it: what is opened is the folder.
    return atEntry(joinRaw(folder, names[0]!), 'none', (short) => {
      const place = parentPath(short);
      return names.map((name) => {
        const path = cString(joinRaw(place, name));
        const length = calls.llistxattr(path, scratch(), XATTR_BYTES);
        if (length <= 0) return NONE;
        return collect(calls, length, folder, [], (attribute, into) =>
          calls.lgetxattr(path, attribute, into, XATTR_BYTES),
        );
      });
    });
  } catch {
    return names.map(() => NONE); // whoever reads the entries themselves says what is wrong
  }
}

/** Reads the values of the names that lie in the first `length` bytes of the scratch buffer; a negative one: no list. */
function collect(
  calls: Native,
  length: number,
  path: RawPath,
  problems: Problem[],
  read: (name: Uint8Array, into: Uint8Array) => number,
): readonly Xattr[] {
  const fail = (what: string, call: string): void => {
    problems.push({ path, what, reason: reasonOf(nativeError(call, calls.errno())) });
  };
  if (length < 0) {
    if (!isUnsupported(calls.errno())) fail('xattrs', 'listxattr');
    return NONE;
  }
  const buffer = scratch();
  const names = buffer.toString('latin1', 0, length).split('\0').slice(0, -1).sort();
  const found: Xattr[] = [];
  for (const name of names) {
    const size = read(cString(name), buffer);
    if (size >= 0) found.push({ name, value: Uint8Array.from(buffer.subarray(0, size)) });
    else if (calls.errno() !== constants.errno.ENODATA) fail(`xattr ${name}`, 'getxattr');
  }
  return found;
}

/** Whether an errno number says that the file system does not have what was asked for. */
export function isUnsupported(errno: number): boolean {
  const { ENOTSUP, EOPNOTSUPP, ENOTTY, ENOSYS, EINVAL } = constants.errno;
  return [ENOTSUP, EOPNOTSUPP, ENOTTY, ENOSYS, EINVAL].includes(errno);
}
