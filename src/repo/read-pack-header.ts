import type { ObjectReader, ReadOptions } from '../backends/index.js';
import { CbrError, type ObjectDigest, sameBytes } from '../core/index.js';
import type { Zstd } from './algorithms/zstd.js';
import { isDamage } from './damage.js';
import type { Keys } from './keys.js';
import { HEADER_BYTES } from './object-header.js';
import { TAIL_BYTES } from './pack-format.js';
import { type OpenedPack, openPackHeader, readPackTable, tableAtEnd } from './pack-reader.js';

/** Without its header no block of a pack can be opened. That is why there is a copy of it in front of the tail. */

export interface PackHeaderRequest {
  readonly backend: ObjectReader;
  readonly pack: ObjectDigest;
  readonly keys: Keys;
  readonly zstd: Zstd;
  /** Something of the pack did not open: perhaps for the sake of a header that looks right and is not. */
  readonly isInDoubt: boolean;
  readonly options: ReadOptions;
}

export interface ReadHeader {
  readonly pack: OpenedPack;
  /** What the pack begins with is damaged. */
  readonly isCopy: boolean;
}

/**
 * The header of a pack. In doubt the copy of it with which the table opens, and which is proven by that; else what the pack begins
 * with, or the copy where that is no header. Rejects as the backend does, and with the damage of the first one.
 */
export async function readPackHeader(request: PackHeaderRequest): Promise<ReadHeader> {
  const start = headerAtStart(request);
  if (request.isInDoubt) {
    const first = await ifWhole(start);
    const proven = await ifWhole(provenCopy(request));
    if (proven !== undefined) {
      return { pack: proven, isCopy: first === undefined || !sameBytes(first.header, proven.header) };
    }
  }
  try {
    return { pack: await start, isCopy: false };
  } catch (error) {
    if (!isUnusable(error)) throw error;
    const copy = await ifWhole(copyAtEnd(request));
    if (copy === undefined) throw error;
    return { pack: copy, isCopy: true };
  }
}

/** As `readPackHeader` in doubt, of a pack that is at hand. Throws the damage of the first one. */
export function headerOfDamaged(bytes: Uint8Array, name: string, keys: Keys, zstd: Zstd): OpenedPack {
  const object = `packs/${name}`;
  const end = (length: number): Uint8Array => bytes.subarray(Math.max(0, bytes.byteLength - length));
  const ways = [
    () => openPackHeader(tableAtEnd(bytes, name, keys, zstd).header, keys, object),
    () => openPackHeader(bytes, keys, object),
    () => openPackHeader(end(HEADER_BYTES + TAIL_BYTES), keys, object),
  ];
  const failures: unknown[] = [];
  for (const open of ways) {
    try {
      return open();
    } catch (error) {
      if (!isUnusable(error)) throw error;
      failures.push(error);
    }
  }
  throw failures[1];
}

async function headerAtStart({ backend, pack, keys, options }: PackHeaderRequest): Promise<OpenedPack> {
  const start = await backend.read('packs', pack, { offset: 0, length: HEADER_BYTES }, options);
  return openPackHeader(start, keys, `packs/${pack}`);
}

async function copyAtEnd({ backend, pack, keys }: PackHeaderRequest): Promise<OpenedPack> {
  const end = await backend.read('packs', pack, { suffix: HEADER_BYTES + TAIL_BYTES });
  return openPackHeader(end, keys, `packs/${pack}`);
}

async function provenCopy({ backend, pack, keys, zstd }: PackHeaderRequest): Promise<OpenedPack> {
  const { header } = await readPackTable(backend, pack, keys, zstd);
  return openPackHeader(header, keys, `packs/${pack}`);
}

async function ifWhole(reading: Promise<OpenedPack>): Promise<OpenedPack | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (!isUnusable(error)) throw error;
    return undefined;
  }
}

/**
 * A version that nobody has written is damage as well: the header of a newer pack is newer at both ends. A pack that is gone has no copy
 * of it either.
 */
function isUnusable(error: unknown): boolean {
  if (!(error instanceof CbrError) || error.code === 'object-not-found') return false;
  return isDamage(error) || error.code === 'newer-format';
}
