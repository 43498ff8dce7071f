import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DISC_BYTES, discPlace } from './disc-place.js';
import { living, vanish } from './living-images.js';
import { messages } from './on-discs.js';
import type { Place } from './run.js';

/** `cbr disc consolidate` where not all snapshots are there that are known of. */

async function consolidated(its: Place, from: string, ...options: string[]) {
  const folder = join(its.root, 'newer');
  const run = await its.json([
    ...['-r', from, 'disc', 'consolidate', '--to', `disc:${folder}?media=${4 * DISC_BYTES}`],
    ...['--no-progress', ...options],
  ]);
  const check = () => its.json(['-r', `disc:${folder}`, 'check', '--read-data', '--no-progress']);
  return { run, folder, check };
}

test('discs of some snapshots give a repository of these, which says what it lacks and finds what vanishes later', async () => {
  const { its, out, take, build } = await discPlace();
  const first = await take(1, 3);
  const second = await take(2, 3);
  const third = await take(3, 3);
  const chosen = [second, third].flatMap((id) => ['--snapshot', id]);
  expect((await build('--media', String(DISC_BYTES), ...chosen)).code).toBe(0);
  const { run, folder, check } = await consolidated(its, `disc:${out}`);
  expect(run).toMatchObject({ code: 0, summary: { snapshots: 2, leftOut: [first] } });
  const told = run.problems.filter(({ code }) => code === 'left-out');
  expect(told).toMatchObject([{ severity: 'warning' }]);
  expect(messages(told)).toContain(first.slice(0, 8));

  const sound = await check();
  expect(sound.code).toBe(0);
  expect(sound.problems.filter(({ severity }) => severity !== 'note')).toEqual([]);
  const items = (await its.json(['-r', `disc:${folder}`, 'snapshots'])).items;
  expect(items.map(({ snapshot }) => snapshot).sort()).toEqual([second, third].sort());
  expect((await its.run(['-r', `disc:${folder}`, 'snapshot', its.source])).code).toBe(0);
  expect((await check()).code).toBe(0);

  vanish(folder, second);
  const { code, problems } = await check();
  expect(code).toBe(4);
  const vanished = problems.filter(({ message }) => String(message).includes('vanished without'));
  expect(vanished).toMatchObject([{ object: `snapshots/${second}` }]);
  expect(messages(vanished)).toContain(`snapshot ${third.slice(0, 8)} saw it`);
});

test('so do images of which another one is lost, when its snapshots are not among the chosen ones', async () => {
  const { its, take, images } = await living('&new-disc=1');
  const first = (await take(1, 4_000_000)).snapshot;
  rmSync(join(its.source, 'file 1'));
  const second = (await take(2, 4_000_000)).snapshot;
  const [, two] = images() as [string, string];
  const alone = join(its.root, 'alone');
  mkdirSync(alone);
  cpSync(two, join(alone, 'two.iso'));
  const all = await consolidated(its, `disc:${alone}`);
  expect(all.run).toMatchObject({ code: 4, summary: { error: { code: 'damaged' } } });
  expect(JSON.stringify(all.run.summary)).toContain(String(first).slice(0, 8));
  rmSync(all.folder, { recursive: true });
  const { run, check } = await consolidated(its, `disc:${alone}`, '--snapshot', String(second));
  expect(run).toMatchObject({ code: 0, summary: { snapshots: 1, leftOut: [] } });
  const sound = await check();
  expect({ code: sound.code, snapshots: sound.summary.snapshots }).toEqual({ code: 0, snapshots: 1 });
});

test('what a repository has lost is damage, also when it is consolidated, until it is given up', async () => {
  const { its, take } = await discPlace();
  const first = await take(1, 3);
  await take(2, 3);
  rmSync(join(its.repo, 'snapshots', first));
  const lossy = await consolidated(its, its.repo);
  expect(lossy.run).toMatchObject({ code: 4, summary: { snapshots: 1, leftOut: [first] } });
  const said = lossy.run.problems.filter(({ severity }) => severity !== 'note');
  expect(said).toMatchObject([{ severity: 'error', code: 'left-out' }]);
  expect((await lossy.check()).code).toBe(0);
  rmSync(lossy.folder, { recursive: true });

  expect((await its.run(['prune', '--accept-vanished'])).code).toBe(0);
  const { run, check } = await consolidated(its, its.repo);
  expect(run.code).toBe(0);
  expect(messages(run.problems)).not.toContain('known of');
  expect(run.summary.leftOut).toEqual([]);
  expect((await check()).code).toBe(0);
});

test('what a repository that lives on images has lost is damage, too', async () => {
  const { its, folder, take } = await living();
  const first = String((await take(1, 100_000)).snapshot);
  await take(2, 100_000);
  vanish(folder, first);
  const { run, check } = await consolidated(its, `disc:${folder}`);
  expect(run).toMatchObject({ code: 4, summary: { leftOut: [first] } });
  expect((await check()).code).toBe(0);
});
