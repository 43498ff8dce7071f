import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomContent } from '../snapshot/random-content.js';
import { type Place, place } from './run.js';

/** A repository of some packs, and what makes discs of it. */

export const PACK_BYTES = 2 * 2 ** 20;
export const DISC_BYTES = 8 * 2 ** 20;

export interface DiscPlace {
  readonly its: Place;
  /** The folder of the images. */
  readonly out: string;
  /** Writes files of random content into the source, and takes a snapshot. */
  readonly take: (seed: number, files: number) => Promise<string>;
  /** `cbr disc build` of the set `photos` for discs of `DISC_BYTES`. */
  readonly build: (...args: string[]) => ReturnType<Place['json']>;
  readonly images: () => string[];
}

/** Not encrypted: key derivation would only cost time. */
export async function discPlace(): Promise<DiscPlace> {
  const its = place();
  const made = await its.run([
    'init',
    '--no-encryption',
    '--block-size',
    '1MiB',
    '--pack-size',
    `${PACK_BYTES}`,
  ]);
  if (made.code !== 0) throw new Error(made.stderr);
  const out = join(its.root, 'discs');
  return {
    its,
    out,
    async take(seed, files) {
      const folder = join(its.source, `folder ${seed}`);
      mkdirSync(folder, { recursive: true });
      for (let i = 0; i < files; i++) {
        writeFileSync(join(folder, `file ${i}`), randomContent(1000 * seed + i, 300_000));
      }
      const { summary } = await its.json(['snapshot', its.source]);
      return summary.snapshot as string;
    },
    build: (...args) =>
      its.json(['disc', 'build', '--set', 'photos', '--out', out, '--no-progress', ...args]),
    images: () =>
      readdirSync(out)
        .filter((name) => name.endsWith('.iso'))
        .sort()
        .map((name) => join(out, name)),
  };
}

/** Takes an image apart with xorriso; returns the folder. */
export function extracted(image: string, folder: string): string {
  const args = ['-no_rc', '-osirrox', 'on', '-indev', `stdio:${image}`, '-extract', '/', folder];
  execFileSync('xorriso', args, { stdio: 'ignore' });
  makeWritable(folder);
  return folder;
}

function makeWritable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const name of readdirSync(folder)) {
    if (statSync(join(folder, name)).isDirectory()) makeWritable(join(folder, name));
  }
}
