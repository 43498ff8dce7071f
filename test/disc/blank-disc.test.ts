import { expect, test } from 'vitest';
import { MIB } from '../../dist/core/index.js';
import { isBlank } from '../../dist/disc/burn/blank-disc.js';

/** What counts as a blank disc in a drive, of those that can be overwritten. */

async function isBlankInDrive(offset: number, content: string): Promise<boolean> {
  const bytes = Buffer.alloc(4 * MIB);
  bytes.write(content, offset, 'latin1');
  return isBlank(
    {
      size: bytes.length,
      read: async (from, length) => Uint8Array.from(bytes.subarray(from, from + length)),
      close: async () => undefined,
    },
    true,
  );
}

test('a file system behind what xorriso erases is one', async () => {
  // Places and marks as in the sources of the kernel: btrfs/ctree.h, linux/reiserfs_fs.h, ufs/ufs_fs.h.
  for (const [offset, mark] of [
    [0x10040, '_BHRfS_M'],
    [0x10034, 'ReIsEr2Fs'],
    [0x10000 + 1372, '\x19\x01\x54\x19'],
    [0x10000 + 1372, '\x19\x54\x01\x19'],
    [1080, '\x53\xef'],
  ] as const) {
    expect(await isBlankInDrive(offset, mark), mark).toBe(false);
  }
});

test('what an erased image has left behind its beginning is none', async () => {
  expect(await isBlankInDrive(0, '')).toBe(true);
  expect(await isBlankInDrive(0x10000 + 16 * 2048, '\x01CD001')).toBe(true);
});
