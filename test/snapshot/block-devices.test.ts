import { execFileSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openBlockDevice, type RawPath, StatTable } from '../../dist/fs/index.js';
import { probeAbilities, tellMissing } from './abilities.js';
import { DISK, QUICK } from './places.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratch } from './scratch-repository.js';
import { runScript } from './source-tree.js';

/** The content of block devices, stored as files. */

const can = probeAbilities(QUICK);
tellMissing(can, 'Block devices');

/** Not left out in silence: see above. */
const testLoops = can.loops ? test : undefined;

const SIZE = 9 * 2 ** 20 + 4096;

/** A device with random content and a hole; it goes when the test is over. */
async function withDevice(): Promise<{ its: Scratch; device: string; image: string }> {
  const its = scratch(DISK);
  await its.init();
  const image = join(its.root, 'image');
  writeFileSync(image, randomContent(1, SIZE));
  runScript(its.root, [`dd if=/dev/zero of=image bs=1M seek=3 count=2 conv=notrunc 2>/dev/null`]);
  const device = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  onTestFinished(() => {
    execFileSync('losetup', ['--detach', device]);
  });
  return { its, device, image };
}

function change(device: string): void {
  const fd = openSync(device, 'r+');
  writeSync(fd, 'changed', 5 * 2 ** 20);
  closeSync(fd);
}

testLoops?.(
  'named, or through a symlink: as files that restore to the same bytes, read every time',
  async () => {
    const { its, device, image } = await withDevice();
    const link = join(its.source, 'volume');
    symlinkSync(device, link);
    const options = { paths: [device, link], readDevices: true };
    const first = await its.take(options);
    expect(first.problems).toEqual([]);
    expect(first.summary.statistics).toMatchObject({ files: 2, others: 0, sourceBytes: 2 * SIZE });
    const restored = async (path: string): Promise<string> =>
      join((await its.restore(undefined, { path })).target, basename(path));
    expect(readFileSync(await restored(device)).equals(readFileSync(image))).toBe(true);
    const target = await restored(link);
    const [was, is] = [statSync(device), lstatSync(target)];
    expect(is.isFile()).toBe(true);
    expect([is.size, is.mode & 0o7777, is.uid, is.gid]).toEqual([SIZE, was.mode & 0o7777, was.uid, was.gid]);
    // Nothing about the device itself tells that its content changed.
    change(device);
    const second = await its.take(options);
    expect(second.summary.statistics.newBytes).toBeGreaterThan(0);
    expect(readFileSync(await restored(link)).toString('latin1', 5 * 2 ** 20, 5 * 2 ** 20 + 7)).toBe(
      'changed',
    );
  },
);

testLoops?.('stay devices where that is not asked for, and where they are met in a folder', async () => {
  const { its, device } = await withDevice();
  const { rdev } = statSync(device);
  runScript(its.source, [`cp -a ${device} node`]);
  const node = join(its.source, 'node');
  for (const options of [
    { paths: [node] },
    { readDevices: true },
    { paths: [node], readDevices: true },
    { paths: [node] },
  ]) {
    const { summary } = await its.take(options);
    const isFile = options.paths !== undefined && options.readDevices === true;
    expect(summary.statistics).toMatchObject(isFile ? { files: 1, others: 0 } : { files: 0, others: 1 });
    const { target } = await its.restore(undefined, { path: node });
    expect(statSync(join(target, 'node'))).toMatchObject(isFile ? { size: SIZE } : { rdev });
  }
  const dry = await its.take({ paths: [node], readDevices: true, dryRun: true });
  expect(dry.summary.statistics).toMatchObject({ files: 1, sourceBytes: SIZE });
});

test('what is no block device is not opened as one', () => {
  const stats = new StatTable(1);
  for (const path of ['/dev/null', '/dev', import.meta.filename])
    expect(() => openBlockDevice(path as RawPath, stats)).toThrow('no block device');
});

testLoops?.('named with the folder it lies in: refused, for its content would not be stored', async () => {
  const { its, device } = await withDevice();
  const node = join(its.source, 'device');
  const { rdev } = statSync(device);
  runScript(its.source, [`mknod device b ${rdev >> 8} ${rdev & 0xff}`]);
  const { summary, problems } = await its.take({ paths: [its.source, node], readDevices: true });
  expect(summary.missingSources).toBe(1);
  expect(problems.map(({ subject, reason }) => [subject, reason])).toEqual([
    [node, expect.stringContaining('store it in a snapshot of its own')],
  ]);
});
