import { open, rm } from 'node:fs/promises';
import {
  type Backend,
  type CallOptions,
  newStagingPath,
  type ObjectReader,
  type StagedFile,
} from '../../backends/index.js';
import { MIB, ObjectExistsError } from '../../core/index.js';
import { proveObject, twiceIfDamaged } from '../scrub/prove-object.js';
import type { MirroredObject } from './mirrored-kinds.js';

/** What is longer goes through a file: several packs of a gibibyte are under way at a time. */
const IN_MEMORY_BYTES = 4 * MIB;
/** Where the header of a pack says what it holds, and the number for content of files (docs/format.md). */
const PACK_KIND_AT = 17;
const DATA_PACK = 1;

export interface CopyOptions extends CallOptions {
  /** For what is too long for memory. */
  readonly stagingFolder: string;
}

/**
 * Copies an object that proves itself right. Rejects with DamagedError when it does not, with ObjectNotFoundError when it is no
 * longer in the source; nothing is written then. What the target has meanwhile under that name is left as it is.
 */
export async function copyObject(
  source: ObjectReader,
  target: Backend,
  object: MirroredObject,
  options: CopyOptions,
): Promise<void> {
  if (object.size <= IN_MEMORY_BYTES) {
    return writeObject(target, object, await readObject(source, object, options), options);
  }
  const path = newStagingPath(options.stagingFolder);
  try {
    const isCold = await stageObject(source, object, path, options);
    await writeObject(target, object, { path, size: object.size }, options, isCold);
  } finally {
    await rm(path, { force: true });
  }
}

/** The whole of a small object, proved. Rejects as `copyObject`. */
export async function readObject(
  source: ObjectReader,
  object: MirroredObject,
  { signal }: CallOptions,
): Promise<Uint8Array> {
  return twiceIfDamaged(async () => {
    const bytes = Buffer.allocUnsafeSlow(object.size);
    let filled = 0;
    const take = (piece: Uint8Array): void => {
      bytes.set(piece, filled);
      filled += piece.byteLength;
    };
    await proveObject(source, object.kind, object, { take, ...(signal === undefined ? {} : { signal }) });
    return bytes;
  });
}

/** Writes the object to a new file; whether it is a pack that only restores read. */
async function stageObject(
  source: ObjectReader,
  object: MirroredObject,
  path: string,
  { signal }: CallOptions,
): Promise<boolean> {
  return twiceIfDamaged(async () => {
    const file = await open(path, 'w', 0o600);
    try {
      let isCold: boolean | undefined;
      const take = async (piece: Uint8Array): Promise<void> => {
        isCold ??= isDataPack(object, piece);
        await file.writeFile(piece);
      };
      await proveObject(source, object.kind, object, { take, ...(signal === undefined ? {} : { signal }) });
      return isCold === true;
    } finally {
      await file.close();
    }
  });
}

function isDataPack({ kind }: MirroredObject, bytes: Uint8Array): boolean {
  return kind === 'packs' && bytes[PACK_KIND_AT] === DATA_PACK;
}

/** Writes what was proved. */
export async function writeObject(
  target: Backend,
  object: MirroredObject,
  data: Uint8Array | StagedFile,
  { signal }: CallOptions,
  isCold = data instanceof Uint8Array && isDataPack(object, data),
): Promise<void> {
  const { kind, name } = object;
  try {
    await target.write(kind, name, data, {
      isCold,
      ...(kind === 'packs' || kind === 'index' ? { sha256: name } : {}),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    // The record names it: it is from a run that seemed dead and is not.
    if (!(error instanceof ObjectExistsError)) throw error;
  }
}
