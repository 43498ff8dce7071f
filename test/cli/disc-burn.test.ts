import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { probeAbilities, tellMissing } from '../snapshot/abilities.js';
import { randomContent } from '../snapshot/random-content.js';
import { loopDrive, reads } from './disc-loops.js';
import { DISC_BYTES, discPlace } from './disc-place.js';

/** `cbr disc burn` of images one by one; `disc-burn-set.test.ts` has whole sets. */

const can = probeAbilities();
tellMissing(can, 'Burning discs');

/** Not left out in silence: see above. */
const testLoops = can.loops ? test : undefined;

async function burner() {
  const it = await discPlace();
  await it.take(1, 40);
  await it.build('--media', String(DISC_BYTES));
  const { device, insert, change } = loopDrive(it.its);
  const [image, second] = it.images() as [string, string];
  const burn = (what: string, ...args: string[]) =>
    it.its.run(['disc', 'burn', what, '--device', device, '--no-progress', ...args]);
  return { ...it, device, insert, change, image, second, burn };
}

testLoops?.('a blank disc is burned, and reads as its image', async () => {
  const { its, device, image, burn } = await burner();
  expect((await its.run(['disc', 'verify', device])).code).toBe(4);
  const first = await burn(image);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(first.stdout).toContain('Burned CBR_PHOTOS_0001: it reads as its image.');
  expect(reads(device, image)).toBe(true);
  const verdict = await its.json(['disc', 'verify', device]);
  expect(verdict.summary).toMatchObject({ exitCode: 0, volume: 'CBR_PHOTOS_0001', damaged: [] });
  expect((await its.json(['disc', 'list'])).items[0]).toMatchObject({ number: 1, state: 'burned' });

  // The same one again needs no permission; links are followed; no repository is needed.
  const link = join(its.root, 'my drive');
  symlinkSync(device, link);
  const args = ['disc', 'burn', image, '--device', link, '--json'];
  const again = await its.run(args, { env: { CBR_REPO: '' } });
  expect(again.code).toBe(0);
  expect(JSON.parse(again.stdout.trim().split('\n').at(-1)!)).toMatchObject({
    burned: [{ number: 1, volume: 'CBR_PHOTOS_0001', image, device: link }],
  });
  expect(reads(device, image)).toBe(true);
});

testLoops?.('what is neither blank nor ours is refused, and stays as it is', async () => {
  const { device, insert, change, image, burn } = await burner();
  const contents: readonly (readonly [string, (file: string) => void])[] = [
    ['ext4', (file) => execFileSync('mkfs.ext4', ['-q', '-F', file])],
    ['random bytes', (file) => writeFileSync(file, randomContent(7, DISC_BYTES))],
    [
      'one mark at 64 KiB',
      (file) =>
        execFileSync('sh', ['-c', `printf x | dd of="${file}" bs=1 seek=65600 conv=notrunc`], {
          stdio: 'ignore',
        }),
    ],
    [
      'another ISO 9660',
      (file) =>
        execFileSync('sh', [
          '-c',
          `mkdir "${file}.d" && touch "${file}.d/mine" && rm "${file}" && genisoimage -quiet -R -o "${file}" "${file}.d" && truncate -s ${DISC_BYTES} "${file}"`,
        ]),
    ],
  ];
  for (const [name, fill] of contents) {
    const disc = insert(name);
    fill(disc);
    change(disc);
    const before = readFileSync(disc);
    for (const args of [[], ['--overwrite']]) {
      const refused = await burn(image, ...args);
      expect(refused, name).toMatchObject({ code: 1, stdout: expect.not.stringContaining('Burned') });
      expect(refused.stderr, name).toMatch(/is not blank, it holds something .*: nothing was written/);
      expect(refused.stderr).toContain(`dd if=/dev/zero of=${device} bs=1M`);
      expect(readFileSync(disc).equals(before), name).toBe(true);
    }
    execFileSync('dd', ['if=/dev/zero', `of=${device}`, 'bs=1M', `count=${DISC_BYTES / 2 ** 20}`], {
      stdio: 'ignore',
    });
    expect((await burn(image)).code, name).toBe(0);
    expect(reads(device, image)).toBe(true);
  }
});

testLoops?.('a disc that xorriso has blanked is blank', async () => {
  const { device, image, second, burn } = await burner();
  expect((await burn(image)).code).toBe(0);
  execFileSync('xorriso', ['-no_rc', '-outdev', `stdio:${device}`, '-blank', 'as_needed'], {
    stdio: 'ignore',
  });
  expect((await burn(second)).code).toBe(0);
  expect(reads(device, second)).toBe(true);
});

testLoops?.('another disc of cbr is burned over only when that is said', async () => {
  const { device, image, second, burn } = await burner();
  await burn(image);
  const refused = await burn(second);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(
    `the disc in ${device} is CBR_PHOTOS_0001, disc 1 of the set photos: nothing was written`,
  );
  expect(refused.stderr).toContain('--overwrite');
  expect(reads(device, image)).toBe(true);
  const over = await burn(second, '--overwrite');
  expect(over.code).toBe(0);
  expect(over.stderr).toContain('disc photos/1 (CBR_PHOTOS_0001) was written over: it counts as before');
  expect(reads(device, second)).toBe(true);
  // The same disc again is no loss.
  expect((await burn(second)).stderr).not.toContain('was written over');
});

testLoops?.('a disc that is too small is refused, one of exactly the size is not', async () => {
  const { device, insert, image, burn } = await burner();
  const { size } = statSync(image);
  const small = insert('small', size - 2048);
  const refused = await burn(image);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(
    `holds ${size - 2048} bytes, and ${image} has ${size}: nothing was written`,
  );
  expect(readFileSync(small).every((byte) => byte === 0)).toBe(true);
  insert('exact', size);
  expect(await burn(image)).toMatchObject({ code: 0, stderr: '' });
  expect(reads(device, image)).toBe(true);
});

testLoops?.('an image that is not what was built is not burned', async () => {
  const { its, device, image, burn } = await burner();
  const copy = join(its.root, 'copy.iso');
  const refused = async (): Promise<string> => {
    const { code, stderr } = await burn(copy);
    expect(code).toBe(4);
    expect(readFileSync(device).every((byte) => byte === 0)).toBe(true);
    return stderr;
  };
  copyFileSync(image, copy);
  truncateSync(copy, statSync(image).size - 1_000_000);
  expect(await refused()).toContain('is cut short');
  const damaged = readFileSync(image);
  damaged[3_000_000]! ^= 1;
  writeFileSync(copy, damaged);
  expect(await refused()).toMatch(/copy\.iso: is damaged: packs\/.*\n.*It was not burned/);
  writeFileSync(copy, 'no image at all');
  const none = await burn(copy);
  expect(none.code).not.toBe(0);
});

testLoops?.('a disc that does not read as its image is told, and does not count as burned', async () => {
  const { its, device, image } = await burner();
  // A program of that name which writes one byte wrongly; all else is done by the real one.
  const folder = join(its.root, 'bin');
  execFileSync('mkdir', [folder]);
  const real = execFileSync('which', ['xorriso'], { encoding: 'utf8' }).trim();
  const script = `#!/bin/sh
${real} "$@" || exit
case "$*" in *cdrecord*) printf x | dd of=${device} bs=1 seek=4000000 conv=notrunc 2>/dev/null ;; esac`;
  writeFileSync(join(folder, 'xorriso'), script, { mode: 0o755 });
  const run = await its.run(['disc', 'burn', image, '--device', device], {
    env: { PATH: `${folder}:${process.env.PATH}` },
  });
  expect(run.code).toBe(1);
  expect(run.stderr).toMatch(/does not read as .*CBR_PHOTOS_0001\.iso near byte 3[0-9]+/);
  expect((await its.json(['disc', 'list'])).items[0]).toMatchObject({ state: 'built' });
});

test('what is no drive is refused', async () => {
  const { its, take, build, images } = await discPlace();
  await take(1, 5);
  await build('--media', String(DISC_BYTES));
  const [image] = images() as [string];
  const burn = (device: string) => its.run(['disc', 'burn', image, '--device', device]);
  const absent = join(its.root, 'sr0');
  expect(await burn(absent)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`there is no device ${absent}`),
  });
  // xorriso would have made it.
  expect(existsSync(absent)).toBe(false);
  const file = join(its.root, 'file');
  writeFileSync(file, 'mine');
  for (const path of [file, its.root, '/dev/null']) {
    expect(await burn(path)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`${path} is no drive: nothing was written`),
    });
  }
  expect(readFileSync(file, 'utf8')).toBe('mine');
  expect((await its.run(['disc', 'burn', '--device', '/dev/sr0'])).stderr).toContain(
    'give either images or --set',
  );
  const both = await its.run(['disc', 'burn', image, '--set', 'photos', '--device', '/dev/sr0']);
  expect(both.code).toBe(2);
});
