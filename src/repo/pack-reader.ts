import { createHash } from 'node:crypto';
import type { ObjectReader } from '../backends/index.js';
import { DamagedError, LIMITS, ObjectNotFoundError, sameBytes } from '../core/index.js';
import type { Zstd } from './algorithms/zstd.js';
import type { PackSeal } from './block.js';
import { isDamage } from './damage.js';
import type { BlockSummary, PackKind } from './index-segment.js';
import { type Keys, TABLE_NONCE } from './keys.js';
import { decodeHeader, HEADER_BYTES } from './object-header.js';
import { decodeTail, packKindOf, TAIL_BYTES } from './pack-format.js';
import { decodePackTable, type PackTable } from './pack-table.js';
import { readPayload } from './payload.js';

export interface OpenedPack extends PackSeal {
  readonly kind: PackKind;
}

/** Reads the header of a pack from its first bytes. */
export function openPackHeader(start: Uint8Array, keys: Keys, object: string): OpenedPack {
  const header = decodeHeader(start, 'pack', keys.encrypted, object);
  return {
    kind: packKindOf(header.kind, object),
    salt: header.salt,
    header: Uint8Array.from(start.subarray(0, HEADER_BYTES)),
    seal: keys.sealFor('pack', header.keyEpoch, header.salt),
  };
}

/** Where each block of a pack begins; the first stands behind the header. */
export function blockOffsets(blocks: readonly BlockSummary[]): number[] {
  let at = HEADER_BYTES;
  return blocks.map((block) => {
    const offset = at;
    at += block.stored;
    return offset;
  });
}

/** The table of a pack whose whole stored bytes are at hand; checks its name, both headers and the tail. */
export function openWholePack(
  bytes: Uint8Array,
  name: string,
  keys: Keys,
  zstd: Zstd,
): { pack: OpenedPack; table: PackTable } {
  const object = `packs/${name}`;
  const digest = createHash('sha256').update(bytes).digest('hex');
  if (digest !== name)
    throw new DamagedError(object, 'its bytes are not those that were written (SHA-256 differs)');
  const pack = openPackHeader(bytes, keys, object);
  const size = bytes.byteLength;
  const tableBytes = decodeTail(bytes.subarray(Math.max(0, size - TAIL_BYTES)), object);
  const tableStart = size - TAIL_BYTES - HEADER_BYTES - tableBytes;
  if (tableStart < HEADER_BYTES) throw new DamagedError(object, 'is shorter than its tail says');
  const copy = bytes.subarray(size - TAIL_BYTES - HEADER_BYTES, size - TAIL_BYTES);
  if (!sameBytes(copy, pack.header)) throw new DamagedError(object, 'its two headers differ');
  const sealed = bytes.subarray(tableStart, tableStart + tableBytes);
  return { pack, table: openTable(sealed, pack, zstd, object) };
}

function openTable(sealed: Uint8Array, pack: OpenedPack, zstd: Zstd, object: string): PackTable {
  const subject = `${object}, table`;
  const payload = pack.seal.open(TABLE_NONCE, [pack.header], sealed, subject);
  return decodePackTable(readPayload(payload, zstd, LIMITS.record, subject).plain, subject);
}

/** Bytes read from the end at first: the table of a pack of the default size fits. */
const SUFFIX_BYTES = 64 * 1024;

/** A pack as its end tells. */
export interface ReadTable {
  readonly kind: PackKind;
  readonly table: PackTable;
  /** The header of the pack, from its copy at the end: blocks open with no other. */
  readonly header: Uint8Array;
}

/**
 * Reads only the table of a pack: one read, two for packs with very many chunks. What came over a line and is damaged is read once
 * more: its end proves nothing without the key, so that `withSecondRead` cannot.
 */
export async function readPackTable(
  backend: ObjectReader,
  name: string,
  keys: Keys,
  zstd: Zstd,
): Promise<ReadTable> {
  try {
    return await readTableOnce(backend, name, keys, zstd);
  } catch (error) {
    const isAbsent = error instanceof ObjectNotFoundError;
    if (isAbsent || !isDamage(error) || backend.isRemote !== true) throw error;
    return readTableOnce(backend, name, keys, zstd);
  }
}

async function readTableOnce(
  backend: ObjectReader,
  name: string,
  keys: Keys,
  zstd: Zstd,
): Promise<ReadTable> {
  const object = `packs/${name}`;
  let end = await backend.read('packs', name, { suffix: SUFFIX_BYTES });
  const tableBytes = decodeTail(end.subarray(Math.max(0, end.byteLength - TAIL_BYTES)), object);
  const needed = tableBytes + HEADER_BYTES + TAIL_BYTES;
  if (needed > end.byteLength) end = await backend.read('packs', name, { suffix: needed });
  return tableAtEnd(end, name, keys, zstd);
}

/** From the last bytes of a pack, or all of them. Throws FormatError and DamagedError. */
export function tableAtEnd(end: Uint8Array, name: string, keys: Keys, zstd: Zstd): ReadTable {
  const object = `packs/${name}`;
  const tableBytes = decodeTail(end.subarray(Math.max(0, end.byteLength - TAIL_BYTES)), object);
  if (tableBytes + HEADER_BYTES + TAIL_BYTES > end.byteLength) {
    throw new DamagedError(object, 'is shorter than its tail says');
  }
  const headerStart = end.byteLength - TAIL_BYTES - HEADER_BYTES;
  const pack = openPackHeader(end.subarray(headerStart), keys, object);
  const sealed = end.subarray(headerStart - tableBytes, headerStart);
  return { kind: pack.kind, table: openTable(sealed, pack, zstd, object), header: pack.header };
}
