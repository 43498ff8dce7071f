import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeChecksums, SHA256SUMS_FILE } from '../checksums.js';
import { type DiscLabel, encodeLabel, LABEL_FILE, type LabelDisc } from '../label.js';
import { SECTOR_BYTES } from '../media.js';
import { READER_FILE, README_FILE } from '../set/disc-layout.js';
import { readmeText } from '../set/readme-text.js';
import {
  appendSession,
  type ImageOptions,
  imageSectors,
  type MappedFile,
  sessionSectors,
  writeImage,
} from '../xorriso/image-writer.js';
import { partOf, publishImage, syncPath } from '../xorriso/publish-image.js';
import type { CurrentImage } from './current-image.js';

/** One session of an image: what it would hold, how large the image would be, and writing it. */

/** An object in a folder of this machine. */
export interface StagedObject {
  /** Its path on the disc. */
  readonly to: string;
  /** Where it is. */
  readonly from: string;
  readonly size: number;
  /** Of packs and index segments: their name. */
  readonly sha256?: string;
}

export interface SessionFacts {
  /** All but the discs. */
  readonly label: Omit<DiscLabel, 'disc' | 'number' | 'volume' | 'discs'>;
  /** Objects that a new image gets, so that it can be opened by itself. */
  readonly onEach: readonly StagedObject[];
  /** Paths of objects that were removed. */
  readonly hidden: ReadonlySet<string>;
  readonly readerFile: string;
  readonly workFolder: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly signal: AbortSignal;
}

interface Content {
  readonly files: readonly MappedFile[];
  readonly removed: readonly string[];
}

export class ImageSession {
  constructor(
    readonly image: CurrentImage,
    private readonly facts: SessionFacts,
  ) {}

  /** The discs of the set when these packs are on this one too. */
  discsWith(packs: readonly StagedObject[]): LabelDisc[] {
    const { disc, others } = this.image;
    const added = packs.map(({ sha256, size }) => ({ name: sha256!, size }));
    return [...others, { ...disc, packs: [...disc.packs, ...added] }].sort((a, b) => a.number - b.number);
  }

  /** Bytes of the image with one more session of these objects. Nothing is written to it. */
  async bytesWith(packs: readonly StagedObject[], records: readonly StagedObject[]): Promise<number> {
    const content = await this.contentOf(packs, records);
    const { path, isNew } = this.image;
    if (isNew) return SECTOR_BYTES * (await imageSectors(content.files, path, this.options()));
    return SECTOR_BYTES * (await sessionSectors(content, path, this.options())).end;
  }

  /** Writes it, and makes it durable. */
  async write(packs: readonly StagedObject[], records: readonly StagedObject[]): Promise<void> {
    const content = await this.contentOf(packs, records);
    const { path, isNew } = this.image;
    if (isNew) {
      await writeImage(content.files, partOf(path), this.options());
      await publishImage(path);
    } else {
      await appendSession(content, path, this.options());
      await syncPath(path);
    }
  }

  private options(): ImageOptions {
    const { workFolder, time, signal } = this.facts;
    return { volumeId: this.image.disc.volume, workFolder, time, signal };
  }

  private async contentOf(
    packs: readonly StagedObject[],
    records: readonly StagedObject[],
  ): Promise<Content> {
    const { label, onEach, hidden, readerFile, workFolder } = this.facts;
    const { isNew, digests, disc } = this.image;
    const made = join(workFolder, 'made');
    await rm(made, { recursive: true, force: true });
    await mkdir(made, { recursive: true });
    const objects = new Map([...(isNew ? onEach : []), ...packs, ...records].map((each) => [each.to, each]));
    const removed = [...digests.keys()].filter((path) => hidden.has(path) && !objects.has(path));
    const sums = new Map([...digests].filter(([path]) => !removed.includes(path)));
    const files: MappedFile[] = [];
    for (const { from, to, sha256 } of objects.values()) {
      files.push({ from, to });
      sums.set(to, sha256 ?? digestOf(await readFile(from)));
    }
    const put = async (to: string, bytes: Uint8Array): Promise<void> => {
      const from = join(made, String(files.length));
      await writeFile(from, bytes);
      files.push({ from, to });
      sums.set(to, digestOf(bytes));
    };
    const discs = this.discsWith(packs);
    const { number, volume } = disc;
    const its: DiscLabel = { ...label, disc: disc.disc, number, volume, discs };
    if (isNew) await put(READER_FILE, await readFile(readerFile));
    await put(LABEL_FILE, encodeLabel(its));
    await put(README_FILE, Buffer.from(readmeText(its, discs.length)));
    sums.delete(SHA256SUMS_FILE);
    await put(SHA256SUMS_FILE, encodeChecksums(sums));
    return { files, removed };
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
