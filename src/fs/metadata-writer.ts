import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { sameBytes } from '../core/index.js';
import type { EntryMetadata, FileTime } from './entry-metadata.js';
import { reasonOf } from './file-error.js';
import { lacksFlags, setFlags } from './inode-flags.js';
import { hasDescriptorPaths, O_PATH } from './long-path.js';
import {
  ACL_PREFIX,
  ALL_METADATA,
  isChosenXattr,
  isForeignXattr,
  type MetadataChoice,
} from './metadata-choice.js';
import { type MetadataPlace, openPlace, pathDescriptorPlace, pathPlace } from './metadata-place.js';
import { native } from './native.js';
import { ownMarks } from './own-marks.js';
import type { Owners } from './owners.js';
import type { Problem } from './problem.js';
import type { RawPath } from './raw-path.js';
import { isSameInode, lookAtOpen, type SeenEntry } from './seen-entry.js';
import { StatTable } from './stat-table.js';
import type { TargetFolder } from './target-folder.js';
import type { TemporaryFile } from './temporary-file.js';
import { readXattrs, readXattrsOfPath, type Xattr } from './xattrs.js';

const SETUID = 0o4000;
const SETGID = 0o2000;
const O_WARY = constants.O_RDONLY | constants.O_NONBLOCK;
const CAPABILITY = 'security.capability';

type Owner = Pick<SeenEntry, 'uid' | 'gid'>;

/**
 * Sets the metadata of restored entries. Nothing here throws: what cannot be set becomes a problem. One per thread.
 *
 * The order is the point: the owner first, since chown clears setuid bits and capabilities; attributes while the file
 * can still be written; the mode; the ACLs, whose mask is part of the mode; the times after all that; inode flags, for
 * which there is a call of its own, when nothing else is left to do.
 */
export class MetadataWriter {
  private readonly stats = new StatTable(1);
  /** Whether the target was seen to keep every digit of a time. */
  private keepsNanoseconds = false;

  constructor(
    private readonly owners: Owners,
    private readonly problems: Problem[],
    private readonly choice: MetadataChoice = ALL_METADATA,
  ) {}

  /** All but the flags, to an open file or folder of the target; `path` names it in problems. */
  applyToFd(fd: number, path: RawPath, metadata: EntryMetadata): void {
    this.apply(openPlace(fd), path, metadata, undefined);
  }

  /** As `applyToFd`, to a file just created: what it has already is not set again. */
  applyToNew(file: TemporaryFile, path: RawPath, metadata: EntryMetadata): void {
    this.apply(openPlace(file.fd), path, metadata, file.marks);
  }

  /** As `applyToFd`, to an entry of any type, never following it; `path` names it in problems. */
  applyToEntry(
    folder: TargetFolder,
    name: string,
    metadata: EntryMetadata,
    path: RawPath = folder.locate(name),
  ): void {
    if (!hasDescriptorPaths() || native() === undefined) {
      this.apply(pathPlace(folder.rawPath(name)), path, metadata, undefined);
      return;
    }
    const use = (fd: number): void => this.apply(pathDescriptorPlace(fd), path, metadata, undefined);
    this.withOpen(folder, name, O_PATH, 'metadata', use, path);
  }

  /**
   * Sets what differs of an entry that was there before, and takes from it the attributes that it should not have. It must have
   * no other name, and be no folder.
   */
  correctEntry(folder: TargetFolder, name: string, seen: SeenEntry, metadata: EntryMetadata): void {
    const xattrs = readXattrsOfPath(folder.rawPath(name), []);
    if (!this.isDifferent(seen, xattrs, metadata)) return;
    const path = folder.locate(name);
    if (!hasDescriptorPaths() || native() === undefined) {
      this.apply(pathPlace(folder.rawPath(name)), path, metadata, undefined);
      return;
    }
    this.withOpen(folder, name, O_PATH, 'metadata', (fd) => {
      // Whoever can write here may have linked somebody else's file to the name, to be given its rights.
      const now = lookAtOpen(fd);
      if (!isSameInode(now, seen) || now.names !== 1)
        throw new Error('it was changed by somebody else meanwhile');
      const place = pathDescriptorPlace(fd);
      this.removeForeign(place, path, xattrs, metadata);
      this.apply(place, path, metadata, undefined);
    });
  }

  /** As `correctEntry`, for an open folder. */
  correctFd(fd: number, path: RawPath, metadata: EntryMetadata): void {
    const xattrs = readXattrs(fd, path, []);
    const place = openPlace(fd);
    this.attempt(path, 'metadata', () => {
      if (!this.isDifferent(lookAtOpen(fd), xattrs, metadata)) return;
      this.removeForeign(place, path, xattrs, metadata);
      this.apply(place, path, metadata, undefined);
    });
  }

  /** Whether an entry that was there before has other metadata than it shall have, as far as this user can change that. */
  differs(folder: TargetFolder, name: string, seen: SeenEntry, metadata: EntryMetadata): boolean {
    const { uid, gid } = this.ownersOf(metadata);
    const isRoot = ownMarks()?.uid === 0;
    const withheld = isRoot ? 0 : (seen.uid === uid ? 0 : SETUID) | (seen.gid === gid ? 0 : SETGID);
    const reachable = isRoot
      ? metadata
      : { ...metadata, uid: seen.uid, gid: seen.gid, user: undefined, group: undefined };
    const wanted = { ...reachable, mode: metadata.mode & ~withheld };
    return this.isDifferent(seen, readXattrsOfPath(folder.rawPath(name), []), wanted);
  }

  /**
   * Whether correcting an entry that was there before would lend its content rights that it does not have: those of another
   * owner, or of whoever is named by setuid and setgid bits or capabilities.
   */
  lendsRights(folder: TargetFolder, name: string, seen: SeenEntry, metadata: EntryMetadata): boolean {
    const { uid, gid } = this.ownersOf(metadata);
    // Only root gives files away.
    const isGiven = (uid !== -1 && uid !== seen.uid) || (gid !== -1 && gid !== seen.gid);
    if (isGiven && ownMarks()?.uid === 0) return true;
    const bits = metadata.mode & ~this.lentBits(metadata, seen) & (SETUID | SETGID);
    if ((bits & ~seen.mode) !== 0) return true;
    if (metadata.unknownXattrs?.includes(CAPABILITY) === true) return true;
    const capability = metadata.xattrs?.find((xattr) => xattr.name === CAPABILITY);
    if (capability === undefined || !isChosenXattr(this.choice, CAPABILITY)) return false;
    const found = readXattrsOfPath(folder.rawPath(name), []);
    return !found.some((xattr) => isSameXattr(xattr, capability));
  }

  /** The inode flags of an open file or folder, after it has its final name and all its links. */
  setFlagsOfFd(fd: number, path: RawPath, flags: number): void {
    setFlags(fd, flags, path, this.problems);
  }

  /**
   * As `setFlagsOfFd`, for a file or folder by name; other entries have no flags. Nothing is set through one of more than
   * `names` names: the others may lie anywhere.
   */
  setFlagsOfEntry(folder: TargetFolder, name: string, flags: number, names: number): void {
    if (flags === 0) return;
    this.withOpen(folder, name, O_WARY, 'flags', (fd) => {
      const found = fstatSync(fd);
      if (!found.isFile() && !found.isDirectory()) return;
      if (found.isFile() && found.nlink > names && lacksFlags(fd, flags)) {
        throw new Error('it has other names, which are not of this restore');
      }
      setFlags(fd, flags, folder.locate(name), this.problems);
    });
  }

  /** Whether a file has not all of these inode flags, as far as that can be told. */
  lacksFlags(folder: TargetFolder, name: string, flags: number): boolean {
    let lacks = false;
    if (flags === 0) return false;
    this.withOpen(folder, name, O_WARY, 'flags', (fd) => {
      lacks = fstatSync(fd).isFile() && lacksFlags(fd, flags);
    });
    return lacks;
  }

  private isDifferent(seen: SeenEntry, xattrs: readonly Xattr[], metadata: EntryMetadata): boolean {
    const { type, mtime } = metadata;
    const { uid, gid } = this.ownersOf(metadata);
    const wanted = (metadata.xattrs ?? []).filter(({ name }) => isChosenXattr(this.choice, name));
    return (
      (uid !== -1 && seen.uid !== uid) ||
      (gid !== -1 && seen.gid !== gid) ||
      (type !== 'symlink' && seen.mode !== (metadata.mode & ~this.lentBits(metadata, seen))) ||
      seen.mtime.seconds !== mtime.seconds ||
      seen.mtime.nanoseconds !== mtime.nanoseconds ||
      !wanted.every((each) => xattrs.some((found) => isSameXattr(found, each))) ||
      this.foreign(xattrs, metadata).length > 0
    );
  }

  private foreign(xattrs: readonly Xattr[], metadata: EntryMetadata): readonly string[] {
    const wanted = new Set(metadata.xattrs?.map(({ name }) => name));
    for (const name of metadata.unknownXattrs ?? []) wanted.add(name);
    return xattrs
      .map(({ name }) => name)
      .filter((name) => !wanted.has(name) && isForeignXattr(this.choice, name));
  }

  private removeForeign(
    place: MetadataPlace,
    path: RawPath,
    xattrs: readonly Xattr[],
    metadata: EntryMetadata,
  ): void {
    for (const name of this.foreign(xattrs, metadata)) {
      this.attempt(path, `xattr ${name}`, () => place.removeXattr(name));
    }
  }

  /** The numbers to be set; -1 for what stays as it is. */
  private ownersOf({ user, group, uid, gid }: EntryMetadata): { readonly uid: number; readonly gid: number } {
    switch (this.choice.owners) {
      case 'none':
        return { uid: -1, gid: -1 };
      case 'numbers':
        return { uid, gid };
      case 'names':
        return {
          uid: (user === undefined ? undefined : this.owners.uidOf(user)) ?? uid,
          gid: (group === undefined ? undefined : this.owners.gidOf(group)) ?? gid,
        };
    }
  }

  /** Where no owner is set: the bits that would lend the rights of another one, `owner`, than they were meant to. */
  private lentBits({ uid, gid }: EntryMetadata, owner: Owner): number {
    if (this.choice.owners !== 'none') return 0;
    return (owner.uid === uid ? 0 : SETUID) | (owner.gid === gid ? 0 : SETGID);
  }

  /** To whom it belongs, which the folder may have decided, or somebody before. Throws what the kernel answers. */
  private ownerOf(place: MetadataPlace): Owner {
    this.stats.clear();
    place.stat(this.stats);
    return { uid: this.stats.uid(0), gid: this.stats.gid(0) };
  }

  private withOpen(
    folder: TargetFolder,
    name: string,
    flags: number,
    what: string,
    use: (fd: number) => void,
    path: RawPath = folder.locate(name),
  ): void {
    let fd: number | undefined;
    try {
      fd = openSync(folder.path(name), flags | constants.O_NOFOLLOW);
      use(fd);
    } catch (error) {
      this.fail(path, what, error);
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  private fail(path: RawPath, what: string, error: unknown): void {
    this.problems.push({ path, what, reason: reasonOf(error) });
  }

  private attempt(path: RawPath, what: string, action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      this.fail(path, what, error);
      return false;
    }
  }

  private apply(
    place: MetadataPlace,
    path: RawPath,
    metadata: EntryMetadata,
    has: TemporaryFile['marks'],
  ): void {
    const withheld = this.setOwner(place, path, metadata, has);
    this.setXattrs(place, path, metadata, false);
    if (metadata.type !== 'symlink' && has?.mode !== metadata.mode) {
      this.setMode(place, path, metadata.mode, withheld);
    }
    this.setXattrs(place, path, metadata, true);
    this.setTime(place, path, metadata.mtime);
  }

  /** Returns the mode bits that must not be set, because they would lend the rights of another owner. */
  private setOwner(
    place: MetadataPlace,
    path: RawPath,
    metadata: EntryMetadata,
    has: TemporaryFile['marks'],
  ): number {
    if (this.choice.owners === 'none') {
      if ((metadata.mode & (SETUID | SETGID)) === 0) return 0;
      let withheld = SETUID | SETGID;
      this.attempt(path, 'mode', () => {
        withheld = this.lentBits(metadata, this.ownerOf(place));
      });
      return withheld;
    }
    const { uid, gid } = this.ownersOf(metadata);
    if (has?.uid === uid && has.gid === gid) return 0;
    try {
      place.chown(uid, gid);
      return 0;
    } catch {
      // One by one: the group may be allowed where the owner is not.
      const groupSet = this.attempt(path, 'group', () => place.chown(-1, gid));
      const ownerSet = this.attempt(path, 'owner', () => place.chown(uid, -1));
      return (ownerSet ? 0 : SETUID) | (groupSet ? 0 : SETGID);
    }
  }

  private setMode(place: MetadataPlace, path: RawPath, mode: number, withheld: number): void {
    this.attempt(path, 'mode', () => place.chmod(mode & ~withheld));
    if ((mode & withheld) === 0) return;
    const reason =
      'the setuid or setgid bit is left out, because it would lend the rights of the wrong owner';
    this.problems.push({ path, what: 'mode', reason });
  }

  private setXattrs(place: MetadataPlace, path: RawPath, metadata: EntryMetadata, acls: boolean): void {
    for (const xattr of metadata.xattrs ?? []) {
      if (xattr.name.startsWith(ACL_PREFIX) !== acls || !isChosenXattr(this.choice, xattr.name)) continue;
      this.attempt(path, `xattr ${xattr.name}`, () => place.setXattr(xattr));
    }
  }

  private setTime(place: MetadataPlace, path: RawPath, time: FileTime): void {
    this.attempt(path, 'times', () => {
      place.setModified(time);
      // File systems cut what they cannot hold without a word. Nobody fails to hold 1970 to 2038, and one that was
      // seen to keep every digit need not be asked again.
      const ordinary = time.seconds >= 0 && time.seconds < 2 ** 31;
      if (ordinary && (this.keepsNanoseconds || time.nanoseconds === 0)) return;
      this.stats.clear();
      place.stat(this.stats);
      const seconds = this.stats.mtimeSeconds(0);
      const nanoseconds = this.stats.mtimeNanoseconds(0);
      if (seconds !== time.seconds || nanoseconds !== time.nanoseconds) {
        const kept = `${seconds} s and ${nanoseconds} ns since 1970`;
        throw new Error(
          `the file system keeps ${kept} instead of ${time.seconds} s and ${time.nanoseconds} ns`,
        );
      }
      this.keepsNanoseconds ||= nanoseconds % 10 !== 0;
    });
  }
}

function isSameXattr(a: Xattr, b: Xattr): boolean {
  return a.name === b.name && sameBytes(a.value, b.value);
}
