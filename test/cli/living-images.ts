import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { randomContent } from '../snapshot/random-content.js';
import { type Place, place } from './run.js';

/** A repository that lives on images from the start. */

export const DISC_BYTES = 8 * 2 ** 20;

export interface Living {
  readonly its: Place;
  readonly folder: string;
  /** Writes a file and takes a snapshot. */
  readonly take: (seed: number, bytes?: number) => Promise<Readonly<Record<string, unknown>>>;
  readonly cbr: (...args: string[]) => ReturnType<Place['json']>;
  readonly images: () => string[];
}

/** Not encrypted. `options`: more of the location, `&new-disc=1`. */
export async function living(options = ''): Promise<Living> {
  const its = place();
  const folder = join(its.root, 'discs');
  const location = `disc:${folder}`;
  const made = await its.run([
    ...['init', '-r', `${location}?media=${DISC_BYTES}${options}`, '--no-encryption'],
    ...['--block-size', '1MiB', '--pack-size', '1MiB'],
  ]);
  expect(made).toMatchObject({ code: 0 });
  const cbr = (...args: string[]) => its.json([...args, '-r', location, '--no-progress']);
  return {
    its,
    folder,
    cbr,
    async take(seed, bytes = 2_000_000) {
      writeFileSync(join(its.source, `file ${seed}`), randomContent(seed, bytes));
      const { code, summary } = await cbr('snapshot', its.source);
      expect(code).toBe(0);
      return summary;
    },
    images: () =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.iso'))
        .sort()
        .map((name) => join(folder, name)),
  };
}

/** Has the record of a snapshot vanish: from what is staged, and from what images show. */
export function vanish(folder: string, snapshot: string): void {
  rmSync(join(folder, 'staging/objects/snapshots', snapshot));
  mkdirSync(join(folder, 'staging/hidden/snapshots'), { recursive: true });
  writeFileSync(join(folder, 'staging/hidden/snapshots', snapshot), '');
}
