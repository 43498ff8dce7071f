import { getSystemErrorName } from 'node:util';
import { BackendError } from '../core/index.js';

type RenameCall = (from: string, to: string) => { readonly result: number; readonly errno: number };

const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;

/** Numbers of the renameat2 system call, for C libraries that do not wrap it (musl before 1.2.5, glibc before 2.28). */
const SYSCALL_NUMBERS: Readonly<Record<string, number>> = {
  x64: 316,
  arm64: 276,
  riscv64: 276,
  loong64: 276,
  arm: 382,
  ia32: 353,
  ppc64: 357,
  s390x: 347,
};

async function loadRenameCall(): Promise<RenameCall | undefined> {
  if (process.platform !== 'linux') return undefined;
  const { default: koffi } = await import('koffi');
  const c = koffi.load(null);
  const failure = (result: number) => ({ result, errno: koffi.errno() });
  try {
    const renameat2 = c.func('int renameat2(int, const char *, int, const char *, unsigned int)');
    return (from, to) => failure(renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE));
  } catch {
    // Not exported by this C library; every kernel that Node 20 runs on has the system call.
    const number = SYSCALL_NUMBERS[process.arch];
    if (number === undefined) return undefined;
    const types = 'long, int, const char *, int, const char *, unsigned int';
    const syscall = c.func(`long syscall(${types})`);
    return (from, to) => failure(Number(syscall(number, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE)));
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** The native library is loaded at the first use only: few file systems lack hard links. */
const renameCall = once(() => loadRenameCall().catch(() => undefined));

/**
 * Renames `from` to `to`, both on one file system, unless `to` exists: the create-only step where hard links do not
 * exist. Rejects with an error whose `code` is EEXIST if it does, with BackendError if the system cannot do it.
 */
export async function renameNoReplace(from: string, to: string): Promise<void> {
  const call = await renameCall();
  const { result, errno } = call?.(from, to) ?? { result: -1, errno: 0 };
  if (result === 0) return;
  const code = errno === 0 ? 'ENOSYS' : getSystemErrorName(-errno);
  if (code === 'ENOSYS' || code === 'EINVAL' || code === 'ENOTSUP' || code === 'EOPNOTSUPP') {
    throw new BackendError(
      `cannot create ${to}: this file system offers neither hard links nor a rename that never replaces (${code})`,
      false,
      { hint: 'keep the repository on a file system with hard links, such as ext4, xfs, btrfs or NFS' },
    );
  }
  throw Object.assign(new Error(`${code}: renameat2 '${from}' -> '${to}'`), { code });
}
