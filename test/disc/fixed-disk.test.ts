import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isFixedDisk } from '../../dist/disc/burn/fixed-disk.js';

/** Which block devices are disks that are built in: folders such as the kernel shows. */

function kernel() {
  const root = mkdtempSync(join(tmpdir(), 'cbr-kernel-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const told = join(root, 'dev/block');
  mkdirSync(told, { recursive: true });
  return {
    told,
    disk(numbers: string, name: string, removable: string) {
      const folder = join(root, 'devices', name);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'removable'), `${removable}\n`);
      symlinkSync(folder, join(told, numbers));
    },
    partition(numbers: string, disk: string, name: string) {
      const folder = join(root, 'devices', disk, name);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'partition'), '1\n');
      symlinkSync(folder, join(told, numbers));
    },
  };
}

/** As Linux puts the numbers of a device together. */
const device = (major: number, minor: number): number => {
  const low = (minor & 0xff) + (major & 0xfff) * 2 ** 8;
  return low + (minor - (minor & 0xff)) * 2 ** 12;
};

test('disks that are built in and their partitions are fixed, sticks are not', async () => {
  const { told, disk, partition } = kernel();
  disk('8:0', 'sda', '0');
  partition('8:1', 'sda', 'sda1');
  disk('8:16', 'sdb', '1');
  partition('8:17', 'sdb', 'sdb1');
  disk('259:300', 'nvme0n1', '0');
  disk('259:301', 'stick', '1');
  const fixed = (major: number, minor: number) => isFixedDisk(device(major, minor), told);
  expect(await fixed(8, 0)).toBe(true);
  expect(await fixed(8, 1)).toBe(true);
  expect(await fixed(8, 16)).toBe(false);
  expect(await fixed(8, 17)).toBe(false);
  expect(await fixed(259, 300)).toBe(true);
  expect(await fixed(259, 301)).toBe(false);
});

test('a device of which nothing is known counts as fixed, a loop device never', async () => {
  const { told, disk } = kernel();
  disk('7:0', 'loop0', '0');
  expect(await isFixedDisk(device(7, 0), told)).toBe(false);
  expect(await isFixedDisk(device(8, 0), told)).toBe(true);
});
