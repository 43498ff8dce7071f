import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { BackendError, CbrError, DamagedError, errnoOf, messageOf } from '../../core/index.js';
import { rawPath, StatTable, statBlockDevice } from '../../fs/index.js';

/** Where an image lies: a file, or a device with a disc in it. */
export interface SectorSource {
  /** Bytes; undefined where a device does not tell. */
  readonly size: number | undefined;
  /** How the user names it; for messages. */
  readonly path?: string;
  /**
   * The bytes from `offset` on, fewer than `length` only where the source ends; they belong to the caller. Rejects with DamagedError
   * what the medium cannot read, with BackendError other failures.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** One read call takes at most 2^31-1 bytes. */
const READ_BYTES = 2 ** 30;

/**
 * Opens an image or a block device for reading; no root and no mount is needed. Rejects with CbrError 'not-found' when nothing is
 * there, with `usage` what is neither, with BackendError when the system refuses, also when no disc is in the drive.
 */
export async function openSectors(path: string): Promise<SectorSource> {
  const file = await openImage(path);
  try {
    const size = await sizeOf(file, path);
    return {
      size,
      path,
      read: (offset, length) => readBytes(file, path, offset, length),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw failure(path, error);
  }
}

async function openImage(path: string): Promise<FileHandle> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw folder(path);
    if (!found.isFile() && !found.isBlockDevice()) throw neither(path);
    // A drive that is opened without waiting does not say that it is empty; a pipe that took the place of a file must not hang.
    return await open(path, constants.O_RDONLY | (found.isFile() ? constants.O_NONBLOCK : 0));
  } catch (error) {
    throw failure(path, error);
  }
}

async function sizeOf(file: FileHandle, path: string): Promise<number | undefined> {
  const found = await file.stat();
  if (found.isFile()) return found.size;
  const row = new StatTable(1);
  if (!statBlockDevice(file.fd, row, rawPath(path))) throw neither(path);
  const size = row.size(0);
  return size > 0 ? size : undefined;
}

function neither(path: string): CbrError {
  return new CbrError('usage', `${path} is neither an image nor a device`, {
    hint: 'Name an .iso file, or a drive such as /dev/sr0.',
  });
}

function folder(path: string): CbrError {
  return new CbrError('usage', `${path} is a folder, neither an image nor a device`, {
    hint: 'Name one image in it, or a drive such as /dev/sr0. In the folder of a disc: sha256sum -c SHA256SUMS',
  });
}

async function readBytes(
  file: FileHandle,
  path: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  try {
    while (done < length) {
      const wanted = Math.min(length - done, READ_BYTES);
      const { bytesRead } = await file.read(bytes, done, wanted, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
  } catch (error) {
    if (errnoOf(error) === 'EIO') {
      throw new DamagedError(path, `cannot be read from byte ${offset + done} on`, {
        cause: error,
        hint: 'Clean the disc or try another drive.',
      });
    }
    throw failure(path, error);
  }
  return bytes.subarray(0, done);
}

function failure(path: string, error: unknown): unknown {
  if (error instanceof CbrError) return error;
  switch (errnoOf(error)) {
    case undefined:
      return error;
    case 'ENOENT':
    case 'ENOTDIR':
      return new CbrError('not-found', `${path} does not exist`, { hint: 'Check the path.', cause: error });
    case 'ENOMEDIUM':
    case 'ENXIO':
      return new BackendError(`there is no disc in ${path}`, false, { hint: 'Put one in.', cause: error });
    default:
      return new BackendError(`cannot read ${path}: ${messageOf(error)}`, false, { cause: error });
  }
}

/** What messages call a source. */
export function subjectOf(source: SectorSource): string {
  return source.path ?? 'the image';
}

/** Exactly these bytes; rejects with DamagedError where the source ends before, `what` being the part of it that needs them. */
export async function readExactly(
  source: SectorSource,
  offset: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
  // Checked before anything is allocated.
  if (source.size !== undefined && offset + length > source.size)
    throw cutShort(source, source.size, what, offset + length);
  const bytes = await source.read(offset, length);
  if (bytes.byteLength < length) throw cutShort(source, offset + bytes.byteLength, what, offset + length);
  return bytes;
}

function cutShort(source: SectorSource, size: number, what: string, end: number): DamagedError {
  return new DamagedError(
    subjectOf(source),
    `the image is cut short: it has ${size} bytes, and ${what} ends at ${end}`,
    {
      hint: 'If it is still being copied or written, wait until that is done; else take another copy.',
    },
  );
}
