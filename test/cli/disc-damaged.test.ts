import { copyFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeDiscSet, packsOf } from '../disc/disc-set.js';
import { BY_KEY, messages, onDiscs, restored } from './on-discs.js';
import { place } from './run.js';

/** Discs on which something rotted, though other copies of it are whole. */

/** Flips one byte of each of some files, wherever they lie in an image. */
function rot(image: string, files: readonly string[]): void {
  const bytes = readFileSync(image);
  for (const file of files) {
    const content = readFileSync(file);
    const at = bytes.indexOf(content);
    expect(at).toBeGreaterThan(0);
    bytes[at + Math.floor(content.byteLength / 2)]! ^= 1;
  }
  writeFileSync(image, bytes);
}

test('what rotted on one disc is read from another one that has it, and named', async () => {
  const all = await onDiscs({ encrypted: true });
  const { its, images } = all;
  const [first, second] = images as [string, string];
  copyFileSync(second, join(all.folder, 'second copy.iso'));
  const inAll = ['config', 'keys', 'snapshots', 'index'].flatMap((kind) =>
    readdirSync(join(its.repo, kind)).map((name) => `${kind}/${name}`),
  );
  const trees = packsOf(its.repo).filter(({ kind }) => kind === 'tree');
  const objects = [...inAll, ...trees.map(({ path }) => path)];
  rot(
    first,
    objects.map((path) => join(its.repo, path)),
  );
  const data = all.discs[1]!.packs.map(({ name }) => `packs/${name.slice(0, 2)}/${name}`);
  rot(
    second,
    data.map((path) => join(its.repo, path)),
  );
  rmSync(its.cache, { recursive: true, force: true });
  const { run, files } = await restored(all, 'out');
  expect(run.code).toBe(0);
  expect(files).toEqual(all.files);
  const said = messages(run.problems);
  for (const path of objects) expect(said).toContain(`${path} is damaged in ${first}`);
  for (const path of data) expect(said).toContain(`${path} is damaged in ${second}`);
  const check = await its.json(['-r', all.location, 'check', '--read-data'], BY_KEY);
  expect(messages(check.problems)).toContain(`${data[0]} is damaged in ${second}`);
});

test('where no copy is whole, what is left of one is read', async () => {
  const all = await onDiscs();
  const [pack] = all.discs[1]!.packs;
  const path = join(all.its.repo, 'packs', pack!.name.slice(0, 2), pack!.name);
  rot(all.images[1]!, [path]);
  copyFileSync(all.images[1]!, join(all.folder, 'second copy.iso'));
  const { run, files } = await restored(all, 'out');
  expect(run.code).toBe(4);
  const lost = Object.keys(all.files).length - Object.keys(files).length;
  expect(lost).toBeGreaterThan(0);
  const discs = run.problems.filter(({ code }) => code === 'damaged-disc').map(({ message }) => message);
  expect(discs.sort()).toEqual(
    [all.images[1], join(all.folder, 'second copy.iso')]
      .map((image) => `what is damaged lies on disc 2 of the set photos (CBR_PHOTOS_0002), ${image}: 1 pack`)
      .sort(),
  );
  const check = await all.its.json(['-r', all.location, 'check', '--read-data']);
  expect(check.code).toBe(4);
  expect(messages(check.problems)).toContain('what is damaged lies on disc 2 of the set photos');
  // The pack has two blocks, and others are whole.
  expect(lost).toBeLessThan(4);
});

test('a forged disc that is not encrypted is left out beside the genuine ones, and named', async () => {
  const all = await onDiscs({ encrypted: true });
  const forge = async (name: string, ...key: string[]): Promise<string> => {
    const forger = place();
    expect((await forger.run(['init', ...key], BY_KEY)).code).toBe(0);
    writeFileSync(join(forger.source, 'evil'), 'of the forger');
    expect((await forger.run(['snapshot', forger.source], BY_KEY)).code).toBe(0);
    const [forged] = makeDiscSet(forger.repo, join(forger.root, 'forged'), { set: 'a', discs: 1 });
    cpSync(forged!.folder, join(all.folder, name), { recursive: true });
    return join(all.folder, name);
  };
  const plain = await forge('A first one', '--no-encryption');
  rmSync(all.its.cache, { recursive: true, force: true });
  const { run, files } = await restored(all, 'out');
  expect(run.code).toBe(0);
  expect(files).toEqual(all.files);
  expect(messages(run.problems)).toContain(`${plain} is disc 1 of the set a (CBR_A_0001) by its label, but`);
  // Nobody but a key holder can tell which of two is genuine.
  const encrypted = await forge('A second one');
  const refused = await all.its.run(['-r', all.location, 'snapshots'], BY_KEY);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(`${encrypted} (encrypted)`);
  expect(refused.stderr).toContain(`${all.images[0]} (encrypted)`);
});
