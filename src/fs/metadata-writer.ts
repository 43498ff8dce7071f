import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { EntryMetadata, FileTime } from './entry-metadata.js';
import { reasonOf } from './file-error.js';
import { setFlags } from './inode-flags.js';
import { hasDescriptorPaths, O_PATH } from './long-path.js';
import { type MetadataPlace, openPlace, pathDescriptorPlace, pathPlace } from './metadata-place.js';
import { native } from './native.js';
import type { Owners } from './owners.js';
import type { Problem } from './problem.js';
import type { RawPath } from './raw-path.js';
import { StatTable } from './stat-table.js';
import type { TargetFolder } from './target-folder.js';
import type { TemporaryFile } from './temporary-file.js';

const SETUID = 0o4000;
const SETGID = 0o2000;
const ACL_PREFIX = 'system.posix_acl_';

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
  ) {}

  /** All but the flags, to an open file or folder of the target; `path` names it in problems. */
  applyToFd(fd: number, path: RawPath, metadata: EntryMetadata): void {
    this.apply(openPlace(fd), path, metadata, undefined);
  }

  /** As `applyToFd`, to a file just created: what it has already is not set again. */
  applyToNew(file: TemporaryFile, path: RawPath, metadata: EntryMetadata): void {
    this.apply(openPlace(file.fd), path, metadata, file.marks);
  }

  /** As `applyToFd`, to an entry of any type, never following it. */
  applyToEntry(folder: TargetFolder, name: string, metadata: EntryMetadata): void {
    const path = folder.locate(name);
    if (!hasDescriptorPaths() || native() === undefined) {
      this.apply(pathPlace(folder.rawPath(name)), path, metadata, undefined);
      return;
    }
    this.withOpen(folder, name, O_PATH, 'metadata', (fd) =>
      this.apply(pathDescriptorPlace(fd), path, metadata, undefined),
    );
  }

  /** The inode flags of an open file or folder, after it has its final name and all its links. */
  setFlagsOfFd(fd: number, path: RawPath, flags: number): void {
    setFlags(fd, flags, path, this.problems);
  }

  /** As `setFlagsOfFd`, for a file or folder by name; other entries have no flags. */
  setFlagsOfEntry(folder: TargetFolder, name: string, flags: number): void {
    if (flags === 0) return;
    this.withOpen(folder, name, constants.O_RDONLY | constants.O_NONBLOCK, 'flags', (fd) => {
      const found = fstatSync(fd);
      if (found.isFile() || found.isDirectory()) setFlags(fd, flags, folder.locate(name), this.problems);
    });
  }

  private withOpen(
    folder: TargetFolder,
    name: string,
    flags: number,
    what: string,
    use: (fd: number) => void,
  ): void {
    let fd: number | undefined;
    try {
      fd = openSync(folder.path(name), flags | constants.O_NOFOLLOW);
      use(fd);
    } catch (error) {
      this.fail(folder.locate(name), what, error);
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
    const { user, group } = metadata;
    const uid = (user === undefined ? undefined : this.owners.uidOf(user)) ?? metadata.uid;
    const gid = (group === undefined ? undefined : this.owners.gidOf(group)) ?? metadata.gid;
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
      if (xattr.name.startsWith(ACL_PREFIX) !== acls) continue;
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
