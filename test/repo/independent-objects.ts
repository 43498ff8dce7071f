import { createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { argon2id } from '@noble/hashes/argon2.js';
import { blake3 } from '@noble/hashes/blake3.js';
import { Unpackr } from 'msgpackr';

/**
 * The lower half of the independent reader: objects, keys, seals, payloads and packs, written from docs/format.md alone.
 * It shares no line with src/. The headings are those of the page.
 */

interface WasmZstd {
  init(): Promise<void>;
  decompress(frame: Uint8Array): Uint8Array;
}

/** A copy of its own: the module has one memory, which a second `init` (the library's) would put away. */
const zstd = await (async () => {
  const require = createRequire(import.meta.url);
  const forget = (): void => {
    for (const path of Object.keys(require.cache)) if (path.includes('zstd-wasm')) delete require.cache[path];
  };
  forget();
  const loaded = require('@bokuweb/zstd-wasm') as WasmZstd;
  await loaded.init();
  forget();
  return loaded;
})();

export type Plain = Record<string, unknown>;

const messagePack = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });
export const unpack = (bytes: Uint8Array): unknown => messagePack.unpack(bytes);

export function need(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`not as docs/format.md says: ${what}`);
}

export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
export const ascii = (text: string): Buffer => Buffer.from(text, 'ascii');
const hkdf = (ikm: Uint8Array, salt: Uint8Array, info: string): Buffer =>
  Buffer.from(hkdfSync('sha256', ikm, salt, ascii(`cbr 2026 ${info}`), 32));

// Objects

/** The objects of one kind, by name. */
export function objectsOf(folder: string, kind: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  const visit = (path: string, name: string): void => {
    for (const entry of existsSync(path) ? readdirSync(path, { withFileTypes: true }) : []) {
      const below = name === '' ? entry.name : `${name}/${entry.name}`;
      if (entry.isDirectory()) visit(join(path, entry.name), below);
      else found.set(kind === 'packs' ? entry.name : below, readFileSync(join(path, entry.name)));
    }
  };
  visit(join(folder, kind), '');
  return found;
}

// Object header

export interface Header {
  readonly kind: number;
  readonly scheme: number;
  readonly epoch: number;
  readonly salt: Buffer;
  readonly bytes: Buffer;
}

export function headerOf(object: Buffer, magic: string): Header {
  need(object.length >= 56, 'a header of 56 bytes');
  need(object.toString('ascii', 0, 4) === magic, `magic ${magic}`);
  need(object.readUInt16LE(4) === 1, 'version 1');
  need(object.readUInt16LE(6) === 56, 'header length');
  need(object.readUInt32LE(8) === 0, 'no required feature');
  need(object.readUInt16LE(18) === 0, 'zero at 18');
  return {
    scheme: object[16]!,
    kind: object[17]!,
    epoch: object.readUInt32LE(20),
    salt: object.subarray(24, 56),
    bytes: object.subarray(0, 56),
  };
}

/** What stands between header and closing SHA-256. */
export function bodyOf(object: Buffer): Buffer {
  const end = object.length - 32;
  need(sha256(object.subarray(0, end)).equals(object.subarray(end)), 'it ends with its SHA-256');
  return object.subarray(56, end);
}

// Keys

export function masterKey(folder: string, repository: Buffer, password: string): Buffer {
  for (const object of objectsOf(folder, 'keys').values()) {
    const header = headerOf(object, 'CBRR');
    need(header.kind === 2 && header.scheme === 0, 'kind and scheme of a key');
    const record = bodyOf(object);
    const key = unpack(record) as {
      kdf: string;
      salt: Buffer;
      memoryKiB: number;
      passes: number;
      lanes: number;
      commitment: Buffer;
      wrapped: Buffer;
    };
    need(key.kdf === 'argon2id', 'argon2id');
    const cost = { m: key.memoryKiB, t: key.passes, p: key.lanes, dkLen: 32, version: 0x13 };
    const secret = argon2id(Buffer.from(password, 'utf8'), key.salt, cost);
    if (!hkdf(secret, key.salt, 'key commitment').equals(key.commitment)) continue;
    // The record with zeros as `wrapped`, which is its last field: 48 bytes behind a head of two.
    const blank = Buffer.from(record);
    blank.fill(0, blank.length - 48);
    const open = createDecipheriv('aes-256-gcm', hkdf(secret, key.salt, 'key wrapping'), Buffer.alloc(12));
    open.setAAD(Buffer.concat([repository, blank]));
    open.setAuthTag(key.wrapped.subarray(32));
    return Buffer.concat([open.update(key.wrapped.subarray(0, 32)), open.final()]);
  }
  throw new Error('this password opens no key');
}

export interface PackChunks {
  readonly kind: 'data' | 'tree';
  /** By hexadecimal id. */
  readonly chunks: ReadonlyMap<string, Buffer>;
}

/** The last few packs: tests open many copies of one repository, and each pack takes milliseconds. */
class OpenedPacks {
  private readonly packs = new Map<string, PackChunks & { readonly size: number }>();
  private bytes = 0;

  get(name: string): PackChunks | undefined {
    return this.packs.get(name);
  }

  keep(name: string, found: PackChunks, size: number): void {
    this.packs.set(name, { ...found, size });
    this.bytes += size;
    for (const [oldest, { size: its }] of this.packs) {
      if (this.bytes <= MOST_KEPT) break;
      this.packs.delete(oldest);
      this.bytes -= its;
    }
  }
}

const MOST_KEPT = 64 * 2 ** 20;

type Sort = 'pack' | 'index' | 'record' | 'control';

/** Everything that depends on whether the repository is encrypted. */
export interface Cipher {
  /** What it found in packs before, by their names: the same bytes are not taken apart again. */
  readonly opened: OpenedPacks;
  chunkId(kind: 'data' | 'tree', plain: Uint8Array): Buffer;
  configMac(record: Uint8Array): Buffer;
  open(sort: Sort, header: Header, nonce: number, context: readonly Uint8Array[], sealed: Buffer): Buffer;
}

function nonceBytes(nonce: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32LE(nonce);
  return bytes;
}

// Seals

export function encryptedCipher(master: Buffer, repository: Buffer): Cipher {
  const subkey = (info: string): Buffer => hkdf(master, repository, info);
  return {
    opened: new OpenedPacks(),
    chunkId: (kind, plain) => Buffer.from(blake3(plain, { key: subkey(`${kind} chunk ids`) })),
    configMac: (record) => Buffer.from(blake3(record, { key: subkey('config MAC') })),
    open: (sort, header, nonce, context, sealed) => {
      need(header.scheme === 1, 'scheme 1');
      const key = hkdf(subkey(`${sort} key, epoch ${header.epoch}`), header.salt, `${sort} object`);
      const open = createDecipheriv('aes-256-gcm', key, nonceBytes(nonce));
      open.setAAD(Buffer.concat(context));
      open.setAuthTag(sealed.subarray(-16));
      return Buffer.concat([open.update(sealed.subarray(0, -16)), open.final()]);
    },
  };
}

function plainHash(context: string, bytes: Uint8Array): Buffer {
  return Buffer.from(blake3(bytes, { context: ascii(`cbr 2026 ${context}`) }));
}

/** The same for all repositories: nothing in it is of one of them. */
export const PLAIN_CIPHER: Cipher = {
  opened: new OpenedPacks(),
  chunkId: (kind, plain) => plainHash(`${kind} chunk ids`, plain),
  configMac: (record) => plainHash('config checksum', record),
  open: (_, header, nonce, context, sealed) => {
    need(header.scheme === 0, 'scheme 0');
    const body = sealed.subarray(0, -16);
    const tag = plainHash('checksums', Buffer.concat([nonceBytes(nonce), ...context, body])).subarray(0, 16);
    need(tag.equals(sealed.subarray(-16)), 'the checksum');
    return body;
  },
};

// Payload

export function payloadOf(bytes: Buffer): { lengths: number[]; plain: Buffer } {
  const [codec, plainLength, size, count] = [
    bytes[0]!,
    bytes.readUInt32LE(4),
    bytes.readUInt32LE(8),
    bytes.readUInt32LE(12),
  ];
  need(bytes.readUIntLE(1, 3) === 0, 'three zero bytes');
  const lengths = Array.from({ length: count }, (_, i) => bytes.readUInt32LE(16 + 4 * i));
  const start = 16 + 4 * count;
  const content = bytes.subarray(start, start + size);
  need(content.length === size, 'the content length');
  need(
    bytes.subarray(start + size).every((byte) => byte === 0),
    'padding of zeros',
  );
  need(codec === 0 || codec === 1, 'the codec');
  const plain = codec === 0 ? content : Buffer.from(zstd.decompress(content));
  need(plain.length === plainLength, 'the plain length');
  need(count === 0 || lengths.reduce((sum, each) => sum + each, 0) === plainLength, 'lengths that add up');
  return { lengths, plain };
}

// Pack

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** All chunks of a pack; table, headers, tail and ids are checked on the way. */
export function chunksOfPack(name: string, pack: Buffer, cipher: Cipher): PackChunks {
  need(sha256(pack).toString('hex') === name, 'its name is its SHA-256');
  const known = cipher.opened.get(name);
  if (known !== undefined) return known;
  const found = takenApart(pack, cipher);
  cipher.opened.keep(name, found, pack.length);
  return found;
}

function takenApart(pack: Buffer, cipher: Cipher): PackChunks {
  const header = headerOf(pack, 'CBRP');
  need(header.kind === 1 || header.kind === 2, 'the kind of a pack');
  const kind = header.kind === 1 ? 'data' : 'tree';
  need(pack.toString('ascii', pack.length - 8) === 'CBR-TAIL', 'a tail');
  need(pack.readUInt32LE(pack.length - 12) === 1, 'version of the tail');
  const headerCopy = pack.length - 16 - 56;
  need(pack.subarray(headerCopy, headerCopy + 56).equals(header.bytes), 'the header twice');
  const tableStart = headerCopy - pack.readUInt32LE(pack.length - 16);
  const sealedTable = pack.subarray(tableStart, headerCopy);
  const table = payloadOf(cipher.open('pack', header, 0xffffffff, [header.bytes], sealedTable)).plain;
  const [blocks, count] = [table.readUInt32LE(0), table.readUInt32LE(4)];
  need(table.length === 8 + 12 * blocks + 36 * count, 'the length of the table');
  const chunks = new Map<string, Buffer>();
  let at = 56;
  let row = 0;
  for (let number = 0; number < blocks; number++) {
    const stored = table.readUInt32LE(8 + 12 * number);
    const head = pack.subarray(at, at + 24);
    need(head.toString('ascii', 0, 4) === 'CBRB', 'a block');
    need(head.readUInt32LE(4) === number, 'its number');
    need(head.readUInt32LE(8) === stored - 24, 'its length');
    need(head.subarray(12, 20).equals(header.salt.subarray(0, 8)), 'the salt of its pack');
    need(head.readUInt32LE(20) === crc32c(head.subarray(0, 20)), 'its CRC-32C');
    const sealed = pack.subarray(at + 24, at + stored);
    const { lengths, plain } = payloadOf(cipher.open('pack', header, number, [header.bytes, head], sealed));
    need(plain.length === table.readUInt32LE(12 + 12 * number), 'plain length of the block');
    need(lengths.length === table.readUInt32LE(16 + 12 * number), 'chunks of the block');
    let start = 0;
    for (const length of lengths) {
      const chunk = plain.subarray(start, start + length);
      const id = cipher.chunkId(kind, chunk);
      need(table.readUInt32LE(8 + 12 * blocks + 4 * row) === length, 'length of a chunk');
      const idAt = 8 + 12 * blocks + 4 * count + 32 * row;
      need(table.subarray(idAt, idAt + 32).equals(id), 'id of a chunk');
      chunks.set(id.toString('hex'), chunk);
      start += length;
      row++;
    }
    at += stored;
  }
  need(at === tableStart && row === count, 'blocks without gaps');
  return { kind, chunks };
}
