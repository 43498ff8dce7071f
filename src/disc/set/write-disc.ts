import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { objectPath } from '../../backends/index.js';
import { CbrError, DamagedError, errnoOf, MIB } from '../../core/index.js';
import type { CachedPack, Repository } from '../../repo/index.js';
import { encodeChecksums, SHA256SUMS_FILE } from '../checksums.js';
import { type DiscLabel, encodeLabel, LABEL_FILE } from '../label.js';
import { SECTOR_BYTES } from '../media.js';
import { type ImageOptions, imageSectors, type MappedFile, writeImage } from '../xorriso/image-writer.js';
import { partOf, publishImage } from '../xorriso/publish-image.js';
import type { DiscIndexes } from './disc-index.js';
import { packPath, README_FILE, type RestoreSources, restoreFiles } from './disc-layout.js';
import { readmeText } from './readme-text.js';
import { sharedObjects } from './shared-objects.js';

/** Makes the image of one disc. */

export interface DiscToWrite {
  readonly label: DiscLabel;
  /** Which discs belong together, in words. */
  readonly together: string;
  /** Ids of the snapshots whose records it holds, as far as they are there; the last of them is the author of its index. */
  readonly snapshots: readonly string[];
  readonly packs: readonly CachedPack[];
  /** What its index lists. */
  readonly indexed: readonly CachedPack[];
  /** Whether what is known of discs goes on it. */
  readonly hasCatalog: boolean;
  /** Bytes that the image may have. */
  readonly capacity: number;
}

export interface DiscWriting {
  /** Where the image goes: a new file, which is there only when it is whole. */
  readonly image: string;
  /** A folder for what is made on the way; it is emptied. */
  readonly workFolder: string;
  readonly restore: RestoreSources;
  readonly indexes: DiscIndexes;
  /** Seconds since 1970. */
  readonly time: number;
  readonly signal: AbortSignal;
  /** Takes the bytes of the image that are written, and all. */
  readonly onProgress?: (bytes: number, totalBytes: number) => void;
}

/** Read at a time. */
const PIECE_BYTES = 8 * MIB;

/**
 * Writes the image of a disc, and proves by their digests that its packs are as they were stored. The image appears under its
 * name when it is whole and durable. Returns its bytes. Rejects with DamagedError for a pack that is not what it was, with `limit` when the
 * image would be larger than the disc (nothing is written then), and as `writeImage`.
 */
export async function writeDisc(
  repository: Repository,
  disc: DiscToWrite,
  writing: DiscWriting,
): Promise<number> {
  const { image, workFolder, signal, onProgress, time } = writing;
  await rm(workFolder, { recursive: true, force: true });
  await mkdir(workFolder, { mode: 0o700 });
  const files = await stage(repository, disc, writing);
  const options: ImageOptions = { volumeId: disc.label.volume, time, workFolder, signal };
  const part = partOf(image);
  // Of a run that was killed: xorriso would append to it.
  await rm(part, { force: true });
  const bytes = SECTOR_BYTES * (await imageSectors(files, part, options));
  if (bytes > disc.capacity) {
    throw new CbrError('limit', `${image} would have ${bytes} bytes, and the disc holds ${disc.capacity}`, {
      hint: 'The repository has grown since the discs were planned: plan them anew with --restart.',
    });
  }
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const written = writeImage(files, part, {
    ...options,
    signal: both,
    onProgress: (share) => onProgress?.(Math.round(share * bytes), bytes),
  });
  const proven = repository.backend.folder === undefined ? undefined : provePacks(files, both);
  const outcomes = await Promise.allSettled([written, proven?.catch(stopping(stop))]);
  const failed = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  if (failed.length > 0) {
    await rm(part, { force: true });
    throw failed.find((error) => error instanceof DamagedError) ?? failed[0];
  }
  await publishImage(image);
  await rm(workFolder, { recursive: true, force: true });
  return bytes;
}

function stopping(stop: AbortController): (error: unknown) => never {
  return (error) => {
    stop.abort(error);
    throw error;
  };
}

/** Puts all that is not in a folder of this machine into the work folder, and says where everything is. */
async function stage(
  repository: Repository,
  { label, together, snapshots, packs, indexed, hasCatalog }: DiscToWrite,
  { workFolder, restore, indexes, signal }: DiscWriting,
): Promise<MappedFile[]> {
  const { backend } = repository;
  const files: MappedFile[] = [];
  const digests = new Map<string, string>();
  const put = async (to: string, bytes: Uint8Array): Promise<void> => {
    const from = join(workFolder, 'files', to);
    await mkdir(dirname(from), { recursive: true });
    await writeFile(from, bytes);
    files.push({ from, to });
    digests.set(to, createHash('sha256').update(bytes).digest('hex'));
  };
  const shared = await sharedObjects(backend, new Set(snapshots), signal);
  for (const { kind, name, to } of shared) {
    if (kind === 'catalog' && !hasCatalog) continue;
    await put(to, await backend.read(kind, name, undefined, { signal }));
  }
  // Some may have been forgotten since the disc before, and only who is on the disc makes its index count.
  const session = snapshots.findLast((id) => digests.has(objectPath('snapshots', id)));
  if (session === undefined) {
    throw new CbrError('not-found', `no snapshot is left of those that ${label.volume} is of`, {
      hint: 'They were forgotten meanwhile. Plan others: cbr disc build --restart',
    });
  }
  const author = { kind: 'session', session } as Parameters<DiscIndexes['segmentsFor']>[1];
  for (const { name, bytes } of await indexes.segmentsFor(indexed, author)) {
    await put(`index/${name}`, bytes);
  }
  for (const { name, size } of packs) {
    const to = packPath(name);
    const from =
      backend.folder === undefined
        ? await fetchPack(repository, name, size, join(workFolder, 'files', to), signal)
        : join(backend.folder, objectPath('packs', name));
    files.push({ from, to });
    digests.set(to, name);
  }
  for (const { from, to } of restoreFiles(restore)) await put(to, await readFile(from));
  await put(LABEL_FILE, encodeLabel(label));
  await put(README_FILE, Buffer.from(readmeText(label, together)));
  await put(SHA256SUMS_FILE, encodeChecksums(digests));
  return files;
}

/** Copies a pack from a store, and proves it by its name. */
async function fetchPack(
  { backend }: Repository,
  name: string,
  size: number,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  const hash = createHash('sha256');
  const file = await open(path, 'wx');
  try {
    for (let offset = 0; offset < size; offset += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, size - offset);
      const piece = await backend.read('packs', name, { offset, length }, { signal });
      hash.update(piece);
      await file.write(piece);
    }
  } finally {
    await file.close();
  }
  if (hash.digest('hex') !== name) throw notAsStored(name);
  return path;
}

/** Reads the packs that are mapped from a repository in a folder, while they are being written to the image. */
async function provePacks(files: readonly MappedFile[], signal: AbortSignal): Promise<void> {
  for (const { from, to } of files) {
    const name = /^packs\/..\/([0-9a-f]{64})$/.exec(to)?.[1];
    if (name === undefined) continue;
    const hash = createHash('sha256');
    try {
      for await (const piece of createReadStream(from, { highWaterMark: MIB, signal }))
        hash.update(piece as Buffer);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw notAsStored(name, 'it is gone');
      throw error;
    }
    if (hash.digest('hex') !== name) throw notAsStored(name);
  }
}

function notAsStored(name: string, what = 'its bytes are not those that were written (SHA-256 differs)') {
  return new DamagedError(`packs/${name}`, what, {
    hint: 'No image was made of it. See: cbr check --read-data',
  });
}
