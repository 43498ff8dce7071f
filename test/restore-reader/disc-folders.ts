import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { missingFiles, SMALL } from '../snapshot/check-subject.js';
import { randomContent } from '../snapshot/random-content.js';
import { type Scratch, scratchRepository } from '../snapshot/scratch-repository.js';
import { READER } from './reader.js';

/** A repository spread over folders, as discs that were copied or mounted. */

const KIND_OFFSET = 17;
const DATA = 1;
const EVERYWHERE = ['config', 'keys', 'snapshots', 'forgotten', 'notes', 'catalog', 'policies'];

export interface Spread {
  readonly its: Scratch;
  /** The folders of the discs 1, 2, ... */
  readonly folders: readonly string[];
  /** The data packs on each. */
  readonly packs: readonly (readonly string[])[];
}

export interface SpreadOptions {
  readonly encrypted?: boolean;
  /** Where trees and index lie: on every disc, or on the last one alone. */
  readonly trees?: 'every' | 'last';
  readonly set?: string;
  /** Number of the first disc. */
  readonly first?: number;
}

export const packPath = (name: string): string => join('packs', name.slice(0, 2), name);

/** Names of the data packs of a repository. */
export function packsOf(repo: string): { data: string[]; tree: string[] } {
  const names = readdirSync(join(repo, 'packs')).flatMap((each) => readdirSync(join(repo, 'packs', each)));
  const isData = (name: string): boolean => readFileSync(join(repo, packPath(name)))[KIND_OFFSET] === DATA;
  return { data: names.filter(isData).sort(), tree: names.filter((name) => !isData(name)).sort() };
}

/** A source of files of every size, some of which need chunks of several packs, on so many discs. */
export async function spread(discs: number, options: SpreadOptions = {}): Promise<Spread> {
  const its = await scratchRepository({ ...SMALL, encrypted: options.encrypted ?? false });
  mkdirSync(join(its.source, 'a/b'), { recursive: true });
  for (let i = 0; i < 60; i++)
    writeFileSync(join(its.source, `a/b/${i}`), randomContent(i, 20_000 + 500 * i));
  writeFileSync(join(its.source, 'large'), randomContent(100, 1_500_000));
  writeFileSync(join(its.source, 'a/text'), 'text\n'.repeat(1000));
  writeFileSync(join(its.source, 'empty'), '');
  await its.take();
  return { its, ...spreadOver(its, discs, options) };
}

/** Folders `disc-1` and so on beside the repository. */
export function spreadOver(
  { repo, root }: Scratch,
  discs: number,
  { trees = 'every', set = 'photos', first = 1 }: SpreadOptions = {},
): Omit<Spread, 'its'> {
  const { data, tree } = packsOf(repo);
  const numbers = Array.from({ length: discs }, (_, i) => i + first);
  const packs = numbers.map((number) => data.filter((_, i) => i % discs === number - first));
  const label = (number: number) => ({
    disc: number.toString(16).padStart(32, 'd'),
    number,
    volume: `CBR_PHOTOS_000${number}`,
    packs: packs[number - first]!.map((name) => [name, statSync(join(repo, packPath(name))).size]),
  });
  const repository = idOf(repo);
  const folders = numbers.map((number) => {
    const folder = join(root, `disc-${number}`);
    const hasTrees = trees === 'every' || number === numbers.at(-1);
    for (const kind of [...EVERYWHERE, ...(hasTrees ? ['index'] : [])]) copy(repo, folder, kind);
    for (const name of [...packs[number - first]!, ...(hasTrees ? tree : [])])
      copy(repo, folder, packPath(name));
    const json = {
      format: 'cbr-disc',
      version: 1,
      repository,
      set,
      ...label(number),
      medium: 'dvd+r',
      created: '2026-12-01T10:00:00Z',
      discs: numbers.map(label),
      later: 'a key of another version',
    };
    writeFileSync(join(folder, 'disc.json'), JSON.stringify(json));
    cpSync(READER, join(folder, 'restore/cbr-restore.mjs'));
    return folder;
  });
  return { folders, packs };
}

function copy(from: string, to: string, path: string): void {
  try {
    cpSync(join(from, path), join(to, path), { recursive: true });
  } catch (error) {
    // Not every repository has objects of each kind.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

/** The label of a disc names the discs of another one, too. */
export function tellOf(folder: string, other: string): void {
  const path = join(folder, 'disc.json');
  const [json, more] = [path, join(other, 'disc.json')].map((each) => JSON.parse(readFileSync(each, 'utf8')));
  writeFileSync(path, JSON.stringify({ ...json, discs: [...json.discs, ...more.discs] }));
}

/** Flips a byte in the middle of a file, or so far in it. */
export function damage(path: string, at = 0.5): void {
  const bytes = readFileSync(path);
  const place = Math.floor(bytes.length * at);
  bytes[place]! ^= 1;
  writeFileSync(path, bytes);
}

/** The id of a repository as it stands in its config: 16 bytes behind the name of the field. */
export function idOf(repo: string): string {
  const config = readFileSync(join(repo, 'config/1'));
  const at = config.indexOf('repository') + 'repository'.length + 2;
  return config.toString('hex', at, at + 16);
}

/** Files of the source that cbr cannot restore from the repository without these packs. */
export async function lostWithout(its: Scratch, packs: readonly string[]): Promise<string[]> {
  const repo = join(its.root, 'without');
  cpSync(its.repo, repo, { recursive: true, filter: (path) => !packs.some((name) => path.endsWith(name)) });
  const { target } = await its.restore(
    undefined,
    { verify: false },
    { location: repo, cacheRoot: join(its.root, 'other') },
  );
  return missingFiles(its.source, target);
}
