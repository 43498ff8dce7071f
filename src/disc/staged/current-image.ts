import { randomBytes } from 'node:crypto';
import { access, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CbrError, errnoOf } from '../../core/index.js';
import { parseChecksums, SHA256SUMS_BYTES, SHA256SUMS_FILE } from '../checksums.js';
import { readIso, readIsoFile } from '../iso/read-iso.js';
import { openSectors } from '../iso/sectors.js';
import { type DiscLabel, encodeLabel, type LabelDisc, parseLabel } from '../label.js';
import { labelOnDisc } from '../label-on-disc.js';
import { volumeIdOf } from '../set/set-name.js';
import { stagingFolderOf } from './staged-settings.js';

/** The image that sessions are appended to. */
export interface CurrentImage {
  readonly path: string;
  /** Whether there is none yet. */
  readonly isNew: boolean;
  readonly disc: LabelDisc;
  /** SHA-256 of its files, hexadecimal. */
  readonly digests: ReadonlyMap<string, string>;
  /** The other discs of the set. */
  readonly others: readonly LabelDisc[];
}

/**
 * The last image of a set in a folder, or the one that is to be made next: when there is none yet, or the last one has been moved away. Rejects with
 * `target` when the image is not what was appended to last, and as `labelOnDisc` when it cannot be read.
 */
export async function currentImage(folder: string, set: string, repository: string): Promise<CurrentImage> {
  const known = await knownDiscs(folder, set, repository);
  const last = known.at(-1);
  const path = last === undefined ? undefined : join(folder, `${last.volume}.iso`);
  if (last === undefined || path === undefined || !(await isThere(path)))
    return freshImage(folder, set, known);
  const label = await labelAt(path);
  const own = label.discs.find(({ disc }) => disc === label.disc);
  if (label.disc !== last.disc || own === undefined || own.packs.length < last.packs.length) {
    throw new CbrError(
      'target',
      `${path} is not the image that was appended to last, but another one or an older copy`,
      {
        hint: 'Put the right one there, or move that one away: then the next image begins. What was stored stays staged.',
      },
    );
  }
  const others = known.filter(({ disc }) => disc !== last.disc);
  return { path, isNew: false, disc: own, digests: await digestsAt(path), others };
}

/** All discs of the set, by number: those that are remembered, and those that labels of images at hand name. */
async function knownDiscs(folder: string, set: string, repository: string): Promise<LabelDisc[]> {
  const discs = new Map<string, LabelDisc>();
  const add = (label: DiscLabel): void => {
    if (label.set !== set || label.repository !== repository) return;
    for (const each of label.discs) {
      const before = discs.get(each.disc);
      if (before === undefined || before.packs.length < each.packs.length) discs.set(each.disc, each);
    }
  };
  const remembered = await rememberedLabel(folder);
  if (remembered !== undefined) add(remembered);
  for (const name of (await readdir(folder)).sort()) {
    if (!/^CBR_.*_[0-9]{4,}\.iso$/.test(name)) continue;
    try {
      add(await labelAt(join(folder, name)));
    } catch (error) {
      // What it would tell is remembered.
      if (remembered === undefined) throw error;
    }
  }
  return [...discs.values()].sort((a, b) => a.number - b.number);
}

function memoryFile(folder: string): string {
  // Not the name of a label: the folder is no disc.
  return join(stagingFolderOf(folder), 'discs.json');
}

/** The label of the last session that was appended; undefined before the first one. Rejects with FormatError. */
export async function rememberedLabel(folder: string): Promise<DiscLabel | undefined> {
  const file = memoryFile(folder);
  try {
    return parseLabel(await readFile(file), file);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Keeps what the label of the last session says: images may be moved away. */
export async function rememberLabel(folder: string, label: DiscLabel): Promise<void> {
  const file = memoryFile(folder);
  await writeFile(`${file}.new`, encodeLabel(label), { flush: true });
  await rename(`${file}.new`, file);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** One more image, behind those that there are. */
export function freshImage(folder: string, set: string, others: readonly LabelDisc[]): CurrentImage {
  const number = 1 + others.reduce((highest, each) => Math.max(highest, each.number), 0);
  const volume = volumeIdOf(set, number);
  return {
    path: join(folder, `${volume}.iso`),
    isNew: true,
    disc: { disc: randomBytes(16).toString('hex'), number, volume, packs: [] },
    digests: new Map(),
    others,
  };
}

async function labelAt(path: string): Promise<DiscLabel> {
  const source = await openSectors(path);
  try {
    return await labelOnDisc(source, path);
  } finally {
    await source.close();
  }
}

async function digestsAt(path: string): Promise<ReadonlyMap<string, string>> {
  const source = await openSectors(path);
  try {
    const { files } = await readIso(source);
    const sums = files.get(SHA256SUMS_FILE);
    if (sums === undefined || sums.size > SHA256SUMS_BYTES) return new Map();
    return parseChecksums(await readIsoFile(source, sums, 0, sums.size), path);
  } finally {
    await source.close();
  }
}
