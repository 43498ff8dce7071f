import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type MadeDisc, makeDiscSet, makeImages, type SetOptions } from '../disc/disc-set.js';
import { filesIn, noise } from './disc-source.js';
import { type Place, place } from './run.js';

/** Repositories that lie on images of discs. */

export interface OnDiscs {
  readonly its: Place;
  readonly discs: readonly MadeDisc[];
  readonly images: readonly string[];
  readonly folder: string;
  readonly location: string;
  /** What was taken in, by path below the source. */
  readonly files: Readonly<Record<string, string>>;
}

export const BY_KEY = { env: { CBR_PASSWORD: 'secret' } };

/** A repository of some packs, on three images. */
export async function onDiscs(options: SetOptions & { readonly encrypted?: boolean } = {}): Promise<OnDiscs> {
  const its = place();
  const sizes = ['--pack-size', '1MiB', '--block-size', '512KiB'];
  const key = options.encrypted === true ? [] : ['--no-encryption'];
  expect((await its.run(['init', ...key, ...sizes], BY_KEY)).code).toBe(0);
  for (let i = 1; i <= 12; i++) {
    mkdirSync(join(its.source, `folder${i % 3}`), { recursive: true });
    writeFileSync(join(its.source, `folder${i % 3}`, `file${i}`), noise(400_000, i));
  }
  expect((await its.run(['snapshot', its.source], BY_KEY)).code).toBe(0);
  const discs = makeDiscSet(its.repo, join(its.root, 'discs'), options);
  expect(discs.every(({ packs }) => packs.length > 0)).toBe(true);
  const folder = join(its.root, 'images');
  const images = makeImages(discs, folder);
  return { its, discs, images, folder, location: `disc:${folder}`, files: filesIn(its.source) };
}

/** Restores the newest snapshot from discs. */
export async function restored({ its, location }: OnDiscs, target: string) {
  const source = `latest:${its.source}`;
  const run = await its.json(['-r', location, 'restore', source, '--target', join(its.root, target)], BY_KEY);
  return { run, files: filesIn(join(its.root, target)) };
}

export const messages = (problems: readonly Readonly<Record<string, unknown>>[]): string =>
  problems.map(({ message }) => message).join('\n');
