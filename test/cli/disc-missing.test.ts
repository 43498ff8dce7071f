import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addDiscEvent } from '../../dist/repo/index.js';
import { randomContent } from '../snapshot/random-content.js';
import { buildOf, overwrite, packsOf, shelf, store, use } from './disc-records.js';
import { onTerminal } from './terminal.js';

/** `cbr disc missing` and `cbr disc retire`: what a restore needs, and what becomes of it without a disc. */

test('a restore needs the discs with its packs, and that with its trees', async () => {
  const { its, snapshots, packs } = await shelf();
  const [one, two, three] = packs as [(typeof packs)[0], (typeof packs)[0], (typeof packs)[0]];
  await store(
    its,
    buildOf([[one], [two], []], { snapshots: snapshots.slice(0, 2) }),
    'burned',
    'built',
    'built',
  );
  const missing = (...args: string[]) => its.json(['disc', 'missing', ...args]);
  const first = await missing(snapshots[0]!);
  expect(first.items).toMatchObject([
    { set: 'home', number: 1, state: 'burned', packs: 1, bytes: one.size },
    { set: 'home', number: 3, packs: 0, bytes: 0 },
  ]);
  expect(first.summary).toMatchObject({
    exitCode: 0,
    snapshot: snapshots[0],
    packs: 1,
    bytes: one.size,
    sets: [{ set: 'home', discs: 2, trees: true, moved: false, missing: { packs: 0, bytes: 0 } }],
  });
  expect((await missing(snapshots[1]!)).items.map(({ number }) => number)).toEqual([1, 2, 3]);

  const last = await missing('latest');
  expect(last.summary).toMatchObject({ exitCode: 3, packs: 3 });
  expect(last.summary.sets).toEqual([
    { set: 'home', discs: 2, trees: false, moved: false, missing: { packs: 1, bytes: three.size } },
  ]);
  expect(last.items.slice(2)).toMatchObject([{ pack: three.name, bytes: three.size, set: 'home' }]);

  const rest = buildOf([[three]], { first: 4, content: 'new', snapshots: snapshots.slice(2) });
  await store(its, rest);
  expect((await missing('latest')).summary.exitCode).toBe(3);
  await store(its, buildOf([[three]], { first: 5, content: 'new', snapshots: snapshots.slice(2) }), 'built');
  const whole = await missing('latest', '--set', 'home');
  expect(whole.items.map(({ number }) => number)).toEqual([1, 2, 5]);
  expect(whole.summary.exitCode).toBe(0);
  const { stdout } = await its.run(['disc', 'missing', 'latest']);
  expect(stdout).toContain('Set home has all of it, on these discs:\n');
});

test('each set is looked at for itself, and one that has everything is enough', async () => {
  const { its, snapshots, packs } = await shelf();
  const none = await its.run(['disc', 'missing', 'latest']);
  expect(none).toMatchObject({ code: 3, stdout: expect.stringContaining('There are no discs yet.') });
  await store(its, buildOf([packs.slice(0, 1)], { set: 'away', snapshots }), 'built');
  await store(its, buildOf([packs], { snapshots }), 'built');
  await store(its, buildOf([[]], { set: 'other' }), 'built');
  const both = await its.json(['disc', 'missing', 'latest']);
  expect(both.summary).toMatchObject({
    exitCode: 0,
    sets: [
      { set: 'away', missing: { packs: 2 } },
      { set: 'home', missing: { packs: 0 } },
      { set: 'other', discs: 0, trees: false, missing: { packs: 3 } },
    ],
  });
  expect(both.items.filter(({ set }) => set === 'other')).toEqual([]);
  expect((await its.run(['disc', 'missing', 'latest'])).stdout).toContain('Set other has nothing of it.\n');
  expect((await its.json(['disc', 'missing', 'latest', '--set', 'away'])).summary.exitCode).toBe(3);
  const asked = await its.json(['disc', 'missing', 'latest', '--set', 'other']);
  expect(asked.items).toMatchObject(packs.map(({ name }) => ({ pack: name, set: 'other' })));
  const wrong = await its.run(['disc', 'missing', 'latest', '--set', 'nowhere']);
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no set "nowhere"') });
  expect(await its.run(['disc', 'missing'])).toMatchObject({ code: 2 });
});

test('a retired disc counts no longer, until it is written again', async () => {
  const { its, snapshots, packs } = await shelf();
  const build = buildOf([[packs[0]!, packs[1]!], [packs[2]!]], { snapshots });
  await store(its, build, 'burned', 'burned');
  await store(its, buildOf([[packs[1]!]], { first: 3, content: 'new' }), 'burned');
  const silent = await its.run(['disc', 'retire', 'HOME_1']);
  expect(silent).toMatchObject({ code: 2, stdout: '' });
  expect(silent.stderr).toContain(
    'disc home/1 (HOME_1, burned) would count no longer, and nobody can be asked',
  );
  expect((await its.json(['disc', 'missing', 'latest'])).summary.exitCode).toBe(0);

  const retired = await its.json(['disc', 'retire', 'HOME_1', '--yes']);
  expect(retired.items).toMatchObject([{ pack: packs[0]!.name, bytes: packs[0]!.size }]);
  expect(retired.summary).toMatchObject({
    exitCode: 0,
    disc: build.discs[0]!.id,
    state: 'retired',
    packs: 1,
    bytes: packs[0]!.size,
  });
  const left = await its.json(['disc', 'missing', 'latest']);
  expect(left.summary).toMatchObject({ exitCode: 3, sets: [{ missing: { packs: 1 }, trees: true }] });
  const again = await its.run(['disc', 'retire', 'home/1', '--yes']);
  expect(again).toMatchObject({ code: 2, stdout: '' });
  expect(again.stderr).toContain('disc home/1 is retired already');

  // Its trees are on the last disc.
  await its.run(['disc', 'retire', 'home/2', '--yes']);
  const without = await its.json(['disc', 'missing', 'latest']);
  expect(without.summary.sets).toMatchObject([{ trees: false, missing: { packs: 2 } }]);
  // What lies on the other disc too is no loss.
  const lost = await its.json(['disc', 'retire', 'home/3', '--yes']);
  expect(lost.items).toMatchObject([{ pack: packs[1]!.name }]);

  await use(its, async (repository) => {
    for (const { id } of build.discs) await addDiscEvent(repository, id, 'burned', 'ann@dove', 1_900_000_000);
  });
  expect((await its.json(['disc', 'missing', 'latest'])).summary.exitCode).toBe(0);
});

test('what a prune has moved since is on the discs still', async () => {
  const { its, packs: old } = await shelf();
  const take = async () => (await its.json(['snapshot', its.source])).summary.snapshot as string;
  for (const seed of [4, 5]) writeFileSync(join(its.source, `file ${seed}`), randomContent(seed, 100_000));
  const large = await take();
  rmSync(join(its.source, 'file 4'));
  const id = await take();
  const packs = await packsOf(its, id);
  expect(packs).toHaveLength(4);
  const build = buildOf([old, packs.slice(3)], { snapshots: [id] });
  await store(its, build, 'built');
  await its.run(['forget', large]);
  expect((await its.json(['prune', '--max-unused', '0'])).summary).toMatchObject({ packs: { rewritten: 1 } });
  const half = await its.json(['disc', 'missing', id]);
  expect(half.summary).toMatchObject({ exitCode: 3, sets: [{ moved: false, missing: { packs: 1 } }] });
  await use(its, (repository) => addDiscEvent(repository, build.discs[1]!.id, 'burned', 'ann@dove', 1));
  const whole = await its.json(['disc', 'missing', id]);
  expect(whole.summary).toMatchObject({
    exitCode: 0,
    sets: [{ discs: 2, trees: true, moved: true, missing: { packs: 0, bytes: 0 } }],
  });
  expect(whole.items.map(({ number, packs: count }) => [number, count])).toEqual([
    [1, 3],
    [2, 1],
  ]);
  const { stdout } = await its.run(['disc', 'missing', id]);
  expect(stdout).toContain('A prune has moved some of it since');
});

test('somebody at a terminal is asked', async () => {
  const { its, packs } = await shelf();
  await store(its, buildOf([packs]), 'built');
  const retire = (answer: string) =>
    onTerminal(its, ['disc', 'retire', 'home/1'], [{ when: '[y/N]', type: `${answer}\r` }]);
  const states = async () => (await its.json(['disc', 'list'])).items.map(({ state }) => state);
  const no = await retire('n');
  expect(no.code).toBe(1);
  expect(no.screen).toContain('not confirmed: the disc counts as before');
  expect(await states()).toEqual(['built']);
  expect(await retire('yes')).toMatchObject({ code: 0, screen: expect.stringContaining('3 packs') });
  expect(await states()).toEqual(['retired']);
});

test('a disc that was never written is given up without a loss', async () => {
  const { its, packs } = await shelf();
  await store(its, buildOf([packs]));
  const run = await its.run(['disc', 'retire', 'home/1', '--yes']);
  expect(run).toMatchObject({ code: 0, stderr: '' });
  expect(run.stdout).toContain('Nothing that counted is on it alone: set home has as much as before.');
});

test('damage is told: of the catalog, and of what the snapshot needs', async () => {
  const { its, snapshots, packs } = await shelf();
  await store(its, buildOf([packs], { snapshots }), 'built');
  overwrite(its, 3, 'nothing of ours');
  const hurt = await its.json(['disc', 'missing', 'latest']);
  expect(hurt.summary).toMatchObject({ exitCode: 4, sets: [{ trees: true, missing: { packs: 0 } }] });
  expect(hurt.problems).toMatchObject([{ object: 'catalog/3' }]);
  const { name } = packs[1]!;
  rmSync(join(its.repo, 'packs', name.slice(0, 2), name));
  const gone = await its.run(['disc', 'missing', snapshots[2]!]);
  expect(gone).toMatchObject({ code: 4, stdout: '' });
  expect(gone.stderr).toContain(`snapshot ${snapshots[2]!.slice(0, 8)}: is not whole`);
  expect((await its.json(['disc', 'missing', snapshots[0]!])).summary.sets).toMatchObject([{ trees: true }]);
});
