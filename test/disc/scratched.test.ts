import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DamagedError } from '../../dist/core/index.js';
import { readIso, type SectorSource } from '../../dist/disc/index.js';
import { fill, scratchForFile, xorriso, xorrisoAppend } from './image-programs.js';

/** Discs of which some sectors cannot be read. */

const SECTOR_BYTES = 2048;
const scratch = scratchForFile();

/** An image in memory whose bad sectors a drive does not read. */
function scratched(image: Buffer, bad: readonly number[]): SectorSource {
  return {
    size: image.byteLength,
    read: async (offset, length) => {
      const hurt = bad.find(
        (each) => offset < (each + 1) * SECTOR_BYTES && offset + length > each * SECTOR_BYTES,
      );
      if (hurt !== undefined) throw new DamagedError('the image', `sector ${hurt} cannot be read`);
      return Uint8Array.from(image.subarray(offset, offset + length));
    },
    close: async () => undefined,
  };
}

const source = fill(join(scratch, 'source'), {
  'disc.json': '{}',
  'config/1': 'a config',
  'packs/ab/a pack with a long name': 'content',
});

test.each(['one session', 'two sessions'])(
  'any one sector in front of the files is unreadable: %s',
  async (sessions) => {
    const path = join(scratch, `${sessions}.iso`);
    xorriso(path, 'DISC', source);
    if (sessions === 'two sessions') {
      xorrisoAppend(path, 'DISC', fill(join(scratch, 'more'), { more: 'of it' }), '/later');
    }
    const image = readFileSync(path);
    const whole = await readIso(scratched(image, []));
    expect(whole.files.size).toBe(sessions === 'two sessions' ? 4 : 3);
    const firstFile =
      Math.min(...[...whole.files.values()].map(({ extents }) => extents[0]!.offset)) / SECTOR_BYTES;
    expect(firstFile).toBeGreaterThan(52);
    for (let sector = 0; sector < firstFile; sector++) {
      const found = await readIso(scratched(image, [sector]));
      expect({ sector, files: found.files }).toEqual({ sector, files: whole.files });
    }
  },
);

test('where neither copy of the descriptors can be read, it is damaged and not foreign', async () => {
  const path = join(scratch, 'both.iso');
  xorriso(path, 'DISC', source);
  await expect(readIso(scratched(readFileSync(path), [16, 48]))).rejects.toThrow('sector 16 cannot be read');
});

test('where no folder of the newest session can be read, the one before it is shown to who asks for it', async () => {
  const path = join(scratch, 'newest.iso');
  xorriso(path, 'DISC', source);
  const before = await readIso(scratched(readFileSync(path), []));
  for (const name of ['second', 'third'])
    xorrisoAppend(path, 'DISC', fill(join(scratch, name), { [name]: name }), `/${name}`);
  const image = readFileSync(path);
  const { sessions } = await readIso(scratched(image, []));
  expect(sessions).toHaveLength(3);
  const [, second, third] = sessions.map(({ sector }) => sector) as [number, number, number];
  /** The folders of a session lie behind its descriptors. */
  const foldersAt = (sector: number): number[] => Array.from({ length: 60 }, (_, i) => sector + 18 + i);
  const lost = scratched(image, foldersAt(third));
  await expect(readIso(lost)).rejects.toBeInstanceOf(DamagedError);
  const found = await readIso(lost, { takesEarlier: true });
  expect(found.earlier).toBeInstanceOf(DamagedError);
  expect([...found.files.keys()].sort()).toEqual([...before.files.keys(), 'second/second'].sort());
  const first = await readIso(scratched(image, [...foldersAt(second), ...foldersAt(third)]), {
    takesEarlier: true,
  });
  expect(first.files).toEqual(before.files);
  // The same where the image ends.
  const cut = scratched(image.subarray(0, second * SECTOR_BYTES), []);
  await expect(readIso(cut)).rejects.toBeInstanceOf(DamagedError);
  expect((await readIso(cut, { takesEarlier: true })).files).toEqual(before.files);
  await expect(readIso(scratched(image, []), { takesEarlier: true })).resolves.not.toHaveProperty('earlier');
});

test('what lies behind the newest session is no earlier one: a run that did not end, or another use of the disc, has left it', async () => {
  const path = join(scratch, 'left.iso');
  xorriso(path, 'DISC', source);
  const before = readFileSync(path);
  xorrisoAppend(path, 'DISC', fill(join(scratch, 'left'), { left: 'over' }), '/left');
  const image = readFileSync(path);
  // Sector 16 shows the first session again.
  before.copy(image, 0, 0, 32 * SECTOR_BYTES);
  expect((await readIso(scratched(image, []))).sessions).toHaveLength(1);
  const folders = Array.from({ length: 60 }, (_, i) => 50 + i);
  await expect(readIso(scratched(image, folders), { takesEarlier: true })).rejects.toBeInstanceOf(
    DamagedError,
  );
});
