import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { probeAbilities, tellMissing } from '../snapshot/abilities.js';
import { loopDrive, reads } from './disc-loops.js';
import { DISC_BYTES, discPlace } from './disc-place.js';
import { onTerminal } from './terminal.js';

/** `cbr disc burn --set`: all discs that are built and not burned, one after another. */

const can = probeAbilities();
tellMissing(can, 'Burning sets of discs');

/** Not left out in silence: see above. */
const testLoops = can.loops ? test : undefined;

async function stocked() {
  const it = await discPlace();
  await it.take(1, 60);
  await it.build('--media', String(DISC_BYTES));
  const drive = loopDrive(it.its);
  const command = (...args: string[]) => [
    ...['disc', 'burn', '--set', 'photos', '--images', it.out, '--device', drive.device, '--no-progress'],
    ...args,
  ];
  const burn = (...args: string[]) => it.its.run(command(...args));
  const states = async () => (await it.its.json(['disc', 'list'])).items.map(({ state }) => state);
  return { ...it, ...drive, command, burn, states, count: it.images().length };
}

testLoops?.('a hook puts in the discs: all are burned in their order, and it is told which', async () => {
  const { its, device, images, command, states, count } = await stocked();
  expect(count).toBeGreaterThanOrEqual(3);
  const log = join(its.root, 'log');
  const hook = join(its.root, 'change discs');
  writeFileSync(
    hook,
    `#!/bin/sh -e
echo "$CBR_DISC_EVENT $CBR_DISC_SET $CBR_DISC_NUMBER $CBR_DISC_VOLUME $CBR_DISC_IMAGE $CBR_DISC_DEVICE" >> "${log}"
if [ $CBR_DISC_EVENT = needed ]; then
  disc="${its.root}/burned $CBR_DISC_NUMBER"
  truncate -s ${DISC_BYTES} "$disc"
  losetup -d $CBR_DISC_DEVICE
  losetup $CBR_DISC_DEVICE "$disc"
fi
`,
    { mode: 0o755 },
  );
  const done = await its.json(command('--hook', `"${hook}"`));
  expect(done).toMatchObject({ code: 0, stderr: '' });
  const numbers = images().map((_, i) => i + 1);
  expect((done.summary.burned as { number: number }[]).map(({ number }) => number)).toEqual(numbers);
  expect(readFileSync(log, 'utf8').trim().split('\n')).toEqual(
    images().flatMap((image, i) => {
      const facts = `photos ${i + 1} CBR_PHOTOS_000${i + 1} ${image} ${device}`;
      return [`needed ${facts}`, `burned ${facts}`];
    }),
  );
  for (const [i, image] of images().entries()) {
    expect(reads(join(its.root, `burned ${i + 1}`), image)).toBe(true);
  }
  expect(await states()).toEqual(numbers.map(() => 'burned'));
  const again = await its.run(command('--hook', 'false'));
  expect(again).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('All discs of the set are burned.'),
  });
});

testLoops?.('where nobody can be asked it stops after each disc, and goes on in the next run', async () => {
  const { device, insert, images, burn, states, count } = await stocked();
  for (const [i, image] of images().entries()) {
    insert(`disc ${i + 1}`);
    const run = await burn();
    expect(run.stdout).toContain(`Burned CBR_PHOTOS_000${i + 1}: it reads as its image.`);
    expect(reads(device, image)).toBe(true);
    const isLast = i === count - 1;
    expect(run.code).toBe(isLast ? 0 : 1);
    if (!isLast) {
      expect(run.stderr).toContain(
        `the next disc is needed, for CBR_PHOTOS_000${i + 2} (disc ${i + 2} of the set photos, ${count - i - 1} to go)`,
      );
      expect(run.stderr).toContain('run the command again');
    }
    expect(await states()).toEqual(images().map((_, k) => (k <= i ? 'burned' : 'built')));
  }
  expect((await burn()).stdout).toBe('All discs of the set are burned.\n');
});

testLoops?.(
  'somebody at a terminal is asked for each disc, and nothing is burned without an answer',
  async () => {
    const { its, device, images, command, states, count } = await stocked();
    const said = await onTerminal(its, command(), [{ when: '[y/N]', type: 'n\r' }]);
    expect(said.code).toBe(1);
    expect(said.screen).toContain(
      `Put a blank disc for CBR_PHOTOS_0002 (disc 2 of the set photos, ${count - 1} to go)`,
    );
    expect(said.screen).toContain('not burned: CBR_PHOTOS_0002');
    expect(reads(device, images()[0]!)).toBe(true);
    expect((await states()).filter((state) => state === 'burned')).toHaveLength(1);
  },
);

testLoops?.('a hook that fails stops it: before a disc nothing is burned, after one it counts', async () => {
  const { device, burn, states, images, insert } = await stocked();
  const before = await burn('--hook', 'exit 7');
  expect(before.code).toBe(1);
  expect(before.stderr).toContain('the hook failed for CBR_PHOTOS_0001 (needed): exit code 7');
  expect(readFileSync(device).every((byte) => byte === 0)).toBe(true);
  expect((await states())[0]).toBe('built');
  const after = await burn('--hook', 'test $CBR_DISC_EVENT = needed');
  expect(after.code).toBe(1);
  expect(after.stderr).toContain('the hook failed for CBR_PHOTOS_0001 (burned): exit code 1');
  expect(reads(device, images()[0]!)).toBe(true);
  expect((await states()).slice(0, 2)).toEqual(['burned', 'built']);
  const killed = await burn('--hook', 'kill -9 $$');
  expect(killed.stderr).toContain('(needed): SIGKILL');
  // A hook that leaves the old disc in: it is not burned over.
  const left = await burn('--hook', 'true');
  expect(left.code).toBe(1);
  expect(left.stderr).toContain(`the disc in ${device} is CBR_PHOTOS_0001`);
  insert('next');
  expect((await burn('--hook', 'true')).stdout).toContain('Burned CBR_PHOTOS_0002');
});

testLoops?.('images that are absent or of other discs are told before anything is burned', async () => {
  const { its, out, device, images, burn, states } = await stocked();
  const [first, second] = images() as [string, string];
  const untouched = () => expect(readFileSync(device).every((byte) => byte === 0)).toBe(true);
  const kept = join(its.root, 'kept.iso');
  renameSync(second, kept);
  const absent = await burn();
  expect(absent.code).toBe(1);
  expect(absent.stderr).toContain(`the image ${second} is not there`);
  expect(absent.stderr).toContain('cbr disc rebuild');
  untouched();
  copyFileSync(first, second);
  const foreign = await burn();
  expect(foreign.code).toBe(1);
  expect(foreign.stderr).toContain('CBR_PHOTOS_0002.iso is not the image of the disc of that name');
  untouched();
  // Of a set of that name in another repository.
  const other = await discPlace();
  await other.take(9, 60);
  await other.build('--media', String(DISC_BYTES));
  copyFileSync(other.images()[1]!, second);
  expect((await burn()).stderr).toContain('It is of another set or repository.');
  untouched();
  rmSync(second);
  renameSync(kept, second);
  expect(await burn('--images', its.source)).toMatchObject({ code: 1 });
  untouched();
  expect((await states()).every((state) => state === 'built')).toBe(true);
  const unknown = await its.run(['disc', 'burn', '--set', 'music', '--device', device, '--images', out]);
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no disc set music') });
  // What was retired is not burned.
  await its.run(['disc', 'retire', 'photos/1', '--yes']);
  expect((await burn()).stdout).toContain('Burned CBR_PHOTOS_0002');
  expect(existsSync(first)).toBe(true);
});

testLoops?.(
  'images that the repository does not know are burned all the same, and that is said',
  async () => {
    const { its, images, device, insert, states } = await stocked();
    const other = await discPlace();
    const hook = join(its.root, 'hook');
    const discs = images().slice(0, 2);
    // A hook that wipes the disc that is in.
    writeFileSync(
      hook,
      `#!/bin/sh\n[ $CBR_DISC_EVENT = burned ] || dd if=/dev/zero of=${device} bs=1M count=8 2>/dev/null\n`,
      { mode: 0o755 },
    );
    insert('one');
    const args = ['disc', 'burn', ...discs, '--device', device, '--no-progress', '--hook', hook];
    const run = await other.its.json(args);
    expect(run.code).toBe(0);
    expect(run.summary.burned).toHaveLength(2);
    expect(run.problems.map(({ severity, code }) => ({ severity, code }))).toEqual(
      discs.map(() => ({ severity: 'warning', code: 'not-noted' })),
    );
    expect(reads(device, discs[1]!)).toBe(true);
    expect((await states()).every((state) => state === 'built')).toBe(true);
  },
);
