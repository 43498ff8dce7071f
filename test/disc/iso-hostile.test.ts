import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { CbrError } from '../../dist/core/index.js';
import { openSectors, readIso, readIsoFile, type SectorSource, shortBy } from '../../dist/disc/index.js';
import { runs } from '../core/runs.js';
import { fill, genisoimage, scratchForFile, xorriso, xorrisoAppend } from './image-programs.js';

/** Images that are damaged or made to harm are read or refused, quickly and in words. */

const SECTOR = 2048;
const scratch = scratchForFile();
let sample: Buffer;
let plain: Buffer;

beforeAll(() => {
  const source = fill(join(scratch, 'source'), {
    'disc.json': '{}',
    [`packs/ab/${'ab'.repeat(32)}`]: randomBytes(5000),
    ['n'.repeat(250)]: 'long',
    'a/b/c/d/e/f/g/h/i/j': 'deep',
  });
  const image = join(scratch, 'sample.iso');
  xorriso(image, 'SAMPLE', source);
  xorrisoAppend(image, 'SAMPLE2', fill(join(scratch, 'more'), { two: 'two' }), '/new');
  sample = readFileSync(image);
  genisoimage(join(scratch, 'plain.iso'), source, '-R');
  plain = readFileSync(join(scratch, 'plain.iso'));
});

function inMemory(bytes: Buffer, size: number | undefined = bytes.length): SectorSource {
  return {
    size,
    async read(offset, length) {
      return new Uint8Array(bytes.subarray(offset, offset + length));
    },
    close: () => Promise.resolve(),
  };
}

/** Everything that there is to read, and what was refused. */
async function readOrRefuse(source: SectorSource): Promise<readonly CbrError[]> {
  const refused: CbrError[] = [];
  const keep = (error: unknown): void => {
    if (!(error instanceof CbrError)) throw error;
    expect(error.message).not.toMatch(/undefined|NaN/);
    refused.push(error);
  };
  try {
    const { files, sessions } = await readIso(source);
    for (const file of files.values()) {
      await readIsoFile(source, file, 0, Math.min(file.size, 2 ** 20)).catch(keep);
    }
    for (let session = 1; session <= Math.min(sessions.length, 4); session++) {
      await readIso(source, { session }).catch(keep);
    }
  } catch (error) {
    keep(error);
  }
  return refused;
}

/** Where the last byte of a file is. */
async function endOfContent(image: Buffer): Promise<number> {
  const { files } = await readIso(inMemory(image));
  return Math.max(...[...files.values()].flatMap(({ extents }) => extents.map((e) => e.offset + e.length)));
}

/** The place of the root folder's records. */
function rootOf(image: Buffer): number {
  return image.readUInt32LE(16 * SECTOR + 158) * SECTOR;
}

/** Puts a number in both of its orders. */
function putBoth(image: Buffer, at: number, value: number): void {
  image.writeUInt32LE(value, at);
  image.writeUInt32BE(value, at + 4);
}

/** Where the record of the name that contains `part` begins, in the folder at `folder`. */
function recordOf(image: Buffer, folder: number, part: string): number {
  for (let at = folder; image[at] !== 0; at += image[at]!) {
    if (image.toString('latin1', at + 33, at + 33 + image[at + 32]!).includes(part)) return at;
  }
  throw new Error(`no record of ${part}`);
}

describe('mutations', () => {
  test('each reads or is refused by a typed error, soon', async () => {
    for (const image of [sample, plain]) {
      // Where anything but content and zeros is.
      const places = [...image.keys()].filter((at) => at >= 16 * SECTOR && image[at] !== 0);
      const telling = fc.oneof(fc.constantFrom(0, 1, 2, 4, 8, 0x80, 0xff, 34), fc.nat({ max: 255 }));
      const change = fc.record({
        place: fc.nat({ max: places.length - 1 }),
        value: telling,
        wide: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
          const bytes = Buffer.from(image);
          for (const { place, value, wide } of changes) {
            const at = places[place]!;
            bytes[at] = value;
            if (wide && at + 8 <= bytes.length) putBoth(bytes, at, value * 37);
          }
          const start = performance.now();
          await readOrRefuse(inMemory(bytes));
          expect(performance.now() - start).toBeLessThan(5000);
        }),
        runs(1500),
      );
    }
  });

  test('an image cut anywhere, of known size or not', async () => {
    const contentEnd = await endOfContent(sample);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: sample.length - 1 }), fc.boolean(), async (length, known) => {
        const bytes = Buffer.from(sample.subarray(0, length));
        const source = known ? inMemory(bytes) : { ...inMemory(bytes), size: undefined };
        const refused = await readOrRefuse(source);
        if (length < contentEnd) expect(refused).not.toEqual([]);
      }),
      runs(300),
    );
  });

  test('noise', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 0, maxLength: 60 * SECTOR }), async (noise) => {
        const error = await readIso(inMemory(Buffer.from(noise))).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: 'format' });
      }),
      runs(20),
    );
  });
});

describe('what is wrong is said', () => {
  const refusal = async (image: Buffer): Promise<unknown> =>
    readIso(inMemory(image)).then(
      () => 'was read',
      (error: unknown) => error,
    );
  const changed = (change: (image: Buffer) => void): Buffer => {
    const image = Buffer.from(plain);
    change(image);
    return image;
  };

  test('a folder that lies within itself', async () => {
    const image = changed((bytes) =>
      putBoth(bytes, recordOf(bytes, rootOf(bytes), 'PACKS') + 2, rootOf(bytes) / SECTOR),
    );
    expect(await refusal(image)).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('within itself'),
    });
  });

  test('a folder of absurd length, also where the size of the medium is not known', async () => {
    const image = changed((bytes) =>
      putBoth(bytes, recordOf(bytes, rootOf(bytes), 'PACKS') + 10, 0xffff_f800),
    );
    expect(await refusal(image)).toMatchObject({ code: 'limit' });
    const source = { ...inMemory(image), size: undefined };
    await expect(readIso(source)).rejects.toMatchObject({ code: 'limit' });
  });

  test.each([
    ['a slash', 'a/ab'],
    ['a NUL', 'a\0ab'],
    ['"\\.\\."', '..'],
  ])('a name with %s', async (words, name) => {
    const image = changed((bytes) => {
      const at = bytes.indexOf('disc.json', rootOf(bytes));
      bytes.write(name.padEnd(9, name === '..' ? '.' : 'x'), at, 'latin1');
      // The field is made shorter, and what is left over is one of padding.
      if (name !== '..') return;
      bytes[at - 3] = 7;
      bytes.write('XX\x07\x01', at + 2, 'latin1');
    });
    expect(await refusal(image)).toMatchObject({
      code: 'damaged',
      message: expect.stringMatching(new RegExp(words.replace('a ', ''))),
    });
  });

  test('a record that is longer than its sector, and one that is shorter than its name', async () => {
    const longer = changed((bytes) => {
      // The last record of a folder is moved to the end of its sector.
      bytes.copy(bytes, rootOf(bytes) + SECTOR - 60, rootOf(bytes), rootOf(bytes) + 60);
      for (let at = rootOf(bytes); at < rootOf(bytes) + SECTOR - 60; at += 60) bytes[at] = 60;
      bytes.fill(0, rootOf(bytes) + 60 * 33);
    });
    expect(await refusal(longer)).toMatchObject({ code: 'damaged' });
    const shorter = changed((bytes) => {
      bytes[recordOf(bytes, rootOf(bytes), 'DISC') + 32] = 250;
    });
    expect(await refusal(shorter)).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('shorter than its name'),
    });
  });

  test('a name that goes on for ever', async () => {
    const image = changed((bytes) => {
      const at = bytes.indexOf('CE\x1c\x01', rootOf(bytes) + 300, 'latin1');
      expect(at).toBeGreaterThan(0);
      const sector = bytes.readUInt32LE(at + 4);
      const offset = bytes.readUInt32LE(at + 12);
      bytes.copy(bytes, sector * SECTOR + offset, at, at + 28);
      putBoth(bytes, at + 20, 28);
      bytes.copy(bytes, sector * SECTOR + offset, at, at + 28);
    });
    expect(await refusal(image)).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('too many places'),
    });
  });

  test('an image cut short: how many bytes it has, and which file needs more', async () => {
    const source = inMemory(plain.subarray(0, (await endOfContent(plain)) - 1));
    const volume = await readIso(source);
    expect(shortBy(source, volume)).toBe(plain.length - source.size!);
    const lost = [...volume.files.values()].filter(({ extents }) =>
      extents.some((e) => e.offset + e.length > source.size!),
    );
    expect(lost.length).toBeGreaterThan(0);
    for (const file of lost) {
      await expect(readIsoFile(source, file, 0, file.size)).rejects.toMatchObject({
        code: 'damaged',
        message: expect.stringContaining(`the image is cut short: it has ${source.size} bytes`),
      });
    }
  });

  test('damaged folders of Rock Ridge: those of Joliet stand in', async () => {
    const whole = await readIso(inMemory(sample));
    const image = Buffer.from(sample);
    image.fill(0x55, rootOf(image), rootOf(image) + SECTOR);
    const { naming, files, damage } = await readIso(inMemory(image));
    expect(naming).toBe('joliet');
    expect(damage?.message).toContain('record');
    expect([...files.keys()].filter((path) => path.length < 80)).toEqual(
      expect.arrayContaining([...whole.files.keys()].filter((path) => path.length < 80)),
    );
  });

  test('what is no image', async () => {
    await expect(openSectors(join(scratch, 'nothing'))).rejects.toMatchObject({ code: 'not-found' });
    await expect(openSectors(scratch)).rejects.toMatchObject({ code: 'usage' });
    await expect(openSectors('/dev/null')).rejects.toMatchObject({ code: 'usage' });
  });
});
