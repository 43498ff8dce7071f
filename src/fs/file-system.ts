import { closeSync, constants, fstatSync, openSync, statfsSync } from 'node:fs';
import { FileError, nativeError } from './file-error.js';
import { hasDescriptorPaths, O_PATH, withShortPath } from './long-path.js';
import { type Native, native } from './native.js';
import { type RawPath, toNodePath } from './raw-path.js';

/** What is known of the file system that holds a path. */
export interface FileSystem {
  /** f_type of statfs(2). */
  readonly type: number;
  /** Type and f_fsid in hexadecimal: the same at every mount and start, unlike st_dev. */
  readonly id: string;
  /** Whether an entry keeps its inode number as long as it exists; if not, change detection must not compare it. */
  readonly inodesStable: boolean;
}

/** File systems whose inode numbers are made up as entries are looked at, or come from another machine. */
const UNSTABLE_INODES: ReadonlySet<number> = new Set([
  0x6573_5546, // FUSE
  0x794c_7630, // overlay
  0x6175_6673, // aufs
  0x4d44, // FAT
  0x2011_bab0, // exFAT
  0x6969, // NFS
  0x517b, // SMB
  0xff53_4d42, // CIFS
  0xfe53_4d42, // SMB2
  0x0102_1997, // 9p
  0x5346_414f, // AFS
  0x786f_4256, // VirtualBox shared folders
]);

/** The file system of the entry at `path` itself (a symlink is not followed). Throws FileError (source). */
export function fileSystemOf(path: RawPath): FileSystem {
  const calls = native();
  try {
    return withShortPath(path, (short) =>
      calls === undefined || !hasDescriptorPaths() ? byNode(short) : byNative(calls, short),
    );
  } catch (error) {
    throw new FileError('source', 'read', path, error);
  }
}

function byNative(calls: Native, short: RawPath): FileSystem {
  const fd = openSync(toNodePath(short), O_PATH | constants.O_NOFOLLOW);
  try {
    const found = Buffer.alloc(256);
    if (calls.fstatfs(fd, found) !== 0) throw nativeError('fstatfs', calls.errno());
    const type = found.readUInt32LE(0);
    const fsid = found.toString('hex', 56, 64);
    // Where there is no fsid (some virtual and network file systems) the device number has to do.
    return fileSystem(type, /^0*$/.test(fsid) ? `dev${fstatSync(fd, { bigint: true }).dev}` : fsid);
  } finally {
    closeSync(fd);
  }
}

function byNode(short: RawPath): FileSystem {
  const fd = openSync(toNodePath(short), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { dev } = fstatSync(fd, { bigint: true });
    return fileSystem(Number(statfsSync(toNodePath(short)).type) >>> 0, `dev${dev}`);
  } finally {
    closeSync(fd);
  }
}

function fileSystem(type: number, fsid: string): FileSystem {
  // The numbers are those of Linux; elsewhere nothing is known, and not to compare inodes is always safe.
  const inodesStable = process.platform === 'linux' && !UNSTABLE_INODES.has(type);
  return { type, id: `${type.toString(16)}-${fsid}`, inodesStable };
}
