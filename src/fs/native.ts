import { createRequire } from 'node:module';
import { once } from './once.js';

/**
 * The calls of the C library that node:fs lacks, all with the contract of their manual page: a negative result means that
 * `errno()`, read at once, tells why. Paths are zero-terminated bytes (`cString`).
 */
export interface Native {
  /** Absent in C libraries older than the call. */
  readonly statx?: (fd: number, path: Uint8Array, flags: number, mask: number, into: Uint8Array) => number;
  readonly renameat2?: (from: number, a: Uint8Array, to: number, b: Uint8Array, flags: number) => number;
  /** No C library has a function for it; kernels before 5.6 answer ENOSYS. `how` is a struct open_how of 24 bytes. */
  readonly openat2: (folder: number, path: Uint8Array, how: Uint8Array, size: number) => number;
  readonly getdents64: (fd: number, into: Uint8Array, size: number) => number;
  readonly linkat: (from: number, a: Uint8Array, to: number, b: Uint8Array, flags: number) => number;
  readonly lseek: (fd: number, offset: number, whence: number) => number;
  readonly flock: (fd: number, operation: number) => number;
  readonly ioctl: (fd: number, request: number, argument: Uint8Array) => number;
  readonly fstatfs: (fd: number, into: Uint8Array) => number;
  readonly pipe2: (ends: Uint8Array, flags: number) => number;
  readonly mknodat: (fd: number, path: Uint8Array, mode: number, device: bigint) => number;
  readonly futimens: (fd: number, times: Uint8Array) => number;
  readonly utimensat: (fd: number, path: Uint8Array, times: Uint8Array, flags: number) => number;
  readonly flistxattr: (fd: number, into: Uint8Array, size: number) => number;
  readonly llistxattr: (path: Uint8Array, into: Uint8Array, size: number) => number;
  readonly fgetxattr: (fd: number, name: Uint8Array, into: Uint8Array, size: number) => number;
  readonly lgetxattr: (path: Uint8Array, name: Uint8Array, into: Uint8Array, size: number) => number;
  readonly fsetxattr: (
    fd: number,
    name: Uint8Array,
    value: Uint8Array,
    size: number,
    flags: number,
  ) => number;
  readonly setxattr: (
    path: Uint8Array,
    name: Uint8Array,
    value: Uint8Array,
    size: number,
    flags: number,
  ) => number;
  readonly fremovexattr: (fd: number, name: Uint8Array) => number;
  readonly removexattr: (path: Uint8Array, name: Uint8Array) => number;
  readonly getpwuid_r: LookUpByNumber;
  readonly getgrgid_r: LookUpByNumber;
  readonly getpwnam_r: LookUpByName;
  readonly getgrnam_r: LookUpByName;
  errno(): number;
  /** The text at the pointer stored in the first 8 bytes of `record`. */
  textAt(record: Uint8Array): string;
}

/** Returns an errno number instead of setting it; `found` receives a pointer, null when there is no such record. */
type LookUpByNumber = (
  id: number,
  record: Uint8Array,
  texts: Uint8Array,
  size: number,
  found: Uint8Array,
) => number;
type LookUpByName = (
  name: Uint8Array,
  record: Uint8Array,
  texts: Uint8Array,
  size: number,
  found: Uint8Array,
) => number;

export const AT_FDCWD = -100;

/**
 * The machines whose struct layouts and numbers this folder knows: 64 bits, little endian, generic Linux ABI. What differs
 * among them is the number of the system call getdents64.
 */
const GETDENTS64: Readonly<Record<string, number>> = Object.freeze({
  x64: 217,
  arm64: 61,
  riscv64: 61,
  loong64: 61,
});
const OPENAT2 = 437;

/**
 * The native calls, loaded on first use; undefined on other systems and where koffi cannot be loaded. Callers then fall
 * back to node:fs; `missingAbilities` says what is lost.
 */
export const native: () => Native | undefined = once(() => {
  const getdents = GETDENTS64[process.arch];
  if (process.platform !== 'linux' || getdents === undefined) return undefined;
  try {
    return bind(createRequire(import.meta.url)('koffi') as typeof import('koffi'), getdents);
  } catch {
    return undefined;
  }
});

function bind(koffi: typeof import('koffi'), getdents: number): Native {
  // The process itself: node is linked to its C library, whichever that is.
  const library = koffi.load(null);
  const required = (name: string, result: string, parameters: string[]) =>
    library.func(name, result, parameters);
  const ifPresent = (name: string, result: string, parameters: string[]) => {
    try {
      return { [name]: library.func(name, result, parameters) };
    } catch {
      return {};
    }
  };
  const pointer = 'void *';
  const openat2 = required('syscall', 'int64_t', ['int64_t', 'int', pointer, pointer, 'uint64_t']);
  const getdents64 = required('syscall', 'int64_t', ['int64_t', 'int', pointer, 'uint64_t']);
  return {
    openat2: (folder, path, how, size) => openat2(OPENAT2, folder, path, how, size),
    getdents64: (fd, into, size) => getdents64(getdents, fd, into, size),
    ...ifPresent('statx', 'int', ['int', pointer, 'int', 'uint32_t', pointer]),
    ...ifPresent('renameat2', 'int', ['int', pointer, 'int', pointer, 'uint32_t']),
    linkat: required('linkat', 'int', ['int', pointer, 'int', pointer, 'int']),
    lseek: required('lseek', 'int64_t', ['int', 'int64_t', 'int']),
    flock: required('flock', 'int', ['int', 'int']),
    ioctl: required('ioctl', 'int', ['int', 'uint64_t', pointer]),
    fstatfs: required('fstatfs', 'int', ['int', pointer]),
    pipe2: required('pipe2', 'int', [pointer, 'int']),
    mknodat: required('mknodat', 'int', ['int', pointer, 'uint32_t', 'uint64_t']),
    futimens: required('futimens', 'int', ['int', pointer]),
    utimensat: required('utimensat', 'int', ['int', pointer, pointer, 'int']),
    flistxattr: required('flistxattr', 'int64_t', ['int', pointer, 'uint64_t']),
    llistxattr: required('llistxattr', 'int64_t', [pointer, pointer, 'uint64_t']),
    fgetxattr: required('fgetxattr', 'int64_t', ['int', pointer, pointer, 'uint64_t']),
    lgetxattr: required('lgetxattr', 'int64_t', [pointer, pointer, pointer, 'uint64_t']),
    fsetxattr: required('fsetxattr', 'int', ['int', pointer, pointer, 'uint64_t', 'int']),
    setxattr: required('setxattr', 'int', [pointer, pointer, pointer, 'uint64_t', 'int']),
    fremovexattr: required('fremovexattr', 'int', ['int', pointer]),
    removexattr: required('removexattr', 'int', [pointer, pointer]),
    getpwuid_r: required('getpwuid_r', 'int', ['uint32_t', pointer, pointer, 'uint64_t', pointer]),
    getgrgid_r: required('getgrgid_r', 'int', ['uint32_t', pointer, pointer, 'uint64_t', pointer]),
    getpwnam_r: required('getpwnam_r', 'int', [pointer, pointer, pointer, 'uint64_t', pointer]),
    getgrnam_r: required('getgrnam_r', 'int', [pointer, pointer, pointer, 'uint64_t', pointer]),
    errno: () => koffi.errno(),
    textAt: (record) => koffi.decode(record, 'char *') as string,
  };
}

/** Raw text as the zero-terminated bytes that native calls take. */
export function cString(raw: string): Buffer {
  return Buffer.from(`${raw}\0`, 'latin1');
}

/** What cannot be read or set on this machine at all, for one word to the user; empty where everything can. */
export function missingAbilities(): readonly string[] {
  if (native() !== undefined) return [];
  return [
    'extended attributes and ACLs',
    'inode flags',
    'holes of sparse files',
    'times finer than a microsecond',
    'fifos, sockets and device files (restoring)',
  ];
}
