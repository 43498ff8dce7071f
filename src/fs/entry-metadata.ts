import type { EntryType } from './entry-type.js';
import type { Xattr } from './xattrs.js';

/** Seconds since 1970, negative before; nanoseconds 0 to 999,999,999 count forward from them. */
export interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** The number of a device file (makedev(3)). */
export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** What a snapshot keeps of an entry and a restore can set again. */
export interface EntryMetadata {
  readonly type: EntryType;
  /** Permissions with setuid, setgid and sticky bit. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** The names of owner and group where the source knew them; they count more than the numbers. */
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly mtime: FileTime;
  /** Inode flags (RESTORABLE_FLAGS). */
  readonly flags?: number | undefined;
  readonly xattrs?: readonly Xattr[] | undefined;
  /** Attributes whose value nobody knows any more: what exists keeps what it has of them. */
  readonly unknownXattrs?: readonly string[] | undefined;
  /** Of device files. */
  readonly device?: DeviceNumber | undefined;
}
