import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CbrError, DamagedError, errnoOf, MIB } from '../../core/index.js';
import { encodeChecksums, SHA256SUMS_FILE } from '../checksums.js';
import { readIso, readIsoFile } from '../iso/read-iso.js';
import { openSectors } from '../iso/sectors.js';
import { type DiscLabel, encodeLabel, LABEL_FILE, type LabelDisc } from '../label.js';
import { SECTOR_BYTES } from '../media.js';
import { README_FILE, type RestoreSources, restoreFiles } from '../set/disc-layout.js';
import { readmeText } from '../set/readme-text.js';
import {
  appendSession,
  type ImageOptions,
  imageSectors,
  type MappedFile,
  sessionSectors,
  writeImage,
} from '../xorriso/image-writer.js';
import type { ProgramMark } from '../xorriso/program-file.js';
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
  readonly restore: RestoreSources;
  readonly workFolder: string;
  /** By which others can tell that xorriso writes. */
  readonly mark: ProgramMark;
  /** Seconds since 1970. */
  readonly time: number;
  readonly signal: AbortSignal;
}

/** Read at a time. */
const PIECE_BYTES = 4 * MIB;

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
    // A run that was ended behind its append leaves packs staged that the image has: they are not listed twice.
    const there = new Set(disc.packs.map(({ name }) => name));
    const added = packs
      .map(({ sha256, size }) => ({ name: sha256!, size }))
      .filter(({ name }) => !there.has(name));
    return [...others, { ...disc, packs: [...disc.packs, ...added] }].sort((a, b) => a.number - b.number);
  }

  private labelWith(packs: readonly StagedObject[]): DiscLabel {
    const { disc, number, volume } = this.image.disc;
    return { ...this.facts.label, disc, number, volume, discs: this.discsWith(packs) };
  }

  /** Bytes of the image with one more session of these objects. Nothing is written to it. */
  async bytesWith(packs: readonly StagedObject[], records: readonly StagedObject[]): Promise<number> {
    const content = await this.contentOf(packs, records);
    const { path, isNew } = this.image;
    if (isNew) return SECTOR_BYTES * (await imageSectors(content.files, path, this.options()));
    return SECTOR_BYTES * (await sessionSectors(content, path, this.options())).end;
  }

  /**
   * Writes it, makes it durable, and reads back what leaves staging then. Rejects with `target` when a new image would take the name of one
   * that is there, and with DamagedError when what is on the image is not what was to be written.
   */
  async write(packs: readonly StagedObject[], records: readonly StagedObject[]): Promise<DiscLabel> {
    const content = await this.contentOf(packs, records);
    const { path, isNew } = this.image;
    const options = { ...this.options(), mark: this.facts.mark };
    if (isNew) {
      await refuseTaken(path);
      await writeImage(content.files, partOf(path), options);
      await publishImage(path);
    } else {
      await appendSession(content, path, options);
      await syncPath(path);
    }
    await prove(path, packs);
    return this.labelWith(packs);
  }

  private options(): ImageOptions {
    const { workFolder, time, signal } = this.facts;
    return { volumeId: this.image.disc.volume, workFolder, time, signal };
  }

  private async contentOf(
    packs: readonly StagedObject[],
    records: readonly StagedObject[],
  ): Promise<Content> {
    const { onEach, hidden, restore, workFolder } = this.facts;
    const { isNew, digests } = this.image;
    const made = join(workFolder, 'made');
    await rm(made, { recursive: true, force: true });
    await mkdir(made, { recursive: true });
    const objects = new Map([...(isNew ? onEach : []), ...packs, ...records].map((each) => [each.to, each]));
    const removed = [...digests.keys()].filter((path) => hidden.has(path) && !objects.has(path));
    const sums = new Map([...digests].filter(([path]) => !removed.includes(path)));
    const files: MappedFile[] = [];
    const put = async (to: string, bytes: Uint8Array): Promise<void> => {
      const from = join(made, String(files.length));
      await writeFile(from, bytes);
      files.push({ from, to });
      sums.set(to, digestOf(bytes));
    };
    for (const { from, to, sha256 } of objects.values()) {
      if (sha256 !== undefined) {
        files.push({ from, to });
        sums.set(to, sha256);
        continue;
      }
      // As it is now: another process may remove it before the image is written.
      const bytes = await readUnlessGone(from);
      if (bytes !== undefined) await put(to, bytes);
    }
    const its = this.labelWith(packs);
    if (isNew) {
      for (const { from, to } of restoreFiles(restore)) await put(to, await readFile(from));
    }
    await put(LABEL_FILE, encodeLabel(its));
    await put(README_FILE, Buffer.from(readmeText(its, `${its.discs.length} belong together so far`)));
    sums.delete(SHA256SUMS_FILE);
    await put(SHA256SUMS_FILE, encodeChecksums(sums));
    return { files, removed };
  }
}

async function readUnlessGone(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function refuseTaken(path: string): Promise<void> {
  try {
    await access(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  throw new CbrError('target', `the next image would be ${path}, and that is there already`, {
    hint: 'Move it away, if it is not of this repository. What was stored stays staged.',
  });
}

/** Reads packs on an image, and compares them with their names. */
async function prove(path: string, packs: readonly StagedObject[]): Promise<void> {
  const source = await openSectors(path);
  try {
    const { files } = await readIso(source);
    for (const { to, sha256 } of packs) {
      const file = files.get(to);
      const hash = createHash('sha256');
      for (let offset = 0; file !== undefined && offset < file.size; offset += PIECE_BYTES) {
        hash.update(await readIsoFile(source, file, offset, Math.min(PIECE_BYTES, file.size - offset)));
      }
      if (hash.digest('hex') === sha256) continue;
      throw new DamagedError(path, `${to} does not read as it was written`, {
        hint: 'It stays staged. Look at the disk on which the images are (cbr disc verify), and run the command again.',
      });
    }
  } finally {
    await source.close();
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
