import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DISC_BYTES, discPlace } from './disc-place.js';
import { filesIn } from './disc-source.js';
import { messages } from './on-discs.js';

/** A build that goes on when a prune has made new packs meanwhile. */

interface Planned {
  readonly packs: readonly { readonly name: string }[];
}

test('what a prune has moved to new packs is told, and restored from the old ones that are on discs', async () => {
  const { its, take, build, out } = await discPlace();
  const media = ['--media', String(DISC_BYTES)];
  await take(1, 20);
  await take(2, 40);
  rmSync(join(its.source, 'folder 1/file 0'));
  const kept = await take(3, 1);
  const { summary } = await its.json(['disc', 'plan', '--set', 'photos', ...media]);
  const discs = summary.discs as readonly Planned[];
  // The last disc cannot be made.
  const { name } = discs.at(-1)!.packs[0]!;
  const stopper = join(its.repo, 'packs', name.slice(0, 2), name);
  const sound = readFileSync(stopper);
  rmSync(stopper);
  writeFileSync(stopper, Buffer.concat([Buffer.from('x'), sound.subarray(1)]));
  expect((await build(...media)).code).toBe(4);
  rmSync(stopper);
  writeFileSync(stopper, sound);
  const states = async () => (await its.json(['disc', 'list'])).items.map(({ state }) => state);
  expect(await states()).toEqual(discs.map((_, i) => (i < discs.length - 1 ? 'built' : 'planned')));

  const others = (await its.json(['snapshots'])).items.map(({ snapshot }) => String(snapshot));
  for (const id of others) if (id !== kept) expect((await its.run(['forget', id])).code).toBe(0);
  // One pack alone is rewritten: it is on disc 1.
  expect((await its.run(['prune', '--max-unused', '0'])).code).toBe(0);
  const resumed = await build();
  expect(resumed.code).toBe(0);
  expect(resumed.problems).toEqual([
    expect.objectContaining({
      severity: 'warning',
      code: 'on-no-disc',
      hint: expect.stringContaining('--content new'),
    }),
  ]);
  expect(await states()).toEqual(discs.map(() => 'built'));

  const target = join(its.root, 'restored');
  const restore = await its.json([
    '-r',
    `disc:${out}`,
    'restore',
    `${kept}:${its.source}`,
    '--target',
    target,
  ]);
  expect({ code: restore.code, problems: messages(restore.problems) }).toEqual({ code: 0, problems: '' });
  expect(filesIn(target)).toEqual(filesIn(its.source));
  const more = await build(...media, '--content', 'new');
  expect(more).toMatchObject({ code: 0, problems: [] });
  expect(more.summary.discs).toHaveLength(1);
});
