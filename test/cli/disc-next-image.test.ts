import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { xorriso } from '../disc/image-programs.js';
import { randomContent } from '../snapshot/random-content.js';
import { place } from './run.js';

/** Which image of a folder the next session goes to. */

async function living() {
  const its = place();
  const folder = join(its.root, 'discs');
  const sizes = ['--block-size', '1MiB', '--pack-size', '1MiB'];
  const made = await its.run(['init', '-r', `disc:${folder}?media=8MiB`, '--no-encryption', ...sizes]);
  expect(made.code).toBe(0);
  return {
    its,
    folder,
    memory: join(folder, 'staging/discs.json'),
    images: () => readdirSync(folder).filter((name) => name.endsWith('.iso')),
    cbr: (...args: string[]) => its.run([...args, '-r', `disc:${folder}`, '--no-progress']),
    async take(seed: number, bytes: number) {
      writeFileSync(join(its.source, `file ${seed}`), randomContent(seed, bytes));
      const taken = await its.run(['snapshot', its.source, '-r', `disc:${folder}`, '--no-progress']);
      expect(taken).toMatchObject({ code: 0 });
    },
  };
}

test('an image that somebody has made up gets none, wherever it says that it is', async () => {
  const { its, folder, memory, take, cbr } = await living();
  await take(1, 100_000);
  const elsewhere = join(its.root, 'elsewhere');
  mkdirSync(elsewhere);
  const genuine = JSON.parse(readFileSync(memory, 'utf8')) as Record<string, unknown>;
  for (const [i, volume] of ['../elsewhere/image', 'CBR_REPOSITORY_0009'].entries()) {
    const own = { disc: `${i}e`.repeat(16), number: 9, volume, packs: [] };
    const forged = join(its.root, `forged ${i}`);
    mkdirSync(forged);
    writeFileSync(join(forged, 'disc.json'), JSON.stringify({ ...genuine, ...own, discs: [own] }));
    writeFileSync(join(forged, 'SHA256SUMS'), '');
    const image = join(folder, volume === 'CBR_REPOSITORY_0009' ? `${volume}.iso` : 'CBR_FORGED_0001.iso');
    xorriso(image, 'FORGED', forged);
    cpSync(image, join(elsewhere, 'image.iso'));
    const { size } = statSync(image);
    await take(2 + i, 100_000);
    expect(statSync(image).size).toBe(size);
    expect(statSync(join(elsewhere, 'image.iso')).size).toBe(size);
  }
  expect(readFileSync(memory, 'utf8')).not.toContain('0009');
  expect((await cbr('check', '--read-data')).code).toBe(0);
});

test('images that were begun since what is remembered are gone on with', async () => {
  const { folder, memory, take, cbr, images } = await living();
  await take(1, 100_000);
  const older = readFileSync(memory);
  await take(2, 6_500_000);
  await take(3, 12_000_000);
  expect(images().length).toBe(3);
  const last = join(folder, 'CBR_REPOSITORY_0003.iso');
  const { size } = statSync(last);
  writeFileSync(memory, older);
  await take(4, 100_000);
  expect(statSync(last).size).toBeGreaterThan(size);
  expect(images().length).toBe(3);
  expect((await cbr('check', '--read-data')).code).toBe(0);
  // What is on each of them is known when they are moved away.
  const { discs } = JSON.parse(readFileSync(memory, 'utf8')) as { discs: { packs: unknown[] }[] };
  expect(discs.map(({ packs }) => packs.length > 4)).toEqual([true, true, true]);
});
