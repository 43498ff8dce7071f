import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ownIdentity } from '../../dist/core/index.js';
import { DISC_BYTES, discPlace } from './disc-place.js';
import { filesIn } from './disc-source.js';

/** Two runs that make images in one folder, and who may read what they make. */

const MEDIA = ['--media', String(DISC_BYTES)];

test('while images are made in a folder another run is told so, and both come out whole', async () => {
  const { its, take, build, images, out } = await discPlace();
  await take(1, 60);
  const part = join(out, 'CBR_PHOTOS_0001.iso.part');
  const others: Promise<{ code: number | null; stderr: string }>[] = [];
  const first = await its.run(['disc', 'build', '--set', 'photos', ...MEDIA, '--out', out, '--no-progress'], {
    during(child) {
      const watch = setInterval(() => {
        if (!existsSync(part)) return;
        clearInterval(watch);
        // It holds still, whatever the machine is busy with.
        child.kill('SIGSTOP');
        const other = its
          .run(['disc', 'build', '--set', 'others', ...MEDIA, '--out', out, '--no-progress'])
          .finally(() => child.kill('SIGCONT'));
        others.push(other);
      }, 1);
      child.on('close', () => clearInterval(watch));
    },
  });
  expect(await Promise.all(others)).toEqual([
    expect.objectContaining({
      code: 11,
      stderr: expect.stringContaining(`another run makes images in ${out}`),
    }),
  ]);
  expect(first.code).toBe(0);
  expect((await its.run(['disc', 'build', '--set', 'others', '--out', out, '--no-progress'])).code).toBe(0);
  for (const image of images()) expect((await its.run(['disc', 'verify', image])).code).toBe(0);
  expect(readdirSync(out).every((name) => name.endsWith('.iso'))).toBe(true);
  expect((await build(...MEDIA, '--content', 'new')).code).toBe(0);
});

test('a snapshot that is forgotten while discs are made costs the others nothing, on each disc', async () => {
  const { its, take, build, images, out } = await discPlace();
  const kept = await take(1, 60);
  const files = filesIn(its.source);
  const forgotten = await take(2, 1);
  const first = join(out, 'CBR_PHOTOS_0001.iso');
  const forgets: Promise<unknown>[] = [];
  const args = ['disc', 'build', '--set', 'photos', ...MEDIA, '--out', out, '--no-progress'];
  const made = await its.run(args, {
    during(child) {
      const watch = setInterval(() => {
        if (!existsSync(first)) return;
        clearInterval(watch);
        child.kill('SIGSTOP');
        forgets.push(its.run(['forget', forgotten]).finally(() => child.kill('SIGCONT')));
      }, 1);
      child.on('close', () => clearInterval(watch));
    },
  });
  await Promise.all(forgets);
  // Where it was forgotten within a disc, that one is made by the next run.
  if (made.code !== 0) expect((await build()).code).toBe(0);
  const last = images().at(-1)!;
  expect(images().length).toBeGreaterThan(2);
  const trees = await its.run(['-r', `disc:${last}`, 'ls', `${kept}:${its.source}`]);
  expect({ code: trees.code, stderr: trees.stderr.replaceAll(/.*Not at hand.*\n/g, '') }).toEqual({
    code: 0,
    stderr: '',
  });
  const target = join(its.root, 'restored');
  const restore = ['restore', `${kept}:${its.source}`, '--target', target];
  expect((await its.run(['-r', `disc:${out}`, ...restore])).code).toBe(0);
  expect(filesIn(target)).toEqual(files);
});

test('the lock of a process that is gone does not hinder, one of another machine does', async () => {
  const { its, take, build, out } = await discPlace();
  await take(1, 5);
  expect((await build(...MEDIA)).code).toBe(0);
  const lock = join(out, '.cbr-building');
  const again = () => its.run(['disc', 'rebuild', 'photos/1', '--out', out, '--no-progress']);
  for (const held of [JSON.stringify({ host: 'elsewhere.invalid', pid: 1 }), '', 'null', '{']) {
    writeFileSync(lock, held);
    const refused = await again();
    expect(refused, held).toMatchObject({ code: 11, stderr: expect.stringContaining(`remove ${lock}`) });
  }
  // No process has had it since this machine was started.
  writeFileSync(lock, JSON.stringify({ ...ownIdentity(hostname()), pid: 2 ** 22 + 1 }));
  expect((await again()).code).toBe(0);
  expect(readdirSync(out)).toEqual(['CBR_PHOTOS_0001.iso']);
});

test('images are for their owner alone', async () => {
  const { its, take, images, out } = await discPlace();
  await take(1, 5);
  const made = await its.shell(`umask 0; cbr disc build --set photos ${MEDIA.join(' ')} --out "${out}"`);
  expect(made.code).toBe(0);
  expect(images().map((image) => statSync(image).mode & 0o777)).toEqual([0o600]);
  const folder = join(its.root, 'living');
  const lives = `disc:${folder}?media=${DISC_BYTES}`;
  const living = await its.shell(
    `umask 0; cbr -r "${lives}" init --no-encryption --block-size 1MiB --pack-size 1MiB && cbr -r "disc:${folder}" snapshot "${its.source}" && cbr -r "disc:${folder}" snapshot /etc/hostname`,
  );
  expect(living).toMatchObject({ code: 0 });
  const [image] = readdirSync(folder).filter((name) => name.endsWith('.iso')) as [string];
  expect(statSync(join(folder, image)).mode & 0o777).toBe(0o600);
});
