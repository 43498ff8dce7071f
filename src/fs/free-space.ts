import { statfsSync } from 'node:fs';
import { errnoOf } from '../core/index.js';
import { FileError } from './file-error.js';
import { withShortPath } from './long-path.js';
import { parentPath, type RawPath, toNodePath } from './raw-path.js';

/** Room on the file system of a path. */
export interface FreeSpace {
  /** That this user may fill, in bytes. */
  readonly bytes: number;
  /** Each file takes a multiple of so many bytes. */
  readonly blockBytes: number;
  /** Whether files may take less room than their content is long, beside holes: nobody knows before how much. */
  readonly mayCompress: boolean;
}

/** File systems that compress or share what is written, if they are told to. */
const COMPRESSING: ReadonlySet<number> = new Set([
  0x9123_683e, // btrfs
  0x2fc1_2fc1, // ZFS
  0xca45_1a4e, // bcachefs
  0xf2f5_2010, // F2FS
  0x5346_544e, // NTFS
  0x7366_746e, // NTFS of newer kernels
  0x6573_5546, // FUSE: nothing is known of what is behind
]);

/** No file system has larger blocks: what a network says is how much it likes to send at once. */
const MOST_BLOCK_BYTES = 128 * 1024;
const USUAL_BLOCK_BYTES = 4096;

/** Of a path that need not exist yet. Throws FileError (target). */
export function freeSpaceAt(path: RawPath): FreeSpace {
  try {
    const { bsize, bavail, bfree, type } = withShortPath(path, (short) => statfsSync(toNodePath(short)));
    // Root may use what is reserved for it.
    const blocks = process.geteuid?.() === 0 ? bfree : bavail;
    const blockBytes = bsize <= MOST_BLOCK_BYTES ? bsize : USUAL_BLOCK_BYTES;
    return { bytes: blocks * bsize, blockBytes, mayCompress: COMPRESSING.has(type >>> 0) };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && path !== '/') return freeSpaceAt(parentPath(path));
    throw new FileError('target', 'look at', path, error);
  }
}
