import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { missingFiles } from '../snapshot/check-subject.js';
import {
  damage,
  lostWithout,
  packPath,
  packsOf,
  type Spread,
  spread,
  spreadOver,
  tellOf,
} from './disc-folders.js';
import { Drive, put, restoring } from './drive.js';
import { differences } from './reader.js';

/** Packs that their disc does not give, or not whole: a copy on another disc is asked for, and no disc twice in vain. */

/** The numbers of the discs that were asked for, in turn. */
const asked = (screen: string): number[] =>
  [...screen.matchAll(/Disc (\d) of the set photos/g)].map(([, number]) => Number(number));

/** So many discs, and the same packs on so many others. */
async function twice(count: number): Promise<Spread> {
  const made = await spread(count);
  const again = spreadOver(made.its, count, { first: count + 1 });
  return { ...made, folders: [...made.folders, ...again.folders], packs: [...made.packs, ...again.packs] };
}

test('a pack that is not on its disc: that one is asked for once', async () => {
  const made = await spread(3);
  const gone = made.packs[1]!;
  for (const name of gone) rmSync(join(made.folders[1]!, packPath(name)));
  const drive = new Drive(made);
  drive.put(1);
  const answers = [2, 3, 2, 1, 2, 1].map((number) => put(drive, number));
  const { code, screen, target } = await restoring(made, drive, [
    ...answers,
    { when: 'go on without it: ', type: '\u0003' },
  ]);
  expect(code, screen).toBe(4);
  expect(asked(screen).slice(0, 2)).toEqual([2, 3]);
  expect(screen.match(/is needed/g)).toHaveLength(2);
  expect(missingFiles(made.its.source, target)).toEqual(await lostWithout(made.its, gone));
  expect(screen).toContain('disc 2 of the set photos (CBR_PHOTOS_0002) does not have it (pack ');
});

test('a damaged pack comes from a disc of which a later one tells', async () => {
  const made = await twice(2);
  for (const name of made.packs[0]!) damage(join(made.folders[0]!, packPath(name)));
  tellOf(made.folders[1]!, made.folders[2]!);
  const drive = new Drive(made);
  drive.put(1);
  const { code, screen, target } = await restoring(made, drive, [put(drive, 2), put(drive, 3)]);
  expect(code, screen).toBe(0);
  expect(asked(screen)).toEqual([2, 3]);
  expect(differences(made.its.source, target)).toEqual([]);
});

test.each(['data', 'data and trees'])(
  'copies that are damaged at different places make a whole: %s',
  async (what) => {
    const made = await twice(1);
    const [first, second] = [made.folders[0]!, made.folders[1]!];
    const { data, tree } = packsOf(first);
    for (const name of data) {
      damage(join(first, packPath(name)), 0.2);
      damage(join(second, packPath(name)), 0.8);
    }
    if (what !== 'data') for (const name of tree) damage(join(first, packPath(name)), 0.2);
    tellOf(first, second);
    const drive = new Drive(made);
    drive.put(1);
    const answers = what === 'data' ? [2] : [2, 1];
    const steps = answers.map((number) => put(drive, number));
    const { code, screen, target } = await restoring(made, drive, steps);
    expect(code, screen).toBe(0);
    expect(asked(screen)).toEqual(answers);
    expect(differences(made.its.source, target)).toEqual([]);
  },
);

test('a damaged pack of which another disc has a copy: it is said which', async () => {
  const made = await twice(1);
  const [first, second] = [made.folders[0]!, made.folders[1]!];
  for (const name of made.packs[0]!) damage(join(first, packPath(name)), 0.2);
  tellOf(first, second);
  const drive = new Drive(made);
  drive.put(1);
  const { code, screen } = await restoring(made, drive, [{ when: 'go on without it: ', type: 's\n' }]);
  expect(code, screen).toBe(4);
  expect(screen).toContain(
    'another copy lies on disc 2 of the set photos (CBR_PHOTOS_0002), which is not in reach',
  );
});
