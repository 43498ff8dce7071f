import { createDecipheriv, hkdfSync, timingSafeEqual } from 'node:crypto';
import { blake3 } from '@noble/hashes/blake3.js';
import { Damage } from './failure.js';
import type { Header } from './header.js';

/** Ids and seals of one repository: docs/format.md, "Keys" and "Seals". */

export type Sort = 'pack' | 'index' | 'record';
export type ChunkKind = 'data' | 'tree';

const TAG_BYTES = 16;

export function hkdf(ikm: Uint8Array, salt: Uint8Array, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', ikm, salt, info, 32));
}

/** AES-256-GCM; throws Damage if the tag is not right. */
export function decrypt(key: Buffer, nonce: Buffer, context: Buffer, sealed: Buffer): Buffer {
  if (sealed.length < TAG_BYTES) throw new Damage('a seal is cut short');
  const cipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(context);
  cipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const plain = cipher.update(sealed.subarray(0, -TAG_BYTES));
  try {
    cipher.final();
  } catch {
    throw new Damage('its seal is broken');
  }
  return plain;
}

export class Keys {
  private readonly sorts = new Map<string, Buffer>();
  private readonly ids: Readonly<Record<ChunkKind, typeof prepared>>;

  /** `master` is absent in repositories that are not encrypted. */
  constructor(
    readonly repository: Buffer,
    private readonly master: Buffer | undefined,
  ) {
    this.ids = { data: this.hash('data chunk ids'), tree: this.hash('tree chunk ids') };
  }

  chunkId(kind: ChunkKind, chunk: Uint8Array): Uint8Array {
    return this.ids[kind].clone().update(chunk).digest();
  }

  /** What stands beside the config of that number if nobody has altered it. */
  configMac(name: string, config: Buffer): Uint8Array {
    const hash = this.master === undefined ? deriving('cbr 2026 config checksum') : this.hash('config MAC');
    return hash.update(Buffer.from(name)).update(config).digest();
  }

  /** The payload inside a seal. Throws Damage if a single bit is not as it was sealed. */
  open(sort: Sort, header: Header, nonceNumber: number, context: Buffer, sealed: Buffer): Buffer {
    if (header.scheme !== (this.master === undefined ? 0 : 1))
      throw new Damage('it is not sealed as it must be');
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32LE(nonceNumber);
    if (this.master !== undefined) {
      return decrypt(this.objectKey(this.master, sort, header), nonce, context, sealed);
    }
    if (sealed.length < TAG_BYTES) throw new Damage('a seal is cut short');
    const body = sealed.subarray(0, -TAG_BYTES);
    const tag = deriving('cbr 2026 checksums').update(nonce).update(context).update(body).digest();
    if (!timingSafeEqual(tag.subarray(0, TAG_BYTES), sealed.subarray(-TAG_BYTES))) {
      throw new Damage('its checksum is wrong');
    }
    return body;
  }

  private objectKey(master: Buffer, sort: Sort, header: Header): Buffer {
    const info = `cbr 2026 ${sort} key, epoch ${header.epoch}`;
    const sortKey = this.sorts.get(info) ?? hkdf(master, this.repository, info);
    this.sorts.set(info, sortKey);
    return hkdf(sortKey, header.salt, `cbr 2026 ${sort} object`);
  }

  /** BLAKE3, keyed with the key of that name, or deriving under that name where there are no keys. */
  private hash(name: string): typeof prepared {
    const info = `cbr 2026 ${name}`;
    if (this.master === undefined) return deriving(info);
    return blake3.create({ key: hkdf(this.master, this.repository, info) });
  }
}

const prepared = blake3.create();

function deriving(context: string): typeof prepared {
  return blake3.create({ context: Buffer.from(context) });
}
