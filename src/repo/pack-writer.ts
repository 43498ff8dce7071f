import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { CbrError, CHUNK_ID_BYTES, copyBytes, LIMITS, type ObjectDigest, sameBytes } from '../core/index.js';
import type { Algorithms } from './algorithms/algorithms.js';
import type { Blake3 } from './algorithms/blake3.js';
import { encodeBlockHeader, type PackSeal } from './block.js';
import type { BlockSummary, PackKind, PackSummary } from './index-segment.js';
import { type Keys, TABLE_NONCE } from './keys.js';
import { encodeHeader, newHeader } from './object-header.js';
import { encodeTail, PACK_KIND_NUMBER } from './pack-format.js';
import { encodePackTable, type PackTable } from './pack-table.js';
import { type Compression, payloadBound, readPayload, writePayload } from './payload.js';
import { TAG_BYTES } from './seal.js';

export interface PackWriterOptions {
  readonly kind: PackKind;
  readonly keys: Keys;
  readonly algorithms: Algorithms;
  readonly compressionLevel: number;
  /** Round stored blocks up (Padmé). */
  readonly pad: boolean;
  /** Plain bytes after which a block is sealed. */
  readonly blockBytes: number;
  /** Stored bytes after which a pack is finished. */
  readonly packBytes: number;
  /** Open each sealed block again and compare its chunk ids before an index may name it. */
  readonly verify: boolean;
  /** A path for the next staged file, in a folder that exists. */
  readonly stagingPath: () => string;
}

/** Plain bytes of a block of trees: small, so that looking at one directory opens little (docs/design.md section 2). */
export const TREE_BLOCK_BYTES = 256 * 1024;

/** A pack with more may not take another block: one index segment must be able to list all its chunks. */
const MAX_CHUNKS = LIMITS.segmentChunks - LIMITS.blockChunks;

/** A whole pack, staged in a file, not yet in the repository. */
export interface FinishedPack {
  readonly path: string;
  readonly summary: PackSummary;
  readonly table: PackTable;
  /** Plain bytes of its chunks. */
  readonly plainBytes: number;
  /** Time this thread spent on opening again what it had sealed. */
  readonly verifyMs: number;
}

/** What a block of another pack holds. */
export interface AdoptedBlock {
  readonly chunkLengths: readonly number[];
  readonly plainBytes: number;
}

function sealedWrongly(): CbrError {
  return new CbrError('internal', 'a block that was just sealed does not open to the chunks put into it', {
    hint: 'The memory, the processor or the compressor of this machine is at fault: test its memory. Nothing wrong was stored.',
  });
}

/** The pack being written. */
interface OpenPack extends PackSeal {
  readonly path: string;
  readonly fd: number;
  readonly hash: Hash;
  readonly blocks: BlockSummary[];
  readonly ids: Buffer[];
  readonly lengths: number[];
  size: number;
}

/**
 * Gathers chunks into blocks and blocks into packs, staged in files. Synchronous: it runs in a worker thread, or on the
 * main thread for trees. Each pack has a salt of its own and is never continued: after any failure, `abandon` and begin a
 * new writer.
 */
export class PackWriter {
  private readonly ids: Blake3;
  private readonly compression: Compression;
  private readonly verifyBuffer: Buffer | undefined;
  private readonly digest = Buffer.alloc(CHUNK_ID_BYTES);
  private blockBuffer: Buffer;
  private payloadBuffer: Buffer;
  private used = 0;
  private chunkLengths: number[] = [];
  private chunkIds: Buffer[] = [];
  private open: OpenPack | undefined;
  private failure: { readonly error: unknown } | undefined;
  private verifyMs = 0;

  constructor(private readonly options: PackWriterOptions) {
    this.ids = options.keys.chunkIds(options.kind);
    this.compression = { zstd: options.algorithms.zstd, level: options.compressionLevel, pad: options.pad };
    this.blockBuffer = Buffer.allocUnsafeSlow(options.blockBytes);
    this.payloadBuffer = Buffer.allocUnsafeSlow(payloadBound(options.blockBytes, 1024));
    this.verifyBuffer = options.verify ? Buffer.allocUnsafeSlow(options.blockBytes) : undefined;
  }

  /** Plain bytes that wait for their block to fill. */
  get waiting(): number {
    return this.used;
  }

  /** Takes a copy of one chunk. Returns the pack that this finished, if it did. */
  add(id: Uint8Array, content: Uint8Array): FinishedPack | undefined {
    return this.orAbandon(() => this.take(id, content));
  }

  private take(id: Uint8Array, content: Uint8Array): FinishedPack | undefined {
    const length = content.byteLength;
    if (length < 1 || length > LIMITS.chunk) throw new RangeError(`chunk of ${length} bytes`);
    let finished: FinishedPack | undefined;
    const full = this.used + length > this.options.blockBytes || this.chunkIds.length === LIMITS.blockChunks;
    if (full && this.used > 0) finished = this.sealBlock();
    if (length > this.blockBuffer.length) this.blockBuffer = Buffer.allocUnsafeSlow(length);
    copyBytes(content, this.blockBuffer, this.used);
    this.used += length;
    this.chunkLengths.push(length);
    this.chunkIds.push(Buffer.from(id));
    return finished;
  }

  /**
   * Takes a copy of the payload of a whole block of another pack, as it is: it is sealed anew, and not compressed again.
   * `ids`: 32 bytes for each of its chunks. Returns the pack that this finished, if it did.
   */
  adopt(
    payload: Uint8Array,
    ids: Uint8Array,
    { chunkLengths, plainBytes }: AdoptedBlock,
  ): FinishedPack | undefined {
    return this.orAbandon(() => {
      const open = this.open ?? this.begin();
      const digests = chunkLengths.map((_, i) =>
        Buffer.from(ids.subarray(CHUNK_ID_BYTES * i, CHUNK_ID_BYTES * (i + 1))),
      );
      const number = open.blocks.length;
      const header = encodeBlockHeader(number, payload.byteLength + TAG_BYTES, open.salt);
      const [body, tag] = open.seal.seal(number, [open.header, header], payload);
      if (this.options.verify) {
        const opened = open.seal.openParts(number, [open.header, header], body, tag, 'a block just sealed');
        if (!sameBytes(opened, payload)) throw sealedWrongly();
      }
      return this.append(open, [header, body, tag], {
        plainBytes,
        chunkLengths,
        ids: digests,
      });
    });
  }

  /** Seals what waits and finishes the pack; undefined when there is nothing. */
  finish(): FinishedPack | undefined {
    return this.orAbandon(() => {
      const finished = this.used > 0 ? this.sealBlock() : undefined;
      return finished ?? (this.open === undefined ? undefined : this.finishPack(this.open));
    });
  }

  /**
   * After any failure the pack is thrown away and the writer takes nothing more: its hash may hold what the file does not,
   * and a nonce must never seal a second content.
   */
  private orAbandon<T>(action: () => T): T {
    if (this.failure !== undefined) throw this.failure.error;
    try {
      return action();
    } catch (error) {
      this.failure = { error };
      this.abandon();
      throw error;
    }
  }

  /** Throws away the pack being written and all that waits. */
  abandon(): void {
    const open = this.open;
    this.open = undefined;
    this.clearBlock();
    if (open === undefined) return;
    try {
      closeSync(open.fd);
      rmSync(open.path, { force: true });
    } catch {
      // It stays among the staged files, which are cleared when this process is gone; why it is abandoned matters more.
    }
  }

  private clearBlock(): void {
    this.used = 0;
    this.chunkLengths = [];
    this.chunkIds = [];
  }

  private begin(): OpenPack {
    const { kind, keys } = this.options;
    const header = newHeader('pack', PACK_KIND_NUMBER[kind], keys.encrypted);
    const path = this.options.stagingPath();
    const open: OpenPack = {
      path,
      fd: openSync(path, 'wx', 0o600),
      hash: createHash('sha256'),
      salt: header.salt,
      header: encodeHeader(header),
      seal: keys.sealFor('pack', header.keyEpoch, header.salt),
      blocks: [],
      ids: [],
      lengths: [],
      size: 0,
    };
    this.open = open;
    this.write(open, open.header);
    return open;
  }

  private write(open: OpenPack, bytes: Uint8Array): void {
    open.hash.update(bytes);
    for (let done = 0; done < bytes.byteLength; ) done += writeSync(open.fd, bytes, done);
    open.size += bytes.byteLength;
  }

  private sealBlock(): FinishedPack | undefined {
    const open = this.open ?? this.begin();
    const plain = this.blockBuffer.subarray(0, this.used);
    const needed = payloadBound(plain.byteLength, this.chunkLengths.length);
    if (needed > this.payloadBuffer.length) this.payloadBuffer = Buffer.allocUnsafeSlow(needed);
    const payload = writePayload(this.payloadBuffer, plain, this.chunkLengths, this.compression);
    const number = open.blocks.length;
    const header = encodeBlockHeader(number, payload.byteLength + TAG_BYTES, open.salt);
    const [body, tag] = open.seal.seal(number, [open.header, header], payload);
    if (this.options.verify) {
      const start = performance.now();
      this.verifyBlock(open, number, header, body, tag);
      this.verifyMs += performance.now() - start;
    }
    const { used: plainBytes, chunkLengths, chunkIds: ids } = this;
    this.clearBlock();
    return this.append(open, [header, body, tag], { plainBytes, chunkLengths, ids });
  }

  private append(
    open: OpenPack,
    parts: readonly Uint8Array[],
    { plainBytes, chunkLengths, ids }: AdoptedBlock & { readonly ids: readonly Buffer[] },
  ): FinishedPack | undefined {
    let stored = 0;
    for (const part of parts) {
      this.write(open, part);
      stored += part.byteLength;
    }
    open.blocks.push({ stored, plain: plainBytes, chunks: ids.length });
    for (const id of ids) open.ids.push(id);
    for (const length of chunkLengths) open.lengths.push(length);
    const full = open.size + stored / 2 > this.options.packBytes || open.blocks.length === LIMITS.packBlocks;
    return full || open.lengths.length > MAX_CHUNKS ? this.finishPack(open) : undefined;
  }

  /** Faults of a compressor, of memory or of a processor would otherwise be found at restore, too late. */
  private verifyBlock(
    open: OpenPack,
    number: number,
    header: Uint8Array,
    body: Uint8Array,
    tag: Uint8Array,
  ): void {
    const object = 'a block just sealed';
    const payload = open.seal.openParts(number, [open.header, header], body, tag, object);
    const { zstd } = this.options.algorithms;
    const { plain, chunkLengths } = readPayload(payload, zstd, LIMITS.blockPlain, object, this.verifyBuffer);
    let at = 0;
    for (const [i, length] of chunkLengths.entries()) {
      this.ids.digestTo(plain.subarray(at, at + length), this.digest, 0);
      if (!this.digest.equals(this.chunkIds[i]!)) throw sealedWrongly();
      at += length;
    }
  }

  private finishPack(open: OpenPack): FinishedPack {
    const { kind } = this.options;
    const table: PackTable = {
      blocks: open.blocks,
      ids: Buffer.concat(open.ids, CHUNK_ID_BYTES * open.ids.length),
      lengths: Uint32Array.from(open.lengths),
    };
    const encoded = encodePackTable(table);
    const room = Buffer.allocUnsafe(payloadBound(encoded.byteLength, 0));
    const payload = writePayload(room, encoded, [], this.compression);
    const sealed = Buffer.concat(open.seal.seal(TABLE_NONCE, [open.header], payload));
    this.write(open, sealed);
    this.write(open, open.header);
    this.write(open, encodeTail(sealed.byteLength));
    closeSync(open.fd);
    this.open = undefined;
    const name = open.hash.digest('hex') as ObjectDigest;
    const { verifyMs } = this;
    this.verifyMs = 0;
    return {
      path: open.path,
      summary: { name, kind, size: open.size, blocks: open.blocks },
      table,
      plainBytes: open.lengths.reduce((sum, length) => sum + length, 0),
      verifyMs,
    };
  }
}
