import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DamagedError } from '../../dist/core/index.js';
import { DiscBackend } from '../../dist/disc/images/disc-backend.js';
import type { DiscFiles } from '../../dist/disc/images/disc-files.js';
import { DiscPlace } from '../../dist/disc/images/disc-place.js';
import { DiscSpool } from '../../dist/disc/images/disc-spool.js';
import { descriptorMark, isSameMark } from '../../dist/disc/images/image-files.js';
import { KnownDiscs } from '../../dist/disc/images/known-discs.js';
import type { SectorSource } from '../../dist/disc/index.js';
import { parseLabel } from '../../dist/disc/label.js';
import { sha256 } from '../backends/scratch.js';
import { scratchForFile } from './image-programs.js';
import { label, packs } from './small-discs.js';

/** A disc in a drive that is so scratched that it cannot be told from another one. */

const scratch = scratchForFile();

function drive(seed: number, bad: readonly number[]): SectorSource {
  return {
    size: undefined,
    read: async (offset, length) => {
      if (bad.includes(offset / 2048)) throw new DamagedError('the drive', 'cannot be read');
      return new Uint8Array(length).fill(seed + offset / 2048);
    },
    close: async () => undefined,
  };
}

test('a disc is recognized by what could be read of it both times', async () => {
  const mark = (seed: number, bad: readonly number[] = []) => descriptorMark(drive(seed, bad));
  expect(isSameMark(await mark(1), await mark(1))).toBe(true);
  expect(isSameMark(await mark(1, [16, 40]), await mark(1, [17]))).toBe(true);
  expect(isSameMark(await mark(1, [16]), await mark(2, [17]))).toBe(false);
  const all = Array.from({ length: 40 }, (_, i) => 16 + i);
  expect(isSameMark(await mark(1, all), await mark(1, all))).toBe(false);
});

test('a disc that is never the same one again is opened a few times for one read, and not for ever', async () => {
  const known = new KnownDiscs();
  const name = sha256(packs[0]!);
  let opened = 0;
  const scratchedFiles = (): DiscFiles => ({
    place: 'the drive',
    isDrive: true,
    mayGo: true,
    sizes: new Map([[`packs/${name.slice(0, 2)}/${name}`, packs[0]!.length]]),
    lacking: 0,
    read: async () => {
      throw new DamagedError('the pack', 'cannot be read in the drive');
    },
    isStill: async () => false,
    close: async () => undefined,
  });
  const look = async (): Promise<void> => {
    opened++;
    known.nowPresent([
      {
        label: parseLabel(Buffer.from(label(1, { 1: [packs[0]!] })), 'the drive'),
        files: scratchedFiles(),
        configs: new Map(),
      },
    ]);
  };
  class ScratchedPlace extends DiscPlace {
    override async lookAgain(): Promise<void> {
      await look();
    }
  }
  await look();
  const backend = new DiscBackend({
    location: 'disc:the drive',
    place: new ScratchedPlace('the drive', known, () => undefined),
    known,
    ask: async () => 'skip',
    report: () => undefined,
    spool: new DiscSpool(join(scratch, 'spool')),
  });
  await expect(backend.read('packs', name)).rejects.toThrow('cannot be read in the drive');
  expect(opened).toBeLessThan(6);
});
