import { BackendError, CbrError, errnoOf, messageOf } from '../core/index.js';

/** What may pass by itself: the same call may succeed a moment later. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'EAGAIN', 'EINTR', 'EBUSY', 'ETIMEDOUT', 'ESTALE']);

const NO_PERMISSION =
  'check the owner and the permissions of the repository folder, or run as the user who owns it';
const FAILING_DISK = 'look at the kernel log and at the health of the disk before you write to it again';

const MORE_ROOM = 'then run the command again: what was stored so far counts';

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: `free space on the file system that holds the repository, ${MORE_ROOM}`,
  EDQUOT: `the disk quota is used up: free space or raise it, ${MORE_ROOM}`,
  EFBIG: 'the file system cannot hold files of this size: use a smaller pack size or another file system',
  EXDEV: 'keep all folders of the repository on one file system',
  EROFS: 'the file system is mounted read-only: mount it for writing',
  EACCES: NO_PERMISSION,
  EPERM: NO_PERMISSION,
  EIO: FAILING_DISK,
  EUCLEAN: FAILING_DISK,
  ENODEV: 'the disk is gone: connect and mount it again',
  ENXIO: 'the disk is gone: connect and mount it again',
  EMFILE: 'too many files are open: raise the limit (ulimit -n)',
  ENFILE: 'too many files are open on this machine',
  ESTALE: 'the network file system changed under this process: mount it again if this goes on',
};

/**
 * What a failed call of node:fs means to users of a backend: BackendError for errors of the system; errors that cbr or
 * an abort raised, and programming errors, as they are.
 */
export function localFailure(what: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (error instanceof CbrError || errno === undefined) return error;
  const hint = HINTS[errno];
  return new BackendError(`${what}: ${messageOf(error)}`, PASSING.has(errno), {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
