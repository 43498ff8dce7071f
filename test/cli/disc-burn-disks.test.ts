import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { probeAbilities, tellMissing } from '../snapshot/abilities.js';
import { loopDrive, reads } from './disc-loops.js';
import { DISC_BYTES, discPlace } from './disc-place.js';

/** `cbr disc burn` on block devices that hold something of value, and discs that are changed meanwhile. */

const can = probeAbilities();
tellMissing(can, 'Burning over disks');

/** Not left out in silence: see above. */
const testLoops = can.loops ? test : undefined;

async function burner() {
  const it = await discPlace();
  await it.take(1, 10);
  await it.build('--media', String(DISC_BYTES));
  const drive = loopDrive(it.its);
  const [image] = it.images() as [string];
  const burn = (...args: string[]) =>
    it.its.run(['disc', 'burn', image, '--device', drive.device, '--no-progress', ...args]);
  const blanked = () => {
    const args = ['-no_rc', '-outdev', `stdio:${drive.device}`, '-blank', 'as_needed'];
    execFileSync('xorriso', args, { stdio: 'ignore' });
  };
  return { ...it, ...drive, image, burn, blanked };
}

/** Writes over some bytes of a file or device. */
function put(path: string, offset: number, bytes: Buffer): void {
  const args = [`of=${path}`, 'bs=1', `seek=${offset}`, 'conv=notrunc', 'status=none'];
  execFileSync('dd', args, { input: bytes });
}

/** A partition table of the old kind, with one partition from 1 MiB on. */
function partitionTable(): Buffer {
  const sector = Buffer.alloc(512);
  Buffer.from([0, 0, 0, 0, 0x83, 0, 0, 0]).copy(sector, 446);
  sector.writeUInt32LE(2048, 446 + 8);
  sector.writeUInt32LE(DISC_BYTES / 512 - 2048, 446 + 12);
  sector.writeUInt16BE(0x55aa, 510);
  return sector;
}

testLoops?.('the mark of a blanked disc does not hide a disk that was partitioned since', async () => {
  const { its, device, insert, change, burn, blanked, image } = await burner();
  expect((await burn()).code).toBe(0);
  blanked();
  const volume = join(its.root, 'volume');
  execFileSync('mkfs.ext4', ['-q', '-F', volume, '4M']);
  const left = readFileSync(device);
  readFileSync(volume).copy(left, 2 ** 20);
  for (const [name, offset, bytes] of [
    ['a partition table', 0, partitionTable()],
    ['a boot sector', 4096, Buffer.from('boot')],
    ['a table of the new kind', 512, Buffer.from('EFI PART')],
    ['its copy', DISC_BYTES - 512, Buffer.from('EFI PART')],
    ['its copy in a large sector', DISC_BYTES - 4096, Buffer.from('EFI PART')],
  ] as const) {
    const disc = insert(name);
    writeFileSync(disc, left);
    put(disc, offset, bytes);
    change(disc);
    const before = readFileSync(disc);
    const refused = await burn('--overwrite');
    expect(refused, name).toMatchObject({ code: 1, stderr: expect.stringContaining('is not blank') });
    expect(readFileSync(disc).equals(before), name).toBe(true);
  }
  insert('an image that was blanked and nothing more');
  expect((await burn()).code).toBe(0);
  blanked();
  expect((await burn()).code).toBe(0);
  expect(reads(device, image)).toBe(true);
});

testLoops?.('what begins at 1 MiB or lies at the end is seen where the start is empty', async () => {
  const { insert, change, burn } = await burner();
  for (const offset of [2 ** 20, 2 ** 20 + 1080, DISC_BYTES - 1]) {
    const disc = insert('disk');
    put(disc, offset, Buffer.from('x'));
    change(disc);
    const before = readFileSync(disc);
    expect(await burn()).toMatchObject({ code: 1, stderr: expect.stringContaining('is not blank') });
    expect(readFileSync(disc).equals(before)).toBe(true);
  }
});

testLoops?.('a disc of cbr with a partition table beside it is refused, even with --overwrite', async () => {
  const { device, burn } = await burner();
  expect((await burn()).code).toBe(0);
  put(device, 0, partitionTable());
  const before = readFileSync(device);
  const refused = await burn('--overwrite');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('it holds a partition table beside a disc of cbr: nothing was written');
  expect(readFileSync(device).equals(before)).toBe(true);
});

testLoops?.('a device that is mounted or taken otherwise is refused', async () => {
  const { device, burn, image } = await burner();
  const taken = openSync(device, constants.O_RDWR | constants.O_EXCL);
  try {
    const refused = await burn();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`${device} is in use: nothing was written`);
    expect(readFileSync(device).every((byte) => byte === 0)).toBe(true);
  } finally {
    closeSync(taken);
  }
  expect((await burn()).code).toBe(0);
  expect(reads(device, image)).toBe(true);
});

testLoops?.('a disc that is changed while the image is read is looked at again', async () => {
  const { its, device, image } = await burner();
  // A program of that name: when a disc is looked at for the second time, it is another one.
  const folder = join(its.root, 'bin');
  execFileSync('mkdir', [folder]);
  const real = execFileSync('which', ['xorriso'], { encoding: 'utf8' }).trim();
  const seen = join(its.root, 'seen');
  const script = `#!/bin/sh
case "$*" in
*-toc*)
  if [ -e "${seen}" ]; then printf mine | dd of=${device} bs=1 seek=1048576 conv=notrunc 2>/dev/null; fi
  touch "${seen}" ;;
esac
exec ${real} "$@"`;
  writeFileSync(join(folder, 'xorriso'), script, { mode: 0o755 });
  const env = { PATH: `${folder}:${process.env.PATH}` };
  const refused = await its.run(['disc', 'burn', image, '--device', device, '--overwrite'], { env });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('is not blank, it holds something that is no disc of cbr');
  expect(readFileSync(device).toString('latin1', 2 ** 20, 2 ** 20 + 4)).toBe('mine');
});
