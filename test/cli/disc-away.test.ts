import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomContent } from '../snapshot/random-content.js';
import { living, vanish } from './living-images.js';
import { messages } from './on-discs.js';
import { onTerminal } from './terminal.js';

/** `cbr check` of a repository that lives on images, of which some were moved away. */

async function twoImages() {
  const it = await living();
  const taken: string[] = [];
  for (let seed = 1; seed <= 5; seed++) taken.push(String((await it.take(seed)).snapshot));
  const images = it.images();
  expect(images).toHaveLength(2);
  return { ...it, taken, images };
}

/** Snapshots on two images, the first of which is on the shelf. */
async function shelved() {
  const it = await twoImages();
  const [one, two] = it.images as [string, string];
  const shelf = join(it.its.root, 'shelf');
  mkdirSync(shelf);
  renameSync(one, join(shelf, 'one.iso'));
  const putBack = () => renameSync(join(shelf, 'one.iso'), one);
  return { ...it, two, putBack };
}

const DISC = 'disc 1 of the set repository (CBR_REPOSITORY_0001)';

/** Damages what lies behind the header of each pack of trees, which begins with its magic and has kind 2. */
function hurtTrees(image: string): void {
  const bytes = readFileSync(image);
  for (let at = bytes.indexOf('CBRP'); at >= 0; at = bytes.indexOf('CBRP', at + 1)) {
    if (at % 2048 === 0 && bytes[at + 17] === 2) bytes.fill(0xff, at + 80, at + 120);
  }
  writeFileSync(image, bytes);
}

test('what is on an image that was moved away is no damage, and is said to be taken on trust', async () => {
  const { its, cbr, folder, putBack } = await shelved();
  const { code, summary, problems } = await cbr('check');
  expect(messages(problems.filter(({ severity }) => severity === 'error'))).toBe('');
  expect(code).toBe(0);
  expect(summary.absentPacks).toBeGreaterThan(3);
  expect(summary.absentTrees).toBeGreaterThan(0);
  expect(summary.absentTrees).toBeLessThan(summary.absentPacks as number);
  const [absence] = problems.filter((problem) => problem.code === 'not-at-hand');
  expect(absence).toMatchObject({ severity: 'note' });
  expect(absence?.message).toMatch(/taken on trust.*what lies in these folders was not looked for/);
  expect(messages(problems)).toContain(`D${DISC.slice(1)} is missing`);
  const { stdout } = await its.run(['check', '-r', `disc:${folder}`]);
  expect(stdout).toContain('No damage was found in what is at hand.');
  putBack();
  const whole = await cbr('check', '--read-data');
  expect({ code: whole.code, problems: whole.problems }).toEqual({ code: 0, problems: [] });
  expect(whole.summary.absentPacks).toBeUndefined();
});

test('a check that is to read it says on which image it is', async () => {
  const { cbr, taken } = await shelved();
  const absent = (await cbr('check')).summary.absentPacks as number;
  const { code, summary, problems } = await cbr('check', '--read-data');
  expect(code).toBe(4);
  expect(summary.bytesRead).toBeGreaterThan(2_000_000);
  const errors = problems.filter(({ severity }) => severity === 'error');
  expect(errors).toHaveLength(absent);
  for (const { message } of errors) expect(message).toMatch(/^packs\S+: is on .*which is missing$/);
  for (const { message } of errors) expect(message).toContain(DISC);
  expect(JSON.stringify(errors)).toContain(`${taken[0]!.slice(0, 8)}:/`);
});

test('what is damaged on an image that is there is found, and nothing else is blamed', async () => {
  const { cbr, two, taken } = await shelved();
  hurtTrees(two);
  const { code, problems, summary } = await cbr('check');
  expect(code).toBe(4);
  const errors = problems.filter(({ severity }) => severity === 'error');
  expect(errors.length).toBeGreaterThan(0);
  expect(messages(errors)).not.toContain(DISC);
  for (const { message } of errors) expect(message).toMatch(/: ./);
  expect(JSON.stringify(errors)).toContain(`${taken.at(-1)!.slice(0, 8)}:/`);
  expect(summary.absentTrees).toBeGreaterThan(0);
  const [hint] = problems.filter((problem) => problem.code === 'damaged-disc');
  expect(hint?.hint).toContain('Put a whole copy of it in its place');
});

test('a snapshot that vanished is found all the same', async () => {
  const { cbr, folder, taken } = await shelved();
  vanish(folder, taken[3]!);
  const { code, problems } = await cbr('check');
  expect(code).toBe(4);
  expect(messages(problems)).toContain(
    `vanished without being forgotten: snapshot ${taken[4]!.slice(0, 8)} saw it`,
  );
});

test('an image that is there and cannot be read was not moved away: what is on it is lost until it is put back', async () => {
  const { cbr, images, putBack } = await shelved();
  putBack();
  const [one] = images as [string];
  const bytes = readFileSync(one);
  writeFileSync(one, randomContent(9, bytes.length));
  const { code, summary, problems } = await cbr('check');
  expect(code).toBe(4);
  expect(summary.absentPacks).toBeUndefined();
  const errors = problems.filter(({ severity }) => severity === 'error');
  expect(errors.length).toBeGreaterThan(4);
  expect(messages(errors)).toContain(DISC);
  expect(messages(problems)).toContain('holds no ISO 9660 file system');
  writeFileSync(one, bytes);
  expect((await cbr('check')).code).toBe(0);
});

test('the newest image alone tells of all snapshots, and is checked together with the others in a drive', async () => {
  const { its, taken, images } = await twoImages();
  const drive = join(its.root, 'drive');
  const insert = (number: number): void => {
    rmSync(drive, { force: true });
    symlinkSync(images[number - 1]!, drive);
  };
  insert(2);
  const listed = await its.json(['snapshots', '-r', `disc:${drive}`]);
  expect(listed.items.map(({ snapshot }) => snapshot)).toEqual(taken);
  const serve = (number: number) => ({
    when: `Disc ${number} of the set repository (CBR_REPOSITORY_000${number}) is needed.`,
    act: () => insert(number),
    type: '\n',
  });
  // The folders of both are read, and then the content of both.
  const { code, screen } = await onTerminal(
    its,
    ['-r', `disc:${drive}`, 'check', '--read-data'],
    [serve(1), serve(2)],
  );
  expect(screen).toContain('Checked 5 snapshots');
  expect(screen).toContain('No damage was found');
  expect(code).toBe(0);
});
