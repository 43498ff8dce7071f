import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { localFailure, newStagingPath } from '../../backends/index.js';
import { BackendError } from '../../core/index.js';
import { freeSpaceAt, rawPath } from '../../fs/index.js';
import { openSectors, readExactly } from '../iso/sectors.js';

/** Copied at once. */
const PIECE_BYTES = 4 * 2 ** 20;

/** Bytes of a pack on a disc. */
export type ReadPack = (offset: number, length: number) => Promise<Uint8Array>;

/** Copies of packs whose disc does not stay in the drive. */
export class DiscSpool {
  private readonly paths = new Map<string, string>();

  /** `folder` is made when it is needed. */
  constructor(private readonly folder: string) {}

  /** Rejects with BackendError when there is no room for so many bytes. */
  async checkRoom(bytes: number): Promise<void> {
    const free = freeSpaceAt(rawPath(this.folder)).bytes;
    if (free >= bytes) return;
    throw new BackendError(
      `copies of packs need ${bytes} bytes in ${this.folder}, and ${free} are free`,
      false,
      {
        hint: 'Free some space, have cbr use another folder with --cache-dir, or restore a part at a time. Nothing was written.',
      },
    );
  }

  get place(): string {
    return this.folder;
  }

  has(pack: string): boolean {
    return this.paths.has(pack);
  }

  /**
   * Keeps a copy of a pack; says whether it is what its name says. Of a damaged one too, until a whole one comes: what is whole of it
   * can be restored. Parts that cannot be read are zeros. Rejects with BackendError when there is no room for it.
   */
  async add(pack: string, size: number, read: ReadPack, signal?: AbortSignal): Promise<boolean> {
    const path = newStagingPath(this.folder);
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      const isWhole = (await this.copy(path, size, read, signal)) === pack;
      const before = this.paths.get(pack);
      const useless = before === undefined || isWhole ? before : path;
      if (useless !== path) this.paths.set(pack, path);
      if (useless !== undefined) await rm(useless, { force: true });
      return isWhole;
    } catch (error) {
      await rm(path, { force: true });
      throw localFailure(`cannot keep a copy of a pack in ${this.folder}`, error);
    }
  }

  private async copy(path: string, size: number, read: ReadPack, signal?: AbortSignal): Promise<string> {
    const hash = createHash('sha256');
    const file = await open(path, 'wx', 0o600);
    try {
      for (let offset = 0; offset < size; offset += PIECE_BYTES) {
        signal?.throwIfAborted();
        const length = Math.min(PIECE_BYTES, size - offset);
        const bytes = await read(offset, length).catch(() => new Uint8Array(length));
        hash.update(bytes);
        await file.writeFile(bytes);
      }
      return hash.digest('hex');
    } finally {
      await file.close();
    }
  }

  /** Exactly these bytes. */
  async read(pack: string, offset: number, length: number): Promise<Uint8Array> {
    // Not kept open: there may be more of them than a process may open files.
    const source = await openSectors(this.paths.get(pack)!);
    try {
      return await readExactly(source, offset, length, `packs/${pack}`);
    } finally {
      await source.close();
    }
  }

  /** Keeps no copy of that pack. */
  async drop(pack: string): Promise<void> {
    const path = this.paths.get(pack);
    this.paths.delete(pack);
    if (path !== undefined) await rm(path, { force: true });
  }

  /** Removes the copies. */
  async close(): Promise<void> {
    for (const path of this.paths.values()) await rm(path, { force: true });
    this.paths.clear();
  }
}
