import { link, mkdir, open, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BackendError, errnoOf, messageOf } from '../core/index.js';
import { renameNoReplace } from './rename-no-replace.js';

export const FOLDER_MODE = 0o700;

/** How file systems say that they have no hard links: link(2); FAT says EPERM, CIFS EOPNOTSUPP, some FUSE ENOSYS. */
const NO_HARD_LINKS = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK']);

/** A folder removed between making and using it is made again; more rounds than this mean something else is wrong. */
const FOLDER_ROUNDS = 5;

/**
 * Rejects with BackendError when the repository is no longer where it was opened. An unmounted disk leaves an empty
 * mount point: without this every object would seem to be absent, and new ones would land on the wrong disk.
 */
export async function requirePresent(root: string): Promise<void> {
  const found = await stat(join(root, 'config')).catch(ifErrno('ENOENT', 'ENOTDIR'));
  if (found !== undefined) return;
  throw new BackendError(`the repository ${root} is gone while it is in use`, false, {
    hint: 'mount the disk that holds it, then run the command again',
  });
}

/** Makes the entries of a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    // EINVAL: this file system has nothing to synchronize for folders.
    await folder.sync().catch(ifErrno('EINVAL'));
  } finally {
    await folder.close();
  }
}

/** A handler for `catch` that turns the given errno codes into undefined. */
export function ifErrno(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    const code = errnoOf(error);
    if (code === undefined || !codes.includes(code)) throw error;
  };
}

/** Gives staged files their final names: create-only (B3), whole (B1) and durably (B2). */
export class Publisher {
  /** Folders that are never removed and whose own entry is known to be durable. */
  private readonly settled = new Set<string>();

  constructor(private readonly root: string) {}

  /**
   * Moves `staged`, whose bytes are durable, to the path `object` below the root. When it resolves, `staged` is gone. An
   * existing object rejects with an error whose `code` is EEXIST, another file system with EXDEV.
   *
   * A failure after the object has its name leaves it in place, because others may have seen it, though nobody knows
   * whether it survives a crash. It is not retryable whatever the reason: a repetition would find the object and be
   * taken for success.
   */
  async publish(staged: string, object: string): Promise<void> {
    const target = join(this.root, object);
    const folder = dirname(target);
    for (let round = 1; ; round++) {
      try {
        await this.settle(folder);
        await nameWithoutReplacing(staged, target);
        break;
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT' || round === FOLDER_ROUNDS) throw error;
        this.settled.clear();
      }
    }
    try {
      await unlink(staged).catch(ifErrno('ENOENT'));
      await syncFolder(folder);
    } catch (error) {
      throw new BackendError(
        `it is unknown whether ${target} would survive a crash: ${messageOf(error)}`,
        false,
        {
          cause: error,
          hint: 'look at the kernel log and at the health of the disk, then run the command again',
        },
      );
    }
  }

  /**
   * Makes sure that `folder` exists and survives a crash. The parent is synchronized even when the folder was there:
   * whoever made it may have died before doing so. Folders of two-part names come and go, so they are not remembered.
   */
  private async settle(folder: string): Promise<void> {
    if (this.settled.has(folder)) return;
    const parent = dirname(folder);
    const isKindFolder = parent === this.root;
    if (isKindFolder) await requirePresent(this.root);
    else await this.settle(parent);
    await mkdir(folder, { mode: FOLDER_MODE }).catch(ifErrno('EEXIST'));
    await syncFolder(parent);
    if (isKindFolder || parent === join(this.root, 'packs')) this.settled.add(folder);
  }
}

/** Gives `staged` the name `target`; it may keep its own as well. */
async function nameWithoutReplacing(staged: string, target: string): Promise<void> {
  try {
    await link(staged, target);
  } catch (error) {
    if (NO_HARD_LINKS.has(errnoOf(error) ?? '')) return renameNoReplace(staged, target);
    // A network file system may have made the link and lost the answer; then both names are one file.
    if (!(await areOneFile(staged, target))) throw error;
  }
}

async function areOneFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all(
    [one, other].map((path) => stat(path, { bigint: true }).catch(() => undefined)),
  );
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}
