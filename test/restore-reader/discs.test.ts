import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { missingFiles } from '../snapshot/check-subject.js';
import type { Scratch } from '../snapshot/scratch-repository.js';
import { damage, lostWithout, packPath, packsOf, type Spread, spread } from './disc-folders.js';
import { differences, lostIn, read } from './reader.js';

/** Discs that are all there, not all there, scratched, or not ours. */

async function restoring(its: Scratch, discs: readonly string[], program?: string) {
  const target = its.newTarget();
  const args = [
    'restore',
    `latest:${its.source}`,
    '--target',
    target,
    ...(discs.length > 0 ? ['--discs', ...discs] : []),
  ];
  const options = { cwd: its.source, env: { CBR_PASSWORD: 'secret' } };
  const run = await read(args, program === undefined ? options : { ...options, program });
  return { ...run, target, lost: lostIn(run) };
}

const TAIL_BYTES = 16;
const HEADER_BYTES = 56;

/** Flips a byte in the sealed table at the end of a pack. */
function damageTable(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - TAIL_BYTES - HEADER_BYTES - 30]! ^= 1;
  writeFileSync(path, bytes);
}

/** The folder of the disc with that number. */
const disc = ({ folders }: Spread, number: number): string => folders[number - 1]!;

describe('all discs in reach', () => {
  test.each(['every', 'last'] as const)('with trees and index on the %s disc, named', async (trees) => {
    const made = await spread(3, { trees });
    const { code, stderr, target } = await restoring(made.its, made.folders);
    expect(code, stderr).toBe(0);
    expect(differences(made.its.source, target)).toEqual([]);
  });

  test('beside the one that the program lies on', async () => {
    const made = await spread(3);
    const program = join(disc(made, 2), 'restore/cbr-restore.mjs');
    const { code, stderr, target } = await restoring(made.its, [], program);
    expect(code, stderr).toBe(0);
    expect(differences(made.its.source, target)).toEqual([]);
  });

  test('in the current folder, and in a folder of discs that is named', async () => {
    const made = await spread(3, { encrypted: true });
    const shelf = join(made.its.root, 'shelf');
    mkdirSync(shelf);
    for (const folder of made.folders) cpSync(folder, join(shelf, folder.slice(-1)), { recursive: true });
    const inside = await read(['list'], { cwd: shelf, env: { CBR_PASSWORD: 'secret' } });
    expect(inside.code, inside.stderr).toBe(0);
    for (const number of [1, 2, 3])
      expect(inside.stdout).toContain(`disc ${number} of the set photos (CBR_PHOTOS_000${number})`);
    const { code, stderr, target } = await restoring(made.its, [shelf]);
    expect(code, stderr).toBe(0);
    expect(differences(made.its.source, target)).toEqual([]);
  });
});

describe('a disc that is not there', () => {
  test.each([1, 2, 3])('number %i costs the files on it, and no others', async (number) => {
    const made = await spread(3);
    const { its, folders, packs } = made;
    const { code, target, lost, stderr } = await restoring(
      its,
      folders.filter((each) => each !== disc(made, number)),
    );
    expect(code, stderr).toBe(4);
    const expected = await lostWithout(its, packs[number - 1]!);
    expect(expected.length).toBeGreaterThan(5);
    expect(expected.length).toBeLessThan(60);
    expect(Object.keys(lost).sort()).toEqual(expected);
    expect(missingFiles(its.source, target)).toEqual(expected);
    for (const reason of Object.values(lost)) {
      expect(reason).toContain(`disc ${number} of the set photos (CBR_PHOTOS_000${number})`);
    }
  });

  test('with the index and the trees: it is said which disc to look for', async () => {
    const made = await spread(3, { trees: 'last' });
    const { code, stderr } = await restoring(made.its, made.folders.slice(0, 2));
    expect(code).toBe(4);
    expect(stderr).toContain(
      'no index in reach says where its content lies; not in reach: disc 3 of the set photos',
    );
  });

  test('list says what is in reach and what is not', async () => {
    const made = await spread(3);
    const { code, stdout } = await read(['list', '--discs', disc(made, 2)]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/In reach:\n {2}.*disc-2: disc 2 .*\nNot in reach:\n {2}disc 1 .*\n {2}disc 3 /);
  });
});

describe('damage', () => {
  test.each(['flipped', 'cut short', 'gone'])(
    'a data pack that is %s costs the files that need it',
    async (how) => {
      const { its, folders, packs } = await spread(1);
      const name = packs[0]![1]!;
      const path = join(folders[0]!, packPath(name));
      if (how === 'flipped') damage(path, 0.1);
      else if (how === 'gone') rmSync(path);
      else truncateSync(path, 100);
      const { code, target, lost, stderr } = await restoring(its, folders);
      expect(code, stderr).toBe(4);
      const missing = missingFiles(its.source, target);
      expect(Object.keys(lost).sort()).toEqual(missing);
      const most = await lostWithout(its, [name]);
      if (how === 'flipped') {
        // One block of several.
        expect(missing.length).toBeGreaterThan(0);
        expect(missing.every((each) => most.includes(each))).toBe(true);
      } else expect(missing).toEqual(most);
      for (const reason of Object.values(lost)) expect(reason).toContain(name);
    },
  );

  test('is made good by a second copy', async () => {
    const { its, folders, packs } = await spread(1);
    const second = join(its.root, 'second');
    cpSync(folders[0]!, second, { recursive: true });
    for (const [i, name] of packs[0]!.entries())
      damage(join(i % 2 === 0 ? folders[0]! : second, packPath(name)));
    for (const name of packsOf(second).tree) damage(join(second, packPath(name)), 0.2);
    damage(join(folders[0]!, 'config/1'));
    const { code, stderr, target } = await restoring(its, [folders[0]!, second]);
    expect(code, stderr).toBe(0);
    expect(differences(its.source, target)).toEqual([]);
  });

  test.each(['index gone', 'index flipped', 'index flipped and tables of packs too'])(
    '%s: the packs are asked',
    async (how) => {
      const { its, folders } = await spread(1, { encrypted: how !== 'index gone' });
      const index = join(folders[0]!, 'index');
      if (how === 'index gone') rmSync(index, { recursive: true });
      else for (const name of readdirSync(index)) damage(join(index, name));
      if (how.includes('tables')) {
        const { data, tree } = packsOf(folders[0]!);
        for (const name of [data[0]!, tree[0]!]) damageTable(join(folders[0]!, packPath(name)));
      }
      const { code, stderr, target } = await restoring(its, folders);
      expect(code, stderr).toBe(0);
      if (how !== 'index gone') expect(stderr).toMatch(/Warning: index segment [0-9a-f]{64}: /);
      if (how.includes('tables')) expect(stderr).toContain('its blocks are read instead');
      expect(differences(its.source, target)).toEqual([]);
    },
  );

  test('in the header of every pack costs nothing: there is a copy of it', async () => {
    const { its, folders } = await spread(1);
    const { data, tree } = packsOf(folders[0]!);
    for (const [i, name] of [...data, ...tree].entries()) {
      const path = join(folders[0]!, packPath(name));
      const bytes = readFileSync(path);
      // The magic of some, the salt of others.
      bytes[i % 2 === 0 ? 1 : 40]! ^= 1;
      writeFileSync(path, bytes);
    }
    const { code, stderr, target } = await restoring(its, folders);
    expect(code, stderr).toBe(0);
    expect(differences(its.source, target)).toEqual([]);
  });

  test('a snapshot that cannot be opened is named', async () => {
    const { its, folders } = await spread(1);
    const [snapshot] = readdirSync(join(folders[0]!, 'snapshots'));
    damage(join(folders[0]!, 'snapshots', snapshot!));
    const run = await restoring(its, folders);
    expect(run).toMatchObject({ code: 4 });
    expect(run.stderr).toContain(`snapshots/${snapshot}: its bytes are not those that were written`);
    expect(run.stderr).toContain('nobody can tell which snapshot is the latest');
    expect(await read(['list', '--discs', folders[0]!])).toMatchObject({ code: 4 });
  });

  test('a damaged disc.json costs nothing', async () => {
    const { its, folders } = await spread(1);
    writeFileSync(join(folders[0]!, 'disc.json'), '{"format":');
    const { code, stderr } = await restoring(its, folders);
    expect([code, stderr]).toEqual([0, expect.stringContaining('disc.json is damaged')]);
  });
});

describe('what is not ours', () => {
  test('a disc of another repository is named and left out', async () => {
    const [ours, foreign] = [await spread(1), await spread(1)];
    const { code, stderr, target } = await restoring(ours.its, [...ours.folders, ...foreign.folders]);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(`Left out: ${foreign.folders[0]} belongs to another repository`);
    expect(differences(ours.its.source, target)).toEqual([]);
  });

  test('a folder without a disc, and one that is not there', async () => {
    const { its } = await spread(1);
    expect(await restoring(its, [its.source])).toMatchObject({
      code: 10,
      stderr: expect.stringContaining(`no disc and no repository in ${its.source}`),
    });
    expect(await restoring(its, [join(its.root, 'nowhere')])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('nowhere is not a folder'),
    });
  });

  test('images: it is said what to do with them', async () => {
    const { its } = await spread(1);
    const shelf = join(its.root, 'shelf');
    mkdirSync(shelf);
    const image = join(shelf, 'CBR_PHOTOS_0001.iso');
    writeFileSync(image, 'an image');
    expect(await restoring(its, [image])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`${image} is an image of a disc, not a folder\nMount each, or unpack`),
    });
    expect(await restoring(its, [shelf])).toMatchObject({
      code: 10,
      stderr: expect.stringContaining(`in ${shelf} there are images of discs, not discs\nMount each`),
    });
  });
});
