import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { crc32, createDeflateRaw, deflateRaw } from 'node:zlib';
import { fromLatin1 } from '../../core/index.js';
import type { EntryType } from '../../fs/index.js';
import type { Entry } from '../entry.js';
import type { ArchiveEntry, ArchiveWriter, FileContent } from './archive-writer.js';
import type { ByteSink } from './byte-sink.js';
import {
  DEFLATED,
  directoryRecord,
  endRecords,
  localRecord,
  STORED,
  sizesRecord,
  type ZipMember,
  type ZipZone,
} from './zip-records.js';

const deflated = promisify(deflateRaw) as (plain: Uint8Array) => Promise<Buffer>;

const HELD: ReadonlySet<EntryType> = new Set(['file', 'directory', 'symlink']);
/** Content that does not deflate may grow by a few bytes in each 16 KiB: this leaves room for that below 4 GiB. */
const LARGE_BYTES = 0xff000000;
const MOST_NAME_BYTES = 65_535;
/** The directory is kept to the end: in pieces of this size, for a record alone would take far more than its bytes. */
const DIRECTORY_PIECE = 256 * 1024;

/** Writes zip archives that Info-ZIP's unzip and its kind read back with modes, times and symlinks. */
export class ZipWriter implements ArchiveWriter {
  readonly hasHardLinks = false;
  private offset = 0;
  private members = 0;
  private readonly directory: Buffer[] = [];
  private piece = Buffer.alloc(0);
  private pieceUsed = 0;

  constructor(
    private readonly sink: ByteSink,
    private readonly zone: ZipZone,
  ) {}

  refusal({ path, entry }: ArchiveEntry): string | undefined {
    if (!HELD.has(entry.type)) return `a zip archive cannot hold a ${entry.type}`;
    return path.length < MOST_NAME_BYTES
      ? undefined
      : `a zip archive cannot hold a path of ${path.length} bytes`;
  }

  async add({ path, entry }: ArchiveEntry, content: FileContent = new Uint8Array()): Promise<void> {
    const name = entry.type === 'directory' ? `${path}/` : path;
    const start = this.offset;
    const plain = entry.type === 'symlink' ? fromLatin1(entry.linkTarget ?? '') : content;
    const member =
      plain instanceof Uint8Array
        ? await this.addWhole(name, entry, plain)
        : await this.addPieces(name, entry, plain);
    this.remember(directoryRecord(member, start, this.zone));
  }

  async finish(): Promise<void> {
    const start = this.offset;
    for (const piece of this.directory) await this.write(piece);
    await this.write(this.piece.subarray(0, this.pieceUsed));
    await this.write(endRecords(this.members, start, this.offset - start));
  }

  private async addWhole(name: string, entry: Entry, plain: Uint8Array): Promise<ZipMember> {
    const packed = plain.byteLength === 0 ? undefined : await deflated(plain);
    const isSmaller = packed !== undefined && packed.byteLength < plain.byteLength;
    const bytes = isSmaller ? packed : plain;
    const member: ZipMember = {
      name,
      entry,
      method: isSmaller ? DEFLATED : STORED,
      sizesFollow: false,
      isLarge: false,
      crc: crc32(plain),
      packed: bytes.byteLength,
      size: plain.byteLength,
    };
    await this.write(localRecord(member, this.zone));
    await this.write(bytes);
    return member;
  }

  private async addPieces(name: string, entry: Entry, plain: AsyncIterable<Uint8Array>): Promise<ZipMember> {
    const isLarge = (entry.size ?? 0) >= LARGE_BYTES;
    const about = { name, entry, method: DEFLATED, sizesFollow: true, isLarge } as const;
    await this.write(localRecord({ ...about, crc: 0, packed: 0, size: 0 }, this.zone));
    const start = this.offset;
    let crc = 0;
    let size = 0;
    await pipeline(
      async function* () {
        for await (const bytes of plain) {
          crc = crc32(bytes, crc);
          size += bytes.byteLength;
          yield bytes;
        }
      },
      createDeflateRaw({ chunkSize: 2 ** 18 }),
      async (packed: AsyncIterable<Buffer>) => {
        for await (const bytes of packed) await this.write(bytes);
      },
    );
    const member: ZipMember = { ...about, crc, size, packed: this.offset - start };
    await this.write(sizesRecord(member));
    return member;
  }

  private async write(bytes: Uint8Array): Promise<void> {
    this.offset += bytes.byteLength;
    await this.sink.write(bytes);
  }

  private remember(record: Buffer): void {
    this.members++;
    if (this.pieceUsed + record.byteLength > this.piece.byteLength) {
      if (this.pieceUsed > 0) this.directory.push(this.piece.subarray(0, this.pieceUsed));
      this.piece = Buffer.allocUnsafeSlow(Math.max(DIRECTORY_PIECE, record.byteLength));
      this.pieceUsed = 0;
    }
    this.pieceUsed += record.copy(this.piece, this.pieceUsed);
  }
}
