import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
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
import { type Place, place } from './run.js';

/** A repository that lives on images from the start. */

const DISC_BYTES = 8 * 2 ** 20;

interface Living {
  readonly its: Place;
  readonly folder: string;
  /** Writes a file and takes a snapshot. */
  readonly take: (seed: number, bytes?: number) => Promise<Readonly<Record<string, unknown>>>;
  readonly cbr: (...args: string[]) => ReturnType<Place['json']>;
  readonly images: () => string[];
}

async function living(options = ''): Promise<Living> {
  const its = place();
  const folder = join(its.root, 'discs');
  const location = `disc:${folder}`;
  const made = await its.run([
    ...['init', '-r', `${location}?media=${DISC_BYTES}${options}`, '--no-encryption'],
    ...['--block-size', '1MiB', '--pack-size', '1MiB'],
  ]);
  expect(made).toMatchObject({ code: 0 });
  const cbr = (...args: string[]) => its.json([...args, '-r', location, '--no-progress']);
  return {
    its,
    folder,
    cbr,
    async take(seed, bytes = 2_000_000) {
      writeFileSync(join(its.source, `file ${seed}`), randomContent(seed, bytes));
      const { code, summary } = await cbr('snapshot', its.source);
      expect(code).toBe(0);
      return summary;
    },
    images: () =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.iso'))
        .sort()
        .map((name) => join(folder, name)),
  };
}

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
  const sizes = images().map((image) => statSync(image).size);
  const forgotten = await its.run(['forget', '--keep-last', '1', '-r', `disc:${folder}`]);
  expect(forgotten).toMatchObject({ code: 0, stdout: expect.stringContaining('data stay on their discs') });
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
  expect((await cbr('disc', 'consolidate', '--to', to)).code).toBe(1);
  expect((await cbr('disc', 'consolidate', '--to', newer)).code).toBe(2);
});

test('an append that is killed leaves the earlier sessions readable, and the next snapshot takes all along', async () => {
  const { its, folder, take, cbr, images } = await living();
  const first = (await take(1)).snapshot;
  const [image] = images() as [string];
  const before = statSync(image).size;
  writeFileSync(join(its.source, 'file 2'), randomContent(2, 3_000_000));
  const killed = await its.run(['snapshot', its.source, '-r', `disc:${folder}`], {
    during(child) {
      // xorriso goes with it, in the middle of what it writes.
      const watch = setInterval(() => {
        if (statSync(image).size === before) return;
        execFileSync('/bin/sh', ['-c', 'pkill -9 -P "$1"; kill -9 "$1"', 'sh', String(child.pid)], {
          stdio: 'ignore',
        });
        clearInterval(watch);
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
  expect((await cbr('check', '--read-data')).code).toBe(0);
  await take(3);
  expect((await cbr('check', '--read-data')).code).toBe(0);
  expect((await its.json(['snapshots', '-r', `disc:${folder}`])).items).toHaveLength(3);
  for (const each of images()) expect((await cbr('disc', 'verify', each)).code).toBe(0);
  const staged = readdirSync(join(folder, 'staging/objects/packs'), { recursive: true, encoding: 'utf8' });
  expect(staged.filter((path) => path.includes('/'))).toEqual([]);
});

test('an image that was cut short before its last session shows what is left of it', async () => {
  const { its, take, images, cbr } = await living();
  await take(1);
  const [image] = images() as [string];
  const whole = readFileSync(image);
  await take(2);
  truncateSync(image, whole.byteLength);
  const { code, problems } = await cbr('check');
  expect(code).toBe(4);
  expect(JSON.stringify(problems)).toContain('is cut short');
  const target = join(its.root, 'restored');
  const restored = await cbr('restore', `latest~1:${its.source}/file 1`, '--target', target);
  expect(restored.code).toBe(0);
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
