import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AskForDisc, DiscProblem } from '../../dist/disc/index.js';
import { sha256 } from '../backends/scratch.js';
import { scratchForFile } from './image-programs.js';
import { packs, rotPack, smallDiscs } from './small-discs.js';

/** Having discs put in one after the other, for a restore. */

const { newFolder, open, discFolder } = smallDiscs(scratchForFile());
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
