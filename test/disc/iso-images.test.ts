import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, symlinkSync, truncateSync as truncate, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type IsoVolume,
  openSectors,
  type ReadIsoOptions,
  readIso,
  readIsoFile,
  shortBy,
} from '../../dist/disc/index.js';
import {
  fill,
  genisoimage,
  scratchForFile,
  sparseImage,
  xorriso,
  xorrisoAppend,
  xorrisoSessions,
} from './image-programs.js';

/** Images that xorriso and genisoimage make are read as they were written. */

const scratch = scratchForFile();
const pack = `packs/ab/${'ab'.repeat(32)}`;
const longName = 'x'.repeat(255);
const deep = `${'d/'.repeat(12)}file`;
const files = {
  'disc.json': '{"format":"cbr-disc"}',
  empty: '',
  [pack]: randomBytes(100_000),
  [longName]: 'a name in two places',
  [`${'ü'.repeat(120)}.txt`]: 'not ASCII',
  [deep]: 'deep',
};
const source = join(scratch, 'source');
const more = join(scratch, 'more');
const changed = join(scratch, 'changed');

beforeAll(() => {
  fill(source, files);
  symlinkSync('disc.json', join(source, 'link'));
  execFileSync('mkfifo', [join(source, 'pipe')]);
  fill(more, { two: 'second session' });
  fill(changed, { 'disc.json': '{"format":"cbr-disc","changed":true}', three: 'third session' });
});

interface Read {
  readonly volume: IsoVolume;
  readonly contents: Readonly<Record<string, string>>;
  readonly lacking: number;
}

/** All files of an image in base64, by path. */
async function readAll(image: string, options?: ReadIsoOptions): Promise<Read> {
  const sectors = await openSectors(image);
  try {
    const volume = await readIso(sectors, options);
    const contents: Record<string, string> = {};
    for (const [path, file] of volume.files) {
      contents[path] = Buffer.from(await readIsoFile(sectors, file, 0, file.size)).toString('base64');
    }
    return { volume, contents, lacking: shortBy(sectors, volume) };
  } finally {
    await sectors.close();
  }
}

function encoded(content: Readonly<Record<string, string | Uint8Array>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(content).map(([path, bytes]) => [path, Buffer.from(bytes).toString('base64')]),
  );
}

describe('one session', () => {
  test('by xorriso: long names, deep folders, no links and pipes', async () => {
    const image = join(scratch, 'one.iso');
    xorriso(image, 'CBR_PHOTOS_0001', source);
    const { volume, contents, lacking } = await readAll(image);
    expect(contents).toEqual(encoded(files));
    expect(volume.naming).toBe('rock-ridge');
    expect(volume.volumeId).toBe('CBR_PHOTOS_0001');
    expect(volume.sessions).toEqual([{ sector: 32, volumeId: 'CBR_PHOTOS_0001' }]);
    expect(volume.bytes).toBeLessThanOrEqual(statSync(image).size);
    expect(lacking).toBe(0);
  });

  test('by genisoimage, which moves deep folders elsewhere', async () => {
    const image = join(scratch, 'moved.iso');
    genisoimage(image, source, '-R', '-J');
    const { volume, contents } = await readAll(image);
    // It writes names of 255 bytes without their last ones.
    const { [longName]: long, ...others } = encoded(files);
    const cut = Object.keys(contents).find((path) => path.startsWith('xxx'))!;
    expect(cut.length).toBeGreaterThan(240);
    expect(contents).toEqual({ ...others, [cut]: long });
    expect(volume.sessions).toEqual([{ sector: 0, volumeId: 'CDROM' }]);
    expect(volume.bytes).toBe(statSync(image).size);
  });

  test('names of Joliet where there is no Rock Ridge, of 64 characters', async () => {
    const image = join(scratch, 'joliet.iso');
    genisoimage(image, fill(join(scratch, 'names'), { [pack]: 'pack', 'Größe.txt': 'g' }), '-J');
    const { volume, contents } = await readAll(image);
    expect(volume.naming).toBe('joliet');
    expect(contents).toEqual(encoded({ [pack]: 'pack', 'Größe.txt': 'g' }));
  });

  test('plain names without version, in lower case', async () => {
    const image = join(scratch, 'plain.iso');
    genisoimage(image, fill(join(scratch, 'upper'), { 'README.TXT': 'r', 'SUB/NOEXT': 'n' }));
    const { volume, contents } = await readAll(image);
    expect(volume.naming).toBe('plain');
    expect(contents).toEqual(encoded({ 'readme.txt': 'r', 'sub/noext': 'n' }));
  });

  test('a file beyond 4 GiB, in parts', { timeout: 240_000 }, async () => {
    const folder = fill(join(scratch, 'large'), { small: 'small' });
    const size = 4300 * 2 ** 20 + 4;
    truncateWith(join(folder, 'f'), size);
    const image = join(scratch, 'large.iso');
    sparseImage(image, folder);
    const sectors = await openSectors(image);
    const { files: found } = await readIso(sectors);
    const file = found.get('f')!;
    expect(file.size).toBe(size);
    expect(file.extents.length).toBeGreaterThan(1);
    const text = async (offset: number, length: number): Promise<string> =>
      Buffer.from(await readIsoFile(sectors, file, offset, length)).toString('latin1');
    expect(await text(0, 5)).toBe('begin');
    expect(await text(2 ** 32 - 2050, 8)).toBe('boundary');
    expect(await text(size - 3, 3)).toBe('end');
    await sectors.close();
  });
});

/** Makes `folder`/`name` a file of holes with words at its ends and where a part of it ends. */
function truncateWith(path: string, size: number): void {
  execFileSync('truncate', ['-s', String(size), path]);
  for (const [at, word] of [
    [0, 'begin'],
    [2 ** 32 - 2050, 'boundary'],
    [size - 3, 'end'],
  ] as const) {
    execFileSync('dd', [`of=${path}`, 'conv=notrunc', 'oflag=seek_bytes', `seek=${at}`, 'status=none'], {
      input: word,
    });
  }
}

describe('several sessions', () => {
  test('by xorriso in a file: the newest is shown, each older one can be chosen', async () => {
    const image = join(scratch, 'several.iso');
    xorriso(image, 'FIRST', source);
    xorrisoAppend(image, 'SECOND', more, '/new');
    xorrisoAppend(image, 'THIRD', changed, '/');
    const newest = await readAll(image);
    const third = {
      ...files,
      'new/two': 'second session',
      'disc.json': '{"format":"cbr-disc","changed":true}',
    };
    expect(newest.contents).toEqual(encoded({ ...third, three: 'third session' }));
    expect(newest.volume.sessions).toEqual(xorrisoSessions(image));
    expect(newest.volume.sessions).toHaveLength(3);
    expect((await readAll(image, { session: 1 })).contents).toEqual(encoded(files));
    const second = await readAll(image, { session: 2 });
    expect(second.volume.volumeId).toBe('SECOND');
    expect(second.contents).toEqual(encoded({ ...files, 'new/two': 'second session' }));
    expect((await readAll(image, { session: 3 })).contents).toEqual(newest.contents);
    await expect(readAll(image, { session: 4 })).rejects.toMatchObject({ code: 'usage' });
  });

  test('a session whose run was ended before its last write does not show', async () => {
    const image = join(scratch, 'ended.iso');
    xorriso(image, 'FIRST', source);
    const before = readFileSync(image).subarray(0, 64 * 1024);
    xorrisoAppend(image, 'SECOND', more, '/new');
    const bytes = readFileSync(image);
    before.copy(bytes);
    writeFileSync(image, bytes);
    const { volume, contents } = await readAll(image);
    expect(volume.sessions.map(({ volumeId }) => volumeId)).toEqual(['FIRST']);
    expect(contents).toEqual(encoded(files));
  });

  test('as media that are written once have them: the newest is found behind the others', async () => {
    const image = join(scratch, 'once.iso');
    genisoimage(image, source, '-R', '-J', '-V', 'FIRST');
    const sector = Math.ceil(statSync(image).size / 2048 / 16) * 16 + 48;
    const second = join(scratch, 'second.part');
    genisoimage(second, more, '-R', '-J', '-V', 'SECOND', '-M', image, '-C', `0,${sector}`);
    truncate(image, sector * 2048);
    writeFileSync(image, readFileSync(second), { flag: 'a' });
    const { volume, contents } = await readAll(image);
    expect(volume.sessions).toEqual([
      { sector: 0, volumeId: 'FIRST' },
      { sector, volumeId: 'SECOND' },
    ]);
    expect(volume.bytes).toBe(statSync(image).size);
    expect(contents).toMatchObject(encoded({ two: 'second session', 'disc.json': files['disc.json']! }));
    expect((await readAll(image, { session: 1 })).contents).not.toHaveProperty('two');
  });

  test('a session of an earlier use of the medium does not count', async () => {
    const image = join(scratch, 'leftover.iso');
    const date = ['-volume_date', 'uuid'] as const;
    const write = (path: string, volume: string, from: string, when: string): void => {
      execFileSync(
        'xorriso',
        [
          '-for_backup',
          '-outdev',
          `stdio:${path}`,
          '-volid',
          volume,
          ...date,
          when,
          '-map',
          from,
          '/',
          '-commit',
        ],
        {
          stdio: 'ignore',
        },
      );
    };
    genisoimage(image, more, '-R');
    const old = join(scratch, 'old.iso');
    write(old, 'OLD', changed, '2001010100000000');
    const sector = Math.ceil(statSync(image).size / 2048 / 32) * 32;
    truncate(image, sector * 2048);
    // As if it began there: its numbers are made to fit.
    const part = readFileSync(old);
    part.writeUInt32LE(sector + 20, 16 * 2048 + 158);
    writeFileSync(image, part, { flag: 'a' });
    expect((await readAll(image)).volume.sessions).toHaveLength(1);
  });
});
