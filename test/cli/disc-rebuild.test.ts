import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DISC_BYTES, type DiscPlace, discPlace, extracted } from './disc-place.js';

/** `cbr disc rebuild`: a lost or scratched disc is made again. */

const MEDIA = ['--media', String(DISC_BYTES)];

function withRebuild(it: DiscPlace) {
  const rebuild = (disc: string, ...args: string[]) =>
    it.its.run(['disc', 'rebuild', disc, '--out', it.out, '--no-progress', ...args]);
  const states = async () => (await it.its.json(['disc', 'list'])).items.map(({ state }) => state);
  return { ...it, rebuild, states };
}

async function built() {
  const it = await discPlace();
  await it.take(1, 40);
  await it.build(...MEDIA);
  return withRebuild(it);
}

interface Label {
  readonly disc: string;
  readonly discs: readonly { readonly disc: string; readonly packs: readonly [string, number][] }[];
}

function labelIn(folder: string): Label {
  return JSON.parse(readFileSync(join(folder, 'disc.json'), 'utf8')) as Label;
}

function packsIn(folder: string): string[] {
  return readdirSync(join(folder, 'packs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.length > 60)
    .sort();
}

test('it has the same packs, and counts as built', async () => {
  const { its, images, rebuild, states, take, build } = await built();
  const count = images().length;
  expect(count).toBeGreaterThanOrEqual(2);
  for (const [i, image] of images().entries()) {
    const before = extracted(image, join(its.root, `before ${i}`));
    rmSync(image);
    const again = await rebuild(`photos/${i + 1}`);
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(again.stdout).toContain(`Made again: disc photos/${i + 1}`);
    const after = extracted(image, join(its.root, `after ${i}`));
    expect(packsIn(after)).toEqual(packsIn(before));
    expect((await its.run(['disc', 'verify', image])).code).toBe(0);
    expect(labelIn(after).disc).toBe(labelIn(before).disc);
  }
  expect(await states()).toEqual(Array.from({ length: count }, () => 'built'));

  await its.run(['disc', 'retire', 'photos/1', '--yes']);
  expect((await states())[0]).toBe('retired');
  expect((await rebuild('CBR_PHOTOS_0001')).stdout).toContain('It was retired, and counts again.');
  expect((await states())[0]).toBe('built');
  // Nothing of it goes on further discs.
  expect((await build(...MEDIA, '--content', 'new')).summary.discs).toEqual([]);
  await take(2, 10);
  const further = await build(...MEDIA, '--content', 'new');
  expect((further.summary.discs as unknown[]).length).toBe(1);
});

test('what has grown since does not keep a full disc from being made again', async () => {
  const { its, images, rebuild } = await built();
  const [image] = images() as [string];
  const before = extracted(image, join(its.root, 'before'));
  // A record of the catalog that is larger than what is free, and what trees and index take; that it is damaged does not matter here.
  writeFileSync(
    join(its.repo, 'catalog', '900'),
    Buffer.alloc(DISC_BYTES - statSync(image).size + 2_000_000),
  );
  const again = await rebuild('photos/1');
  expect(again.code).toBe(4);
  expect(again.stderr).toContain('catalog/900');
  expect(again.stdout).toContain('Made again: disc photos/1');
  expect(statSync(image).size).toBeLessThanOrEqual(DISC_BYTES);
  const after = extracted(image, join(its.root, 'after'));
  const dataOf = (folder: string) => {
    const { disc, discs } = labelIn(folder);
    return discs.find((each) => each.disc === disc)!.packs.map(([name]) => name);
  };
  const inPacks = packsIn(after).map((path) => path.slice(3));
  expect(dataOf(after)).toEqual(dataOf(before));
  // Whether a pack of trees fits too depends on what the disc has.
  expect(inPacks).toEqual(expect.arrayContaining(dataOf(before)));
  expect(readdirSync(after)).not.toContain('catalog');
  expect((await its.run(['disc', 'verify', image])).code).toBe(0);
});

test('after a prune that has removed packs of it, it names one and says what to do', async () => {
  const { its, take, build, images, rebuild, states } = await discPlace().then(withRebuild);
  const first = await take(1, 40);
  rmSync(join(its.source, 'folder 1'), { recursive: true });
  const second = await take(2, 40);
  await build(...MEDIA);
  const [image] = images() as [string];
  const bytes = readFileSync(image);
  const { items } = await its.json(['disc', 'show', 'photos/1', '--packs']);
  await its.run(['forget', first]);
  expect((await its.json(['prune', '--max-unused', '0'])).summary.exitCode).toBe(0);
  const refused = await rebuild('photos/1');
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  const [, pack] =
    /pack ([0-9a-f]{64}), which belongs on disc CBR_PHOTOS_0001, is gone/.exec(refused.stderr) ?? [];
  expect(items.map((item) => item.pack)).toContain(pack);
  expect(refused.stderr).toContain('Retire the disc (cbr disc retire)');
  expect(readFileSync(image).equals(bytes)).toBe(true);
  // As it says.
  expect((await its.run(['disc', 'retire', 'photos/1', '--yes'])).code).toBe(0);
  expect((await build(...MEDIA, '--content', 'new')).summary.exitCode).toBe(0);
  expect((await its.json(['disc', 'missing', 'latest'])).summary.exitCode).toBe(0);
  // What is needed as before can be made again.
  const last = (await states()).length;
  expect((await rebuild(`photos/${last}`)).code).toBe(0);

  await take(3, 1);
  await its.run(['forget', second]);
  const none = await rebuild(`photos/${last}`);
  expect(none.code).toBe(1);
  expect(none.stderr).toContain('no snapshot is left of those that the discs of photos are of');
  expect(none.stderr).toContain('can only be retired');
});

test('what cannot be made again is refused', async () => {
  const { its, images, rebuild, out } = await built();
  expect(await rebuild('photos/77')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('the catalog has no disc "photos/77"'),
  });
  expect((await its.run(['disc', 'rebuild', 'photos/1'])).code).toBe(2);
  // Another image lies where it would go.
  const [first, second] = images() as [string, string];
  renameSync(second, first);
  const bytes = readFileSync(first);
  const refused = await rebuild('photos/1');
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain('CBR_PHOTOS_0001.iso is there, and is not an image of the disc');
  expect(readFileSync(first).equals(bytes)).toBe(true);
  writeFileSync(first, 'my novel');
  expect((await rebuild('photos/1')).code).toBe(1);
  expect(readFileSync(first, 'utf8')).toBe('my novel');
  expect(readdirSync(out)).toEqual(['CBR_PHOTOS_0001.iso']);
});
