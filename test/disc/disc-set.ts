import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { xorriso } from './image-programs.js';

/** Discs made from the folder of a repository, as docs/format.md ("Discs") says, without the program. */

export interface MadeDisc {
  readonly id: string;
  readonly number: number;
  readonly volume: string;
  readonly folder: string;
  /** The data packs that lie on it alone. */
  readonly packs: readonly { readonly name: string; readonly size: number }[];
}

export interface SetOptions {
  readonly set?: string;
  /** 32 hexadecimal digits. */
  readonly repository?: string;
  readonly discs?: number;
  /** What all discs have, or the last one alone. */
  readonly treePacks?: 'all' | 'last';
  readonly index?: 'all' | 'last';
  readonly created?: string;
}

const KINDS_ON_ALL = ['config', 'keys', 'snapshots', 'forgotten', 'notes', 'policies', 'leases'];

/** Divides a repository between folders `disc-<n>` in `out`: data packs by turns, everything else on each. */
export function makeDiscSet(repository: string, out: string, options: SetOptions = {}): MadeDisc[] {
  const { set = 'photos', repository: id = '11'.repeat(16), discs: count = 3 } = options;
  const { treePacks = 'all', index = 'all', created = '2026-01-02T03:04:05Z' } = options;
  const packs = packsOf(repository);
  const made = Array.from({ length: count }, (_, i): MadeDisc => {
    const number = i + 1;
    const mine = packs.filter(({ kind }) => kind === 'data').filter((_pack, at) => at % count === i);
    return {
      id: `${set.charCodeAt(0).toString(16)}${number.toString(16).padStart(2, '0')}`.repeat(8).slice(0, 32),
      number,
      volume: `CBR_${set.toUpperCase()}_${String(number).padStart(4, '0')}`,
      folder: join(out, `disc-${number}`),
      packs: mine.map(({ name, size }) => ({ name, size })),
    };
  });
  for (const disc of made) {
    mkdirSync(disc.folder, { recursive: true });
    const isLast = disc.number === count;
    const kinds = index === 'all' || isLast ? [...KINDS_ON_ALL, 'index'] : KINDS_ON_ALL;
    for (const kind of kinds) copy(repository, disc.folder, kind);
    for (const { path, kind, name } of packs) {
      const isHere =
        kind === 'tree' ? treePacks === 'all' || isLast : disc.packs.some((each) => each.name === name);
      if (isHere) copy(repository, disc.folder, path);
    }
    writeFileSync(join(disc.folder, 'README.txt'), 'A disc.\n');
    writeFileSync(join(disc.folder, 'disc.json'), labelOf(disc, made, set, id, created));
  }
  return made;
}

function labelOf(
  disc: MadeDisc,
  all: readonly MadeDisc[],
  set: string,
  repository: string,
  created: string,
): string {
  const { id, number, volume } = disc;
  const discs = all.map((each) => ({
    disc: each.id,
    number: each.number,
    volume: each.volume,
    packs: each.packs.map(({ name, size }) => [name, size]),
  }));
  const head = { format: 'cbr-disc', version: 1, repository, set, disc: id, number, volume, medium: 'dvd+r' };
  return JSON.stringify({ ...head, created, discs, 'what nobody knows': true });
}

function copy(from: string, to: string, path: string): void {
  try {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(join(from, path), join(to, path), { recursive: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** The packs of a repository, by name; byte 17 of each says what it holds. */
export function packsOf(
  repository: string,
): { name: string; path: string; size: number; kind: 'data' | 'tree' }[] {
  return readdirSync(join(repository, 'packs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /^..\/[0-9a-f]{64}$/.test(path))
    .sort()
    .map((path) => {
      const place = join(repository, 'packs', path);
      const kind = readFileSync(place)[17] === 1 ? 'data' : 'tree';
      return { name: path.slice(3), path: `packs/${path}`, size: statSync(place).size, kind };
    });
}

/** The images of discs, in a folder of their own. */
export function makeImages(discs: readonly MadeDisc[], folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  return discs.map(({ volume, folder: source }) => {
    const image = join(folder, `${volume}.iso`);
    rmSync(image, { force: true });
    xorriso(image, volume, source);
    return image;
  });
}
