import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { EXIT, Failure, messageOf } from './failure.js';

/** Where the restored things come to lie. Nothing that exists is ever replaced or written through. */

/** Bytes where names are bytes, text on Windows. */
export type TargetPath = Buffer | string;

/** Longer paths the kernel does not take in one go. */
const LONG_PATH_BYTES = 3000;

/** A new or empty folder. Throws a Failure for any other. */
export class Target {
  readonly folder: TargetPath;
  /** Files that are not whole yet, and what lies aside. */
  private readonly parts: string;
  private partCount = 0;

  constructor(path: string) {
    const folder = resolve(path);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      if (readdirSync(folder).length > 0) {
        throw new Failure(
          EXIT.failed,
          `${path} is not empty`,
          'Give --target a new or an empty folder: nothing that exists is touched.',
        );
      }
      this.parts = join(folder, `.cbr-restore-${randomBytes(4).toString('hex')}`);
      mkdirSync(this.parts, { mode: 0o700 });
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw new Failure(
        EXIT.failed,
        `cannot restore to ${path}: ${messageOf(error)}`,
        'Give --target a new or an empty folder.',
      );
    }
    this.folder = process.platform === 'win32' ? folder : Buffer.from(folder);
  }

  /** Number of a part that does not exist yet. */
  newPart(): number {
    return this.partCount++;
  }

  partPath(part: number): string {
    return join(this.parts, String(part));
  }

  /** A folder for what else is needed for as long as the restore lasts. */
  get aside(): string {
    return join(this.parts, 'trees');
  }

  /** Gives a part its place; with `isKept` it stays as well, where the file system has hard links. Throws if something is there. */
  place(part: number, path: TargetPath, isKept: boolean): void {
    const from = this.partPath(part);
    try {
      linkSync(from, path);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') throw error;
      // No hard links on this file system: look, then rename.
      if (lstatSync(path, { throwIfNoEntry: false }) !== undefined)
        throw new Error('something of that name exists');
      renameSync(from, path);
      return;
    }
    if (!isKept) unlinkSync(from);
  }

  discard(part: number): void {
    rmSync(this.partPath(part), { force: true });
  }

  /** Removes what is not whole, and what lies aside. */
  end(): void {
    rmSync(this.parts, { recursive: true, force: true });
  }
}

/** A file being written, and possibly read again. */
export class Part {
  private constructor(
    private readonly file: number,
    readonly isNew: boolean,
  ) {}

  static open(path: string, isNew: boolean): Part {
    const how = constants.O_RDWR | (isNew ? constants.O_CREAT | constants.O_EXCL : 0);
    return new Part(openSync(path, how, 0o600), isNew);
  }

  write(bytes: Buffer, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.file, bytes, done, bytes.length - done, offset + done);
    }
  }

  /** Fewer bytes where the file ends. */
  read(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    let done = 0;
    for (let read = -1; read !== 0 && done < length; done += read) {
      read = readSync(this.file, bytes, done, length - done, offset + done);
    }
    return bytes.subarray(0, done);
  }

  /** Its length; what was not written is a hole. */
  finish(size: number): void {
    ftruncateSync(this.file, size);
  }

  close(): void {
    closeSync(this.file);
  }
}

/** The path of `name` in a folder. The name must have been examined. */
export function within(folder: TargetPath, name: Buffer): TargetPath {
  if (typeof folder === 'string') return join(folder, name.toString('utf8'));
  return Buffer.concat([folder, Buffer.from('/'), name]);
}

/**
 * Calls `use` with a path of the same file or folder that is short enough to go on from, where the system has such. It is good for that
 * call only: afterwards it may name something else. No name above the last may be a symlink.
 */
export function withShortPath<T>(path: TargetPath, use: (path: TargetPath) => T): T {
  if (process.platform !== 'linux' || typeof path === 'string' || path.length < LONG_PATH_BYTES)
    return use(path);
  const end = path.lastIndexOf('/', LONG_PATH_BYTES);
  const file = openSync(path.subarray(0, end), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return withShortPath(Buffer.concat([Buffer.from(`/proc/self/fd/${file}`), path.subarray(end)]), use);
  } finally {
    closeSync(file);
  }
}

/** What tells a file from all others as long as it exists. */
export function inodeOf(path: TargetPath): string {
  const { dev, ino } = lstatSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

/** Throws with the reason where it cannot be made. */
export function makeFifo(path: string): void {
  const { error, status, stderr } = spawnSync('mkfifo', ['-m', '600', path], { encoding: 'utf8' });
  if (error !== undefined) throw new Error('there is no program mkfifo');
  if (status !== 0) throw new Error(stderr.trim());
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
