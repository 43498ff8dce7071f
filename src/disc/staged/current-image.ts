import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseChecksums, SHA256SUMS_BYTES, SHA256SUMS_FILE } from '../checksums.js';
import { readIso, readIsoFile } from '../iso/read-iso.js';
import { openSectors } from '../iso/sectors.js';
import type { DiscLabel, LabelDisc } from '../label.js';
import { labelOnDisc } from '../label-on-disc.js';
import { volumeIdOf } from '../set/set-name.js';

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
 * The last image of a set in a folder, or the first one that is to be made. Rejects as `labelOnDisc` when an image of the set cannot be read: what is
 * on it would be lost to the labels of those to come.
 */
export async function currentImage(folder: string, set: string, repository: string): Promise<CurrentImage> {
  const labels: { readonly path: string; readonly label: DiscLabel }[] = [];
  for (const name of (await readdir(folder)).sort()) {
    if (!/^CBR_.*_[0-9]{4,}\.iso$/.test(name)) continue;
    const path = join(folder, name);
    const label = await labelAt(path);
    if (label.set === set && label.repository === repository) labels.push({ path, label });
  }
  const newest = labels.reduce<(typeof labels)[number] | undefined>(
    (best, each) => (best === undefined || each.label.created >= best.label.created ? each : best),
    undefined,
  );
  if (newest === undefined) return freshImage(folder, set, []);
  const { discs } = newest.label;
  const last = discs.reduce((a, b) => (b.number > a.number ? b : a));
  const there = labels.find(({ label }) => label.disc === last.disc);
  if (there === undefined) return freshImage(folder, set, discs);
  return {
    path: there.path,
    isNew: false,
    disc: last,
    digests: await digestsAt(there.path),
    others: discs.filter(({ disc }) => disc !== last.disc),
  };
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
