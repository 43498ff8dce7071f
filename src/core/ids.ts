import { asBuffer } from './bytes.js';

/**
 * A chunk id as a key: 32 characters of latin1 text, one per byte. Strings of this form are cheap to compare and to keep in
 * a Map, and hold no pooled Buffer alive.
 */
export type ChunkId = string & { readonly brand: 'ChunkId' };

/** The id of a session and of the snapshot it commits: 32 hexadecimal digits, random. */
export type SessionId = string & { readonly brand: 'SessionId' };

/** SHA-256 of an object's stored bytes: 64 hexadecimal digits. The name of packs and index segments. */
export type ObjectDigest = string & { readonly brand: 'ObjectDigest' };

export const CHUNK_ID_BYTES = 32;

/** The id stored at `offset` of `bytes`. */
export function chunkIdAt(bytes: Uint8Array, offset = 0): ChunkId {
  return asBuffer(bytes).toString('latin1', offset, offset + CHUNK_ID_BYTES) as ChunkId;
}

export function chunkIdBytes(id: ChunkId): Buffer {
  return Buffer.from(id, 'latin1');
}

export function chunkIdHex(id: ChunkId): string {
  return chunkIdBytes(id).toString('hex');
}

export function sessionId(random: Uint8Array): SessionId {
  return asBuffer(random).toString('hex') as SessionId;
}

export function isSessionId(name: string): name is SessionId {
  return /^[0-9a-f]{32}$/.test(name);
}

export function isObjectDigest(name: string): name is ObjectDigest {
  return /^[0-9a-f]{64}$/.test(name);
}
