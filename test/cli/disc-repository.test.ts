import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
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
import { randomContent } from '../snapshot/random-content.js';
import { factsOf } from '../snapshot/tree-facts.js';
import { extracted } from './disc-place.js';
import { DISC_BYTES, living } from './living-images.js';
import { place } from './run.js';

/** A repository that lives on images from the start. */

test('a snapshot says which images are others than before', async () => {
  const { its, cbr, images } = await living();
  const taken = async (seed: number, bytes: number): Promise<readonly string[]> => {
    writeFileSync(join(its.source, `file ${seed}`), randomContent(seed, bytes));
    const { problems } = await cbr('snapshot', its.source);
    return problems.map(({ severity, message }) => `${severity}: ${message}`);
  };
  expect(await taken(1, 1_000_000)).toEqual([`note: ${images()[0]} is a new image`]);
  expect(await taken(2, 1_000_000)).toEqual([`note: ${images()[0]} has one more session`]);
  const [first, second, ...more] = await taken(3, 9_000_000);
  expect(first).toBe(`note: ${images()[0]} has one more session, and is full`);
  expect(second).toBe(`note: ${images()[1]} is a new image`);
  expect(more).toEqual([]);
});

test('each snapshot appends a session, a full image is closed and the next one begins', async () => {
  const { its, folder, take, cbr, images } = await living();
  const taken: unknown[] = [];
  const facts: ReturnType<typeof factsOf>[] = [];
  for (let seed = 1; seed <= 6; seed++) {
    taken.push((await take(seed)).snapshot);
    facts.push(factsOf(its.source));
  }
  expect(images().length).toBe(2);
  for (const image of images()) expect(statSync(image).size).toBeLessThanOrEqual(DISC_BYTES);
  // Full but for less than a pack.
  expect(DISC_BYTES - statSync(images()[0]!).size).toBeLessThan(1.2 * 2 ** 20);
  // What is on images leaves the staging folder, and what concerns running programs never gets on them.
  const staged = readdirSync(join(folder, 'staging/objects/packs'), { recursive: true, encoding: 'utf8' });
  expect(staged.filter((path) => path.includes('/'))).toEqual([]);
  for (const image of images()) {
    const listed = execFileSync('isoinfo', ['-R', '-f', '-i', image], { encoding: 'utf8' });
    expect(listed).not.toMatch(/\/(sessions|leases|marks)\b/);
    expect(listed).toContain('/config/1');
    expect((await cbr('disc', 'verify', image)).code).toBe(0);
    const whole = extracted(image, join(its.root, `whole-${statSync(image).size}`));
    execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: whole });
  }
  const toc = execFileSync('xorriso', ['-no_rc', '-indev', `stdio:${images()[0]}`, '-toc'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const sessions = [...toc.matchAll(/^ISO session +: +([0-9]+)/gm)];
  expect(sessions.length).toBeGreaterThanOrEqual(3);
  const first = join(its.root, 'first');
  execFileSync('xorriso', [
    ...['-no_rc', '-osirrox', 'on', '-load', 'session', '1', '-indev', `stdio:${images()[0]}`],
    ...['-extract', '/', first],
  ]);
  execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: first });
  expect(readdirSync(join(first, 'snapshots'))).toEqual([taken[0]]);

  expect((await cbr('check', '--read-data')).code).toBe(0);
  // From the images alone, where nobody has a cache.
  const alone = join(its.root, 'alone');
  mkdirSync(alone);
  for (const image of images()) cpSync(image, join(alone, image.split('/').at(-1)!));
  const from = ['-r', `disc:${alone}`, '--cache-dir', join(its.root, 'no-cache')];
  for (const [i, id] of taken.entries()) {
    const target = join(its.root, `restored-${i}`);
    expect((await its.run(['restore', String(id), '--target', target, ...from])).code).toBe(0);
    expect(factsOf(join(target, its.source))).toEqual(facts[i]);
  }
  expect((await its.run(['snapshot', its.source, ...from])).stderr).toContain('can only be read');
});

test('forget works, prune only tells, and consolidate puts what is needed on new discs', async () => {
  const { its, folder, take, cbr, images } = await living();
  await take(1);
  await take(2);
  rmSync(join(its.source, 'file 1'));
  const kept = (await take(3)).snapshot as string;
  const forgotten = await its.run(['forget', '--keep-last', '1', '-r', `disc:${folder}`]);
  expect(forgotten).toMatchObject({ code: 0, stdout: expect.stringContaining('data stay on their discs') });
  const sizes = images().map((image) => statSync(image).size);
  const pruned = await cbr('prune');
  expect(pruned.summary).toMatchObject({ state: 'planned', exitCode: 0 });
  expect((await its.run(['prune', '-r', `disc:${folder}`])).stdout).toContain('cbr disc consolidate');
  expect(images().map((image) => statSync(image).size)).toEqual(sizes);
  expect((await cbr('check', '--read-data')).code).toBe(0);

  const newer = join(its.root, 'newer');
  const to = `disc:${newer}?media=${DISC_BYTES}`;
  const { summary } = await cbr('disc', 'consolidate', '--to', to);
  expect(summary).toMatchObject({ exitCode: 0, snapshots: 1 });
  expect(summary.bytes).toBeGreaterThan(3_900_000);
  expect(summary.bytes).toBeLessThan(4_300_000);
  const other = ['-r', `disc:${newer}`];
  expect((await its.run(['check', '--read-data', ...other])).code).toBe(0);
  expect((await its.json(['snapshots', ...other])).items.map(({ snapshot }) => snapshot)).toEqual([kept]);
  writeFileSync(join(its.source, 'file 4'), 'a little more');
  expect((await its.run(['snapshot', its.source, ...other])).code).toBe(0);
  const target = join(its.root, 'restored');
  expect((await its.run(['restore', 'latest', '--target', target, ...other])).code).toBe(0);
  expect(factsOf(join(target, its.source))).toEqual(factsOf(its.source));
  expect((await cbr('disc', 'consolidate', '--to', to)).summary).toMatchObject({
    exitCode: 1,
    error: {
      code: 'repository-exists',
      hint: expect.stringContaining('If a run of this command was stopped'),
    },
  });
  expect((await cbr('disc', 'consolidate', '--to', newer)).code).toBe(2);
});

for (const [what, script] of [
  ['with xorriso', 'pkill -9 -P "$1"; kill -9 "$1"'],
  // It is held up, so that it is at work still when the next snapshot is taken.
  ['without xorriso, which goes on', 'pkill -STOP -P "$1"; kill -9 "$1"; (sleep 3; pkill -CONT -f "$2") &'],
] as const) {
  test(`an append that is killed ${what} costs nothing, and the next snapshot takes all along`, async () => {
    const { its, folder, take, cbr, images } = await living();
    const first = (await take(1)).snapshot;
    const [image] = images() as [string];
    const before = statSync(image).size;
    writeFileSync(join(its.source, 'file 2'), randomContent(2, 3_000_000));
    const killed = await its.run(['snapshot', its.source, '-r', `disc:${folder}`], {
      during(child) {
        const watch = setInterval(() => {
          if (statSync(image).size === before) return;
          clearInterval(watch);
          const args = ['-c', script, 'sh', String(child.pid), `xorriso.*${folder}`];
          execFileSync('/bin/sh', args, { stdio: 'ignore' });
        }, 1);
        child.on('close', () => clearInterval(watch));
      },
    });
    expect(killed.signal).toBe('SIGKILL');
    const copy = join(its.root, 'copy');
    mkdirSync(copy);
    cpSync(image, join(copy, 'copy.iso'));
    const alone = await its.json(['snapshots', '-r', `disc:${copy}`]);
    expect(alone.items.map(({ snapshot }) => snapshot)).toContain(first);
    expect((await its.run(['check', '--read-data', '-r', `disc:${copy}`])).code).toBe(0);
    // Committed is committed.
    expect((await cbr('snapshots')).items).toHaveLength(2);
    await take(3);
    expect((await cbr('check', '--read-data')).code).toBe(0);
    expect((await cbr('snapshots')).items).toHaveLength(3);
    for (const each of images()) expect((await cbr('disc', 'verify', each)).code).toBe(0);
    const staged = readdirSync(join(folder, 'staging/objects/packs'), { recursive: true, encoding: 'utf8' });
    expect(staged.filter((path) => path.includes('/'))).toEqual([]);
  });
}

test('full images may be moved away: they are asked for, and their numbers are not given again', async () => {
  const { its, folder, take, cbr, images } = await living();
  for (let seed = 1; seed <= 4; seed++) await take(seed);
  const [one, two] = images() as [string, string];
  expect(two).toContain('_0002.iso');
  const shelf = join(its.root, 'shelf');
  mkdirSync(shelf);
  renameSync(one, join(shelf, 'one.iso'));
  const target = join(its.root, 'restored');
  const lost = await cbr('restore', `latest:${its.source}/file 1`, '--target', target);
  expect(lost.code).toBe(4);
  expect(JSON.stringify(lost.lines)).toContain('CBR_REPOSITORY_0001');
  // What was stored before is not stored again.
  expect(((await take(5, 100_000)).bytes as { stored: number }).stored).toBeLessThan(200_000);
  const older = join(shelf, 'older.iso');
  cpSync(two, older);
  await take(6, 100_000);
  renameSync(two, join(shelf, 'two.iso'));
  await take(7, 100_000);
  expect(images().map((image) => image.slice(-8))).toEqual(['0003.iso']);
  for (const [from, to] of [
    ['one.iso', one],
    ['two.iso', two],
  ] as const) {
    renameSync(join(shelf, from), to);
  }
  expect((await cbr('check', '--read-data')).code).toBe(0);
  // A copy from before its last session must not be gone on with.
  const three = images()[2]!;
  cpSync(three, older);
  await take(8, 100_000);
  cpSync(older, three);
  writeFileSync(join(its.source, 'file 9'), randomContent(9, 100_000));
  const refused = await its.run(['snapshot', its.source, '-r', `disc:${folder}`]);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('older copy') });
});

test('the images alone know of keys and of what was forgotten', async () => {
  const its = place();
  const folder = join(its.root, 'discs');
  const env = { CBR_PASSWORD: 'old' };
  await its.run(['init', '-r', `disc:${folder}?media=${DISC_BYTES}`, '--pack-size', '4MiB'], { env });
  writeFileSync(join(its.source, 'file'), 'content');
  const at = ['-r', `disc:${folder}`];
  await its.run(['snapshot', its.source, ...at], { env });
  await its.run(['snapshot', its.source, ...at], { env });
  writeFileSync(join(its.root, 'new'), 'new\n');
  const change = ['key', 'change', '--new-password-file', join(its.root, 'new'), ...at];
  expect(await its.run(change, { env })).toMatchObject({ code: 0 });
  const now = { env: { CBR_PASSWORD: 'new' } };
  expect(await its.run(['forget', 'latest~1', ...at], now)).toMatchObject({ code: 0 });
  const alone = join(its.root, 'alone');
  mkdirSync(alone);
  cpSync(join(folder, 'CBR_REPOSITORY_0001.iso'), join(alone, 'one.iso'));
  const listed = await its.json(['snapshots', '-r', `disc:${alone}`], now);
  expect(listed.items).toHaveLength(1);
  expect(await its.run(['snapshots', '-r', `disc:${alone}`], { env })).toMatchObject({ code: 12 });
});

test('a password that was changed while all images were away opens nothing when they are back', async () => {
  const its = place();
  const folder = join(its.root, 'discs');
  const shelf = join(its.root, 'shelf');
  const at = ['-r', `disc:${folder}`];
  const old = { env: { CBR_PASSWORD: 'old' } };
  await its.run(['init', '-r', `disc:${folder}?media=${DISC_BYTES}`, '--pack-size', '4MiB'], old);
  writeFileSync(join(its.source, 'file'), 'content');
  await its.run(['snapshot', its.source, ...at], old);
  mkdirSync(shelf);
  const image = 'CBR_REPOSITORY_0001.iso';
  renameSync(join(folder, image), join(shelf, image));
  writeFileSync(join(its.root, 'new'), 'new\n');
  const change = ['key', 'change', '--new-password-file', join(its.root, 'new'), ...at];
  expect(await its.run(change, old)).toMatchObject({ code: 0 });
  renameSync(join(shelf, image), join(folder, image));
  expect(await its.run(['snapshots', ...at], old)).toMatchObject({ code: 12 });
  const now = { env: { CBR_PASSWORD: 'new' } };
  expect((await its.json(['key', 'list', ...at], now)).items).toHaveLength(1);
  expect(await its.run(['snapshot', its.source, ...at], now)).toMatchObject({ code: 0 });
});

test('an image that was cut short before its last session shows what is left of it', async () => {
  const { its, folder, take, images, cbr } = await living();
  const largePacks = (): string[] => {
    const text = readFileSync(join(folder, 'staging/discs.json'), 'utf8');
    const { discs } = JSON.parse(text) as { discs: [{ packs: [string, number][] }] };
    return discs[0].packs.filter(([, size]) => size > 500_000).map(([name]) => name);
  };
  await take(1);
  const [image] = images() as [string];
  const { size } = statSync(image);
  const before = largePacks();
  await take(2);
  truncateSync(image, size);
  const { code, problems } = await cbr('check');
  expect(code).toBe(4);
  expect(JSON.stringify(problems)).toContain('is cut short');
  const cut = largePacks().filter((name) => !before.includes(name));
  expect(cut).toHaveLength(2);
  for (const name of cut) expect(JSON.stringify(problems)).toContain(name);
  const target = join(its.root, 'restored');
  const restored = await cbr('restore', `latest~1:${its.source}/file 1`, '--target', target);
  expect(restored.code).toBe(0);
});

test('an image of which the newest session is lost shows the one before it, and is not appended to', async () => {
  const { its, folder, take, images, cbr } = await living();
  await take(1);
  const [image] = images() as [string];
  const facts = factsOf(its.source);
  const { size } = statSync(image);
  await take(2);
  // Behind a session it is padded.
  truncateSync(image, size - 150 * 2048);
  const alone = join(its.root, 'alone');
  mkdirSync(alone);
  cpSync(image, join(alone, 'one.iso'));
  for (const [i, place] of [folder, alone].entries()) {
    const target = join(its.root, `restored ${i}`);
    const from = ['-r', `disc:${place}`, '--cache-dir', join(its.root, `cache ${i}`)];
    const snapshot = i === 0 ? 'latest~1' : 'latest';
    const run = await its.run(['restore', snapshot, '--target', target, ...from]);
    expect(run.stderr).toContain('shows an earlier session, since the newest one cannot be read');
    expect(factsOf(join(target, its.source))).toEqual(facts);
  }
  const before = statSync(image).size;
  expect((await cbr('check')).code).toBe(4);
  writeFileSync(join(its.source, 'file 3'), randomContent(3, 100_000));
  const refused = await its.run(['snapshot', its.source, '-r', `disc:${folder}`]);
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain('is not, or not whole, on an image');
  expect(statSync(image).size).toBe(before);
  renameSync(image, join(its.root, 'damaged.iso'));
  expect((await its.run(['snapshot', its.source, '-r', `disc:${folder}`])).code).toBe(0);
  expect(images().map((path) => path.slice(-8))).toEqual(['0002.iso']);
});

test('with new-disc=1 a snapshot that does not fit on the image begins the next one', async () => {
  const { take, images, cbr } = await living('&new-disc=1');
  await take(1, 4_000_000);
  const [first] = images() as [string];
  const { size } = statSync(first);
  await take(2, 4_000_000);
  expect(images()).toHaveLength(2);
  expect(statSync(first).size).toBe(size);
  await take(3, 1_000_000);
  expect(images()).toHaveLength(2);
  // More than a disc holds fills several all the same.
  await take(4, 12_000_000);
  expect(images()).toHaveLength(4);
  expect((await cbr('check', '--read-data')).code).toBe(0);
});

test('media on which not even a pack fits are refused before anything is made', async () => {
  const its = place();
  const folder = join(its.root, 'discs');
  const refused = await its.run(['init', '--no-encryption', '-r', `disc:${folder}?media=20MiB`]);
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('a pack of 32.0 MiB does not fit'),
  });
  expect(existsSync(folder)).toBe(false);
});

test('what a lost image had is stored anew once a check has missed it', async () => {
  const { its, take, cbr, images } = await living();
  for (let seed = 1; seed <= 4; seed++) await take(seed);
  expect(images().length).toBeGreaterThanOrEqual(2);
  rmSync(images()[0]!);
  expect((await cbr('check', '--read-data')).code).toBe(4);
  const { bytes } = await take(5, 100_000);
  expect((bytes as { stored: number }).stored).toBeGreaterThan(2_000_000);
  const target = join(its.root, 'restored');
  expect((await cbr('restore', `latest:${its.source}`, '--target', target)).code).toBe(0);
  expect(factsOf(target)).toEqual(factsOf(its.source));
});
