import { createHash } from 'node:crypto';
import type { Backend, ObjectKind, ObjectReader } from '../backends/index.js';
import {
  CbrError,
  type Codec,
  DamagedError,
  decode,
  encode,
  FormatError,
  LIMITS,
  sameBytes,
} from '../core/index.js';
import type { Zstd } from './algorithms/zstd.js';
import type { Keys, SealedKind } from './keys.js';
import { RECORD_NONCE } from './keys.js';
import { decodeHeader, encodeHeader, HEADER_BYTES, newHeader } from './object-header.js';
import { type Compression, payloadBound, readPayload, writePayload } from './payload.js';

/** Records as stored objects: header, sealed payload, SHA-256 of what precedes it (docs/format.md, "Record"). */

type RecordKind = Exclude<ObjectKind, 'packs' | 'index' | 'parity'>;

const KIND_NUMBER: Readonly<Record<RecordKind, number>> = Object.freeze({
  config: 1,
  keys: 2,
  snapshots: 3,
  forgotten: 4,
  sessions: 5,
  marks: 6,
  leases: 7,
  notes: 8,
  policies: 9,
  catalog: 10,
});

export const DIGEST_BYTES = 32;

export interface RecordContext {
  readonly keys: Keys;
  readonly zstd: Zstd;
  readonly compression: Compression;
}

function sealKind(kind: RecordKind): SealedKind {
  return kind === 'sessions' || kind === 'marks' || kind === 'leases' ? 'control' : 'record';
}

function context(header: Uint8Array, keys: Keys, kind: RecordKind, name: string): Uint8Array[] {
  return [header, keys.repositoryId, Buffer.from(`${kind}/${name}`)];
}

/** Splits off the closing SHA-256; rejects when it does not match. Needs no key. */
export function checkDigest(stored: Uint8Array, object: string): Uint8Array {
  const end = stored.byteLength - DIGEST_BYTES;
  if (end < 0) throw new DamagedError(object, `is only ${stored.byteLength} bytes long`);
  const content = stored.subarray(0, end);
  if (!sameBytes(createHash('sha256').update(content).digest(), stored.subarray(end))) {
    throw new DamagedError(object, 'its bytes are not those that were written (SHA-256 differs)');
  }
  return content;
}

/** Appends the SHA-256 of the parts. */
export function withDigest(parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}

export function encodeRecord<T>(
  kind: RecordKind,
  name: string,
  codec: Codec<T>,
  value: T,
  its: RecordContext,
): Buffer {
  const plain = encode(codec, value);
  if (plain.byteLength > LIMITS.record) {
    throw new CbrError(
      'limit',
      `${kind}/${name} would have ${plain.byteLength} bytes, at most ${LIMITS.record} allowed`,
    );
  }
  const header = newHeader('record', KIND_NUMBER[kind], its.keys.encrypted);
  const headerBytes = encodeHeader(header);
  const payload = writePayload(
    Buffer.allocUnsafe(payloadBound(plain.byteLength, 0)),
    plain,
    [],
    its.compression,
  );
  const seal = its.keys.sealFor(sealKind(kind), header.keyEpoch, header.salt);
  return withDigest([
    headerBytes,
    ...seal.seal(RECORD_NONCE, context(headerBytes, its.keys, kind, name), payload),
  ]);
}

/** Opens a stored record; rejects with DamagedError, FormatError or `newer-format`. */
export function decodeRecord<T>(
  kind: RecordKind,
  name: string,
  codec: Codec<T>,
  stored: Uint8Array,
  its: RecordContext,
): T {
  const object = `${kind}/${name}`;
  const content = checkDigest(stored, object);
  const header = decodeHeader(content, 'record', its.keys.encrypted, object);
  if (header.kind !== KIND_NUMBER[kind]) throw new FormatError(`${object}: record kind ${header.kind}`);
  const headerBytes = content.subarray(0, HEADER_BYTES);
  const seal = its.keys.sealFor(sealKind(kind), header.keyEpoch, header.salt);
  const payload = seal.open(
    RECORD_NONCE,
    context(headerBytes, its.keys, kind, name),
    content.subarray(HEADER_BYTES),
    object,
  );
  return decode(codec, readPayload(payload, its.zstd, LIMITS.record, object).plain, object);
}

/** Creates a record, and returns it as it is stored. Rejects with ObjectExistsError when the name is taken. */
export async function createRecord<T>(
  backend: Backend,
  kind: RecordKind,
  name: string,
  codec: Codec<T>,
  value: T,
  its: RecordContext,
): Promise<Uint8Array> {
  const stored = encodeRecord(kind, name, codec, value, its);
  await backend.write(kind, name, stored);
  return stored;
}

export async function readRecord<T>(
  backend: ObjectReader,
  kind: RecordKind,
  name: string,
  codec: Codec<T>,
  its: RecordContext,
): Promise<T> {
  return decodeRecord(kind, name, codec, await backend.read(kind, name), its);
}

/** The header in front of a record that is not sealed: config and keys. */
export function plainRecordHeader(kind: 'config' | 'keys'): Buffer {
  return encodeHeader(newHeader('record', KIND_NUMBER[kind], false));
}

/** The content of a stored record that is not sealed. */
export function plainRecordContent(kind: 'config' | 'keys', stored: Uint8Array, object: string): Uint8Array {
  const content = checkDigest(stored, object);
  const header = decodeHeader(content, 'record', false, object);
  if (header.kind !== KIND_NUMBER[kind]) throw new FormatError(`${object}: record kind ${header.kind}`);
  return content.subarray(HEADER_BYTES);
}
