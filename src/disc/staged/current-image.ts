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
  const path = last === undefined ? undefined : imagePath(folder, last.volume);
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

/**
 * All discs of the set, by number: those that are remembered, and those that were made since by a run that was ended. Labels of other images say
 * nothing: anybody can have written them. Where nothing is remembered they are all that there is.
 */
async function knownDiscs(folder: string, set: string, repository: string): Promise<readonly LabelDisc[]> {
  const remembered = await rememberedLabel(folder);
  if (remembered === undefined) return discsByLabels(folder, set, repository);
  const known: LabelDisc[] = [];
  for (const each of remembered.discs) {
    const there = await discAt(folder, set, repository, each);
    const isNewer = there?.disc === each.disc && there.packs.length > each.packs.length;
    known.push(isNewer ? there : each);
  }
  for (;;) {
    const there = await discAt(folder, set, repository, freshImage(folder, set, known).disc);
    if (there === undefined) return known;
    known.push(there);
  }
}

/** What an image of that name says of itself; undefined when there is none, or it is of something else. */
async function discAt(
  folder: string,
  set: string,
  repository: string,
  { number, volume }: Pick<LabelDisc, 'number' | 'volume'>,
): Promise<LabelDisc | undefined> {
  // Of one that cannot be read no more than what is remembered can be told.
  const label = await labelAt(imagePath(folder, volume)).catch(() => undefined);
  if (label === undefined || label.set !== set || label.repository !== repository) return undefined;
  const own = label.discs.find(({ disc }) => disc === label.disc);
  return own?.number === number && own.volume === volume ? own : undefined;
}

async function discsByLabels(folder: string, set: string, repository: string): Promise<readonly LabelDisc[]> {
  const discs = new Map<string, LabelDisc>();
  for (const name of (await readdir(folder)).sort()) {
    if (!/^CBR_.*_[0-9]{4,}\.iso$/.test(name)) continue;
    const label = await labelAt(join(folder, name));
    if (label.set !== set || label.repository !== repository) continue;
    for (const each of label.discs) {
      if (each.volume !== volumeIdOf(set, each.number)) continue;
      const before = discs.get(each.disc);
      if (before === undefined || before.packs.length < each.packs.length) discs.set(each.disc, each);
    }
  }
  return [...discs.values()].sort((a, b) => a.number - b.number);
}

/** Where the image of that volume id is, unless it was moved away. */
export function imagePath(folder: string, volume: string): string {
  return join(folder, `${volume}.iso`);
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
    path: imagePath(folder, volume),
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
