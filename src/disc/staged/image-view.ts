import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CbrError, errnoOf } from '../../core/index.js';
import type { DiscBackend } from '../images/disc-backend.js';
import { type OpenDiscsRequest, openDiscs } from '../images/open-discs.js';
import { imagePath, rememberedLabel } from './current-image.js';
import { stagingFolderOf } from './staged-settings.js';

export interface ImagesNow {
  /** Undefined as long as there are none. */
  readonly images: DiscBackend | undefined;
  readonly mark: string;
}

/**
 * The images of a folder, as they were after the last session that was appended. Each one that appends leaves a mark before it removes
 * what was staged: who sees the same mark before and after looking at what is staged has missed nothing.
 */
export class ImageView {
  private backend: DiscBackend | undefined;
  private mark: string | undefined;
  /** Ids of discs under whose name there is something else, or an image that cannot be read. */
  private unreadable: ReadonlySet<string> = new Set();
  /** Two that look at the same time must not both open what has changed. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly request: OpenDiscsRequest) {}

  /** The images as they are now, and the mark that they have. */
  current(): Promise<ImagesNow> {
    const result = this.turn.then(() => this.look());
    this.turn = result.catch(() => undefined);
    return result;
  }

  private async look(): Promise<ImagesNow> {
    const mark = await readMark(this.request.path);
    if (mark !== this.mark) {
      await this.release();
      this.backend = await this.open();
      this.unreadable = await this.findUnreadable();
      this.mark = mark;
    }
    return { images: this.backend, mark };
  }

  private async open(): Promise<DiscBackend | undefined> {
    try {
      const remembered = await rememberedLabel(this.request.path);
      return await openDiscs({ ...this.request, ...(remembered === undefined ? {} : { remembered }) });
    } catch (error) {
      if (error instanceof CbrError && error.code === 'no-repository') return undefined;
      throw error;
    }
  }

  private async findUnreadable(): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (const { id, volume, files } of this.backend?.discs() ?? []) {
      if (files.length > 0) continue;
      const isThere = await access(imagePath(this.request.path, volume)).then(
        () => true,
        () => false,
      );
      if (isThere) found.add(id);
    }
    return found;
  }

  /** Whether the image that has a pack was not moved away, and could not be read when somebody looked last. */
  isUnreadable(pack: string): boolean {
    const discs = this.backend?.discsOf('packs', pack) ?? [];
    return discs.some(({ id }) => this.unreadable.has(id)) && discs.every(({ files }) => files.length === 0);
  }

  /** The images as they were when somebody looked last. */
  get latest(): DiscBackend | undefined {
    return this.backend;
  }

  /** Waits for those that look. */
  async close(): Promise<void> {
    await this.turn;
    await this.release();
  }

  private async release(): Promise<void> {
    const open = this.backend;
    this.backend = undefined;
    this.mark = undefined;
    await open?.close();
  }
}

function markFile(folder: string): string {
  return join(stagingFolderOf(folder), 'appended');
}

async function readMark(folder: string): Promise<string> {
  try {
    return await readFile(markFile(folder), 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

/** `number` is another one each time. */
export async function leaveMark(folder: string, number: string): Promise<void> {
  await writeFile(markFile(folder), number, { flush: true });
}
