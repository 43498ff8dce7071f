import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Backend, openBackend, parseLocation } from '../../dist/backends/index.js';
import { type AskForDisc, type DiscProblem, discMedium } from '../../dist/disc/index.js';
import { sampleBytes, sha256 } from '../backends/scratch.js';
import { xorriso } from './image-programs.js';

/** Discs with a pack each, which no repository has. */

export const packs = [1, 2, 3].map((seed) => sampleBytes(50_000 + seed, seed));

export interface LabelFacts {
  readonly set?: string;
  readonly created?: string;
}

/** The label of a disc, which knows the others of its set with their packs. */
export function label(
  number: number,
  others: Readonly<Record<number, readonly Buffer[]>>,
  { set = 'photos', created = '2026-01-01T00:00:00Z' }: LabelFacts = {},
): string {
  const discs = Object.entries(others).map(([each, its]) => ({
    disc: idOf(Number(each), set),
    number: Number(each),
    volume: `V${each}`,
    packs: its.map((pack) => [sha256(pack), pack.length]),
  }));
  const its = {
    format: 'cbr-disc',
    version: 1,
    repository: '11'.repeat(16),
    set,
    disc: idOf(number, set),
    number,
  };
  return JSON.stringify({ ...its, volume: `V${number}`, medium: 'cd-80', created, discs });
}

const idOf = (number: number, set: string): string =>
  `${set.charCodeAt(0).toString(16)}${number.toString(16).padStart(30, '0')}`;

/** Discs, and how they are opened, within a scratch folder. */
export function smallDiscs(scratch: string) {
  let counter = 0;
  const newFolder = (): string => {
    const folder = join(scratch, String(counter++));
    mkdirSync(folder);
    return folder;
  };
  const open = async (
    place: string,
    ask: AskForDisc = async () => 'skip',
    said: DiscProblem[] = [],
  ): Promise<Backend> => {
    const discs = discMedium({
      ask,
      report: (problem) => said.push(problem),
      restore: { reader: 'none: nothing is written', format: 'none' },
      signal: new AbortController().signal,
    });
    return openBackend(parseLocation(`disc:${place}`), { stagingFolder: join(scratch, 'staging'), discs });
  };
  /** A disc with a config and one pack, which knows of three. */
  const discFolder = (number: 1 | 2 | 3, facts: LabelFacts = {}): string => {
    const folder = newFolder();
    const all = { 1: [packs[0]!], 2: [packs[1]!], 3: [packs[2]!] };
    const pack = packs[number - 1]!;
    const name = sha256(pack);
    mkdirSync(join(folder, 'config'));
    mkdirSync(join(folder, 'packs', name.slice(0, 2)), { recursive: true });
    writeFileSync(join(folder, 'config/1'), 'config');
    writeFileSync(join(folder, 'packs', name.slice(0, 2), name), pack);
    writeFileSync(join(folder, 'packs', name.slice(0, 2), 'strange'), 'no object');
    writeFileSync(join(folder, 'disc.json'), label(number, all, facts));
    return folder;
  };
  const images = new Map<number, string>();
  const imageOf = (number: 1 | 2 | 3): string => {
    const made = images.get(number) ?? join(newFolder(), `${number}.iso`);
    if (!images.has(number)) xorriso(made, `V${number}`, discFolder(number));
    images.set(number, made);
    return made;
  };
  return { newFolder, open, discFolder, imageOf };
}

/** Flips a byte of the pack of a disc in a folder. */
export function rotPack(folder: string, number: 1 | 2 | 3): void {
  const pack = Buffer.from(packs[number - 1]!);
  pack[20_000]! ^= 1;
  const name = sha256(pack);
  const its = sha256(packs[number - 1]!);
  if (name === its) throw new Error('nothing was changed');
  writeFileSync(join(folder, 'packs', its.slice(0, 2), its), pack);
}
