import { open } from 'node:fs/promises';
import { MIB, ObjectNotFoundError, sameBytes } from '../core/index.js';
import type { CallOptions, ObjectKind, ObjectReader, StagedFile } from './backend.js';

/** Compared at a time: bounds memory, and is large enough for a remote store. */
const PIECE_BYTES = 4 * MIB;

/**
 * Whether an object holds exactly the given bytes; false when it does not exist. Rejects when the object or the staged
 * file cannot be read.
 */
export async function hasContent(
  reader: ObjectReader,
  kind: ObjectKind,
  name: string,
  data: Uint8Array | StagedFile,
  options?: CallOptions,
): Promise<boolean> {
  const size = data instanceof Uint8Array ? data.byteLength : data.size;
  if ((await storedSize(reader, kind, name, options)) !== size) return false;
  const compare = async (piece: (offset: number, length: number) => Promise<Uint8Array>) => {
    for (let offset = 0; offset < size; offset += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, size - offset);
      const stored = await reader.read(kind, name, { offset, length }, options);
      if (!sameBytes(stored, await piece(offset, length))) return false;
    }
    return true;
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

/** The size of an object, undefined when it does not exist. */
export async function storedSize(
  reader: ObjectReader,
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
