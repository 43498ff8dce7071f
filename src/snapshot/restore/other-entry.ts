import { FileError, makeSpecial, makeSymlink, type TargetFolder } from '../../fs/index.js';
import type { Entry } from '../entry.js';

/** `undefined` as errno: this machine has no call for it. */
const NO_PRIVILEGE_OR_ABILITY: ReadonlySet<string | undefined> = new Set([
  'EPERM',
  'EOPNOTSUPP',
  'ENOTSUP',
  'ENOSYS',
  undefined,
]);

/** An entry without content that this user, this machine or this file system cannot hold. */
export class UnmakeableEntry {
  constructor(
    readonly what: string,
    readonly reason: string,
  ) {}
}

/**
 * Makes what is neither a file nor a folder; false if something has its name. Device files are for root, and some file
 * systems hold none of the special ones: as they have no content, nothing is lost with them but themselves. Throws FileError
 * (target) for everything else.
 */
export function makeOther(folder: TargetFolder, entry: Entry): boolean | UnmakeableEntry {
  const { name, type } = entry;
  if (type === 'symlink') return makeSymlink(folder, name, entry.linkTarget!);
  if (type === 'file' || type === 'directory') return false;
  try {
    return makeSpecial(folder, name, type, entry.device);
  } catch (error) {
    if (!(error instanceof FileError) || !NO_PRIVILEGE_OR_ABILITY.has(error.errno)) throw error;
    return new UnmakeableEntry(type, `it cannot be made: ${error.reason}`);
  }
}
