import { cpSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AskForDisc, DiscProblem } from '../../dist/disc/index.js';
import { sha256 } from '../backends/scratch.js';
import { scratchForFile } from './image-programs.js';
import { label, packs, rotPack, smallDiscs } from './small-discs.js';

/** Having discs put in one after the other, for a restore. */

const { newFolder, open, discFolder, imageOf } = smallDiscs(scratchForFile());
const names = packs.map(sha256);

test('one drive, a damaged pack: the disc of another set that has it is asked for at the end', async () => {
  const place = join(newFolder(), 'disc');
  const first = discFolder(1);
  rotPack(first, 1);
  renameSync(first, place);
  const asked: string[] = [];
  const ask: AskForDisc = async ({ number, set }) => {
    asked.push(`${set}/${number}`);
    rmSync(place, { recursive: true });
    // By mistake; so the other set is known.
    renameSync(discFolder(number as 1, { set: asked.length === 1 ? 'other' : set }), place);
    return 'again';
  };
  const said: DiscProblem[] = [];
  const backend = await open(place, ask, said);
  await backend.gathering!.gather(names);
  const order = ['photos/2', 'photos/2', 'photos/3', 'other/1'];
  expect(asked).toEqual(order);
  const reasons = said.map(({ reason }) => reason).join('\n');
  expect(reasons).toContain(`packs/${names[0]} is damaged on disc 1 of the set photos (V1)`);
  for (const [i, name] of names.entries())
    expect(Buffer.from(await backend.read('packs', name)).equals(packs[i]!)).toBe(true);
  expect(asked).toEqual(order);
  await backend.close();
});

test('a damaged pack is taken from a disc that is asked for anyhow', async () => {
  const media = newFolder();
  const set = { 1: [packs[0]!, packs[1]!], 2: [packs[2]!] };
  const first = discFolder(1);
  cpSync(join(discFolder(2), 'packs'), join(first, 'packs'), { recursive: true });
  writeFileSync(join(first, 'disc.json'), label(1, set));
  const second = discFolder(3);
  writeFileSync(join(second, 'disc.json'), label(2, set));
  const other = discFolder(1, { set: 'other' });
  writeFileSync(join(other, 'disc.json'), label(1, { 1: [packs[0]!] }, { set: 'other' }));
  rotPack(other, 1);
  symlinkSync(other, join(media, 'other'));
  symlinkSync(second, join(media, 'V2'));
  const asked: string[] = [];
  const backend = await open(media, async ({ volume }) => {
    asked.push(volume);
    for (const name of readdirSync(media)) rmSync(join(media, name));
    symlinkSync(first, join(media, 'V1'));
    return 'again';
  });
  await backend.gathering!.gather(names);
  for (const [i, name] of names.entries())
    expect(Buffer.from(await backend.read('packs', name)).equals(packs[i]!)).toBe(true);
  expect(asked).toEqual(['V1']);
  await backend.close();
});

/** A folder in which one disc at a time appears, under its own name; says which ones were asked for. */
async function byTurns(appear: (number: 1 | 2 | 3, place: string) => void): Promise<number[]> {
  const media = newFolder();
  const insert = (number: 1 | 2 | 3): void => {
    for (const name of readdirSync(media)) rmSync(join(media, name), { recursive: true });
    appear(number, join(media, `V${number}`));
  };
  insert(1);
  const asked: number[] = [];
  const backend = await open(media, async ({ number }) => {
    asked.push(number);
    if (asked.length > 10) return 'skip';
    insert(number as 1);
    return 'again';
  });
  await backend.gathering!.gather(names);
  const questions = [...asked];
  for (const [i, name] of [...names, ...names].entries())
    expect(Buffer.from(await backend.read('packs', name)).equals(packs[i % 3]!)).toBe(true);
  expect(asked).toEqual(questions);
  await backend.close();
  return questions;
}

test('discs that are mounted by turns, each under its own name, are asked for once', async () => {
  expect(await byTurns((number, place) => symlinkSync(discFolder(number), place))).toEqual([2, 3]);
});

test('where it shows only later that discs take turns, the first one is asked for once more', async () => {
  expect(await byTurns((number, place) => renameSync(discFolder(number), place))).toEqual([2, 3, 1]);
  expect(await byTurns((number, place) => cpSync(imageOf(number), `${place}.iso`))).toEqual([2, 3, 1]);
});

test('before the first question it says how much is copied, and whether there is room for it', async () => {
  const place = discFolder(1);
  const said: DiscProblem[] = [];
  const ask: AskForDisc = async () => 'skip';
  const small = await open(place, ask, said);
  await small.gathering!.gather(names.slice(0, 2));
  const bytes = packs[0]!.length + packs[1]!.length;
  expect(said.map(({ reason }) => reason)).toContainEqual(
    expect.stringContaining(`2 packs (${bytes} bytes) of 2 discs are copied to`),
  );
  await small.close();
  const its = readFileSync(join(place, 'disc.json'), 'utf8');
  writeFileSync(join(place, 'disc.json'), its.replace(String(packs[2]!.length), String(10 ** 15)));
  const asked: number[] = [];
  const large = await open(place, async ({ number }) => {
    asked.push(number);
    return 'skip';
  });
  await expect(large.gathering!.gather(names)).rejects.toThrow(
    /copies of packs need 10000\d+ bytes in .*, and \d+ are free/,
  );
  expect(asked).toEqual([]);
  await large.close();
});

test('a disc whose config is another one is not taken for that of its label', async () => {
  const media = newFolder();
  const put = (number: 1 | 2, config: string): void => {
    const folder = discFolder(number);
    const bytes = Buffer.from(config);
    writeFileSync(join(folder, 'config/1'), Buffer.concat([bytes, Buffer.from(sha256(bytes), 'hex')]));
    rmSync(join(media, `V${number}`), { recursive: true, force: true });
    renameSync(folder, join(media, `V${number}`));
  };
  put(1, 'genuine');
  const said: DiscProblem[] = [];
  const configs = ['forged', 'genuine'];
  const ask: AskForDisc = async () => {
    put(2, configs.shift()!);
    return 'again';
  };
  const backend = await open(media, ask, said);
  expect(Buffer.from(await backend.read('packs', names[1]!)).equals(packs[1]!)).toBe(true);
  expect(configs).toEqual([]);
  const warnings = said.filter(({ severity }) => severity === 'warning');
  expect(warnings.map(({ reason }) => reason)).toEqual([
    `${join(media, 'V2')} is disc 2 of the set photos (V2) by its label, but its config is not that of the other discs: it is not used`,
  ]);
  await backend.close();
});

test('one drive, a pack that is not on its disc: it comes from another set, and its disc is not asked for again', async () => {
  const place = join(newFolder(), 'disc');
  const first = discFolder(1);
  rmSync(join(first, 'packs'), { recursive: true });
  renameSync(first, place);
  const asked: string[] = [];
  const backend = await open(place, async ({ number, set }) => {
    asked.push(`${set}/${number}`);
    if (asked.length > 20) return 'skip';
    rmSync(place, { recursive: true });
    // By mistake; so the other set is known.
    renameSync(discFolder(number as 1, { set: asked.length === 1 ? 'other' : set }), place);
    return 'again';
  });
  await backend.gathering!.gather(names);
  for (const [i, name] of names.entries())
    expect(Buffer.from(await backend.read('packs', name)).equals(packs[i]!)).toBe(true);
  expect(asked.slice(3)).toEqual(['other/1']);
  await backend.close();
});
