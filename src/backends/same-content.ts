import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { BackendError, MIB, messageOf, ObjectNotFoundError, sameBytes } from '../core/index.js';
import { type Backend, type CallOptions, type ObjectKind, objectPath, type StagedFile } from './backend.js';

/** Compared at a time: bounds memory, and is large enough for a remote store. */
const PIECE_BYTES = 4 * MIB;

type Reader = Pick<Backend, 'stat' | 'read' | 'storedDigest'>;

/** Bytes from `offset` on; valid until the next call. */
type Pieces = (offset: number, length: number) => Promise<Uint8Array>;

/**
 * Whether an object holds exactly the given bytes; false when it does not exist. Where the object exists and cannot be read, as in
 * a class from which it has to be brought back first, what the store knows of its content counts. Rejects when that is nothing, or
 * the staged file cannot be read.
 */
export async function hasContent(
  reader: Reader,
  kind: ObjectKind,
  name: string,
  data: Uint8Array | StagedFile,
  options?: CallOptions,
): Promise<boolean> {
  const size = data instanceof Uint8Array ? data.byteLength : data.size;
  if ((await storedSize(reader, kind, name, options)) !== size) return false;
  const compare = async (pieces: Pieces): Promise<boolean> => {
    try {
      return await isRead(reader, kind, name, size, pieces, options);
    } catch (error) {
      if (!(error instanceof BackendError) || error.retryable) throw error;
      return isTold(reader, kind, name, size, pieces, error, options);
    }
  };
  if (data instanceof Uint8Array) return compare(async (at, length) => data.subarray(at, at + length));
  const file = await open(data.path, 'r');
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, size));
    return await compare(async (at, length) => {
      const { bytesRead } = await file.read(buffer, 0, length, at);
      return buffer.subarray(0, bytesRead);
    });
  } finally {
    await file.close();
  }
}

async function isRead(
  reader: Reader,
  kind: ObjectKind,
  name: string,
  size: number,
  pieces: Pieces,
  options?: CallOptions,
): Promise<boolean> {
  for (let offset = 0; offset < size; offset += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, size - offset);
    const expected = await pieces(offset, length);
    const isStored = async () =>
      sameBytes(await reader.read(kind, name, { offset, length }, options), expected);
    // An answer can be damaged on its way, and to call our own object somebody else's would end the run.
    if (!(await isStored()) && !(await isStored())) return false;
  }
  return true;
}

async function isTold(
  reader: Reader,
  kind: ObjectKind,
  name: string,
  size: number,
  pieces: Pieces,
  unread: BackendError,
  options?: CallOptions,
): Promise<boolean> {
  const told = await reader.storedDigest?.(kind, name, options);
  if (told === undefined) {
    throw new BackendError(
      `an answer was lost, and whether ${objectPath(kind, name)} was written cannot be told: ${messageOf(unread)}`,
      false,
      {
        cause: unread,
        hint: 'run the command again: it does not build on that object, and a prune removes what nobody uses',
      },
    );
  }
  const hash = createHash(told.algorithm);
  for (let offset = 0; offset < size; offset += PIECE_BYTES) {
    hash.update(await pieces(offset, Math.min(PIECE_BYTES, size - offset)));
  }
  return hash.digest('hex') === told.hex;
}

/** The size of an object, undefined when it does not exist. */
export async function storedSize(
  reader: Pick<Backend, 'stat'>,
  kind: ObjectKind,
  name: string,
  options?: CallOptions,
): Promise<number | undefined> {
  try {
    return (await reader.stat(kind, name, options)).size;
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return undefined;
    throw error;
  }
}
