import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeDiscSet, makeImages } from '../disc/disc-set.js';
import { genisoimage } from '../disc/image-programs.js';
import { filesIn, noise } from './disc-source.js';
import { BY_KEY, messages, onDiscs, restored } from './on-discs.js';
import { onTerminal } from './terminal.js';

/** Repositories on discs: `cbr -r disc:...` reads what discs hold, and says clearly what is wrong with some of them. */

test('images, folders, one of them, both mixed: every reading command, encrypted, without a cache', async () => {
  const all = await onDiscs({ encrypted: true });
  const { its, discs, folder, files } = all;
  const mixed = join(its.root, 'mixed');
  cpSync(discs[0]!.folder, join(mixed, 'first'), { recursive: true });
  for (const each of all.images.slice(1)) copyFileSync(each, join(mixed, `${each.slice(-8, -4)}.ISO`));
  for (const [i, where] of [folder, join(its.root, 'discs'), mixed].entries()) {
    rmSync(its.cache, { recursive: true, force: true });
    const { run, files: found } = await restored({ ...all, location: `disc:${where}` }, `out${i}`);
    expect(run.problems).toEqual([]);
    expect(found).toEqual(files);
  }
  const read = async (...args: string[]) => its.json(['-r', all.location, ...args], BY_KEY);
  expect((await read('snapshots')).items).toHaveLength(1);
  expect((await read('ls', `latest:${its.source}/folder1`)).items).toHaveLength(4);
  expect((await read('find', 'file7')).items).not.toEqual([]);
  const check = await read('check', '--read-data');
  expect({ code: check.code, problems: check.problems }).toEqual({ code: 0, problems: [] });
  expect((await read('diff', 'latest', 'latest')).code).toBe(0);
  const dump = await its.run(['-r', all.location, 'dump', `latest:${its.source}/folder1/file7`], BY_KEY);
  expect(dump.stdout.length).toBeGreaterThan(1000);
  const wrong = await its.run(['-r', all.location, 'snapshots'], { env: { CBR_PASSWORD: 'other' } });
  expect(wrong.code).toBe(12);
});

test('a disc that is missing costs its files and nothing else, and is named', async () => {
  const all = await onDiscs();
  renameSync(all.images[1]!, join(all.its.root, 'taken-away.iso'));
  const { run, files } = await restored(all, 'out');
  expect(run.code).toBe(4);
  const lost = Object.keys(all.files).filter((path) => !(path in files));
  expect(lost.length).toBeGreaterThan(0);
  expect(Object.keys(files).length).toBeGreaterThan(0);
  for (const [path, content] of Object.entries(files)) expect(content).toBe(all.files[path]);
  const name = 'isc 2 of the set photos (CBR_PHOTOS_0002)';
  const warnings = run.problems.filter(({ severity }) => severity === 'warning');
  expect(messages(warnings)).toContain(`D${name} is missing`);
  expect(warnings).toHaveLength(1);
  const errors = run.problems.filter(({ severity }) => severity === 'error');
  expect(errors).toHaveLength(lost.length);
  for (const { message } of errors)
    expect(message).toMatch(/^\S+: what is needed is on d[^/]+, which is missing$/);
  for (const { message } of errors) expect(message).toContain(`on d${name}, which is missing`);
  const check = await all.its.json(['-r', all.location, 'check', '--read-data']);
  expect(check.code).toBe(4);
  expect(check.summary.absentPacks).toBeUndefined();
  // Without reading them nobody knows.
  const quick = await all.its.json(['-r', all.location, 'check']);
  const absent = all.discs[1]!.packs.length;
  expect(quick).toMatchObject({ code: 0, summary: { absentPacks: absent } });
  expect(messages(quick.problems)).toContain(`${absent} packs are on discs that are not at hand`);
  expect((await all.its.run(['-r', all.location, 'check'])).stdout).toContain('found in what is at hand');
  expect(messages(check.problems)).toContain(`is on d${name}, which is missing`);
});

test('the first disc is missing: what is on the others works', async () => {
  const all = await onDiscs();
  rmSync(all.images[0]!);
  expect((await all.its.json(['-r', all.location, 'snapshots'])).items).toHaveLength(1);
  const { run, files } = await restored(all, 'out');
  expect(run.code).toBe(4);
  expect(Object.keys(files).length).toBeGreaterThan(0);
  expect(messages(run.problems)).toContain('Disc 1 of the set photos (CBR_PHOTOS_0001) is missing');
});

test('a foreign image, a disc twice and an unreadable image do not disturb the others', async () => {
  const all = await onDiscs();
  genisoimage(join(all.folder, 'foreign.iso'), all.its.source, '-R');
  copyFileSync(all.images[0]!, join(all.folder, 'Same.iso'));
  writeFileSync(join(all.folder, 'junk.iso'), noise(100_000, 99));
  const { run, files } = await restored(all, 'out');
  expect(run.code).toBe(0);
  expect(files).toEqual(all.files);
  const said = messages(run.problems);
  expect(said).toContain('foreign.iso is no disc of cbr: it has no disc.json');
  expect(said).toMatch(/Same\.iso and .*0001\.iso are the same: disc 1 of the set photos/);
  expect(said).toContain('junk.iso holds no ISO 9660 file system');
});

test('where nothing else is there, the same is said and nothing is read', async () => {
  const { its } = await onDiscs();
  const lonely = join(its.root, 'lonely');
  mkdirSync(lonely);
  const run = async (path: string) => its.run(['-r', `disc:${path}`, 'snapshots']);
  expect(await run(lonely)).toMatchObject({
    code: 10,
    stderr: expect.stringContaining('there are no discs in'),
  });
  expect(await run(join(lonely, 'no'))).toMatchObject({
    code: 10,
    stderr: expect.stringContaining('does not exist'),
  });
  genisoimage(join(lonely, 'foreign.iso'), its.source, '-R');
  expect(await run(lonely)).toMatchObject({ code: 10, stderr: expect.stringContaining('is no disc of cbr') });
  writeFileSync(join(lonely, 'foreign.iso'), '');
  expect(await run(lonely)).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('no ISO 9660 file system'),
  });
});

test('discs of another repository are refused by name; another set of the same one is united', async () => {
  const all = await onDiscs();
  const { its } = all;
  const united = join(its.root, 'united');
  const second = makeDiscSet(its.repo, join(its.root, 'second'), { set: 'again', discs: 2 });
  makeImages([...all.discs.slice(0, 2), second[1]!, second[0]!].slice(0, 3), united);
  const { run, files } = await restored({ ...all, location: `disc:${united}` }, 'united-out');
  // Packs of disc 3 that are on disc 2 of the other set are found there.
  expect(Object.keys(files).length).toBeGreaterThan(0);
  expect(messages(run.problems)).not.toContain('of another repository');
  makeImages(second, united);
  expect((await restored({ ...all, location: `disc:${united}` }, 'whole-out')).files).toEqual(all.files);

  const strange = makeDiscSet(its.repo, join(its.root, 'strange'), {
    repository: '22'.repeat(16),
    discs: 1,
    set: 'x',
  });
  const [image] = makeImages(strange, all.folder);
  const refused = await its.run(['-r', all.location, 'snapshots']);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(image!);
  expect(refused.stderr).toContain('22'.repeat(16));
});

test('an image that is cut short loses what lies behind the cut, an image that grows is said to', async () => {
  const all = await onDiscs();
  const image = all.images[2]!;
  const { size } = statSync(image);
  truncateSync(image, size - 700_000);
  const { run, files } = await restored(all, 'out');
  expect(run.code).toBe(4);
  expect(messages(run.problems)).toMatch(/0003\.iso is cut short: it lacks \d+ bytes/);
  expect(Object.keys(files).length).toBeGreaterThan(6);
  const growing = all.its.shell(
    `(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do printf x >> '${image}'; sleep 0.1; done) &
    cbr -r ${all.location} snapshots; wait`,
  );
  expect((await growing).stderr).toContain('0003.iso is still being written');
});

test('nothing is written to discs that were made of a repository, and none is made among them', async () => {
  const { its, location, folder } = await onDiscs();
  const before = readdirSync(folder);
  const run = async (...args: string[]) => its.run(['-r', location, ...args]);
  expect(await run('snapshot', its.source)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('can only be read'),
  });
  expect(await run('forget', 'latest')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('can only be read'),
  });
  expect(await run('init')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no medium is given'),
  });
  const writing = await its.run(['-r', `${location}?media=dvd+r`, 'init']);
  expect(writing).toMatchObject({ code: 10, stderr: expect.stringContaining('is not empty') });
  const wanted = await its.run(['-r', `${location}?media=dvd+r`, 'snapshots']);
  expect(wanted).toMatchObject({ code: 2, stderr: expect.stringContaining('and media is only for those') });
  const unknown = await its.run(['-r', `${location}?size=3`, 'snapshots']);
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('and size is only for those') });
  expect(await its.run(['-r', 'disc:', 'snapshots'])).toMatchObject({ code: 2 });
  expect(readdirSync(folder)).toEqual(before);
});

test('on a terminal a disc is asked for: it is put in, or skipped once', async () => {
  const all = await onDiscs();
  const { its, images, location } = all;
  const away = join(its.root, 'away.iso');
  renameSync(images[1]!, away);
  const question = 'Disc 2 of the set photos (CBR_PHOTOS_0002) is needed. Put it in, or into the folder';
  const args = ['-r', location, 'restore', `latest:${its.source}`, '--target'];
  const skipped = await onTerminal(
    its,
    [...args, join(its.root, 'skipped')],
    [{ when: question, type: 's\n' }],
    300,
  );
  expect(skipped.code).toBe(4);
  expect(skipped.screen.split(question)).toHaveLength(2);
  // First it is not there yet.
  const dialogue = [
    { when: question, type: '\n' },
    { when: question, act: () => renameSync(away, images[1]!), type: '\n' },
  ];
  const given = await onTerminal(its, [...args, join(its.root, 'given')], dialogue, 300);
  expect(given.screen).toContain('is not there');
  expect(given.code).toBe(0);
  expect(filesIn(join(its.root, 'given'))).toEqual(all.files);
});

test('what a label says cannot steer the terminal at the question', async () => {
  const { its, discs } = await onDiscs();
  const place = join(its.root, 'folders');
  for (const { folder, number } of [discs[0]!, discs[2]!]) {
    const disc = join(place, String(number));
    cpSync(folder, disc, { recursive: true });
    const label = readFileSync(join(disc, 'disc.json'), 'utf8');
    writeFileSync(join(disc, 'disc.json'), label.replaceAll('CBR_PHOTOS', 'CBR_\u202ePHOTOS'));
  }
  const args = ['-r', `disc:${place}`, 'restore', `latest:${its.source}`, '--target', join(its.root, 'out')];
  const { screen } = await onTerminal(its, args, [{ when: 'is needed. Put it in', type: 's\n' }], 300);
  expect(screen).toContain('Disc 2 of the set photos (CBR_');
  expect(screen).not.toContain('\u202e');
});
