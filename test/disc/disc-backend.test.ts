import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Backend, createLocalBackend } from '../../dist/backends/index.js';
import { CbrError, GIB, MIB, ObjectNotFoundError } from '../../dist/core/index.js';
import type { AskForDisc, DiscProblem } from '../../dist/disc/index.js';
import { readingConformance } from '../backends/conformance.js';
import { namesOf, sha256 } from '../backends/scratch.js';
import { probeAbilities, tellMissing } from '../snapshot/abilities.js';
import { scratchForFile, xorriso } from './image-programs.js';
import { label, packs, smallDiscs } from './small-discs.js';

/** Discs as a medium: what is united, what is asked for, and what happens when discs are changed. */

const can = probeAbilities();
tellMissing(can, 'Discs in a drive');

/** Not left out in silence: see above. */
const testLoops = can.loops ? test : undefined;

const scratch = scratchForFile();
const { newFolder, open, discFolder, imageOf } = smallDiscs(scratch);

const read = async (backend: Backend, number: 1 | 2 | 3): Promise<Buffer> =>
  Buffer.from(await backend.read('packs', sha256(packs[number - 1]!)));

/** A backend that opens the discs anew for each call: discs do not change while they are read. */
function reopening(place: string): Backend {
  const use = async <T>(action: (backend: Backend) => Promise<T>): Promise<T> => {
    const backend = await open(place);
    return action(backend).finally(() => backend.close());
  };
  const refuse = async (): Promise<never> => {
    throw new CbrError('read-only', 'discs');
  };
  return {
    location: place,
    concurrency: 4,
    capabilities: { createOnly: true, writable: false, removable: false },
    async *list(...its) {
      const backend = await open(place);
      yield* backend.list(...its);
      await backend.close();
    },
    stat: (...its) => use((backend) => backend.stat(...its)),
    read: (...its) => use((backend) => backend.read(...its)),
    write: refuse,
    remove: refuse,
    removeMany: refuse,
    close: () => Promise.resolve(),
  };
}

readingConformance('a disc in a folder', async (folder) => {
  const writer = await createLocalBackend(folder);
  writeFileSync(join(folder, 'disc.json'), label(1, { 1: [] }));
  return { reader: reopening(folder), writer };
});

describe('what is not there', () => {
  test('packs of absent discs are listed, and their discs asked for, each once', async () => {
    const asked: number[] = [];
    const backend = await open(imageOf(1), async ({ number, set, volume }) => {
      expect({ set, volume }).toEqual({ set: 'photos', volume: `V${number}` });
      asked.push(number);
      return 'skip';
    });
    expect(await namesOf(backend, 'packs')).toEqual(packs.map(sha256).sort());
    expect(await backend.stat('packs', sha256(packs[2]!))).toEqual({
      name: sha256(packs[2]!),
      size: packs[2]!.length,
    });
    const results = await Promise.allSettled([2, 3, 2, 3, 1].map((number) => read(backend, number as 1)));
    expect(results.map(({ status }) => status)).toEqual([...Array(4).fill('rejected'), 'fulfilled']);
    await expect(read(backend, 3)).rejects.toThrow(/is on disc 3 of the set photos \(V3\), which is missing/);
    await expect(read(backend, 3)).rejects.toBeInstanceOf(ObjectNotFoundError);
    expect(asked.sort()).toEqual([2, 3]);
    await backend.close();
  });

  test('a pack that is in no list: the last discs are asked for, and nothing for other objects', async () => {
    const asked: number[] = [];
    const backend = await open(imageOf(1), async ({ number }) => {
      asked.push(number);
      return 'skip';
    });
    await expect(backend.read('index', sha256(packs[0]!))).rejects.toBeInstanceOf(ObjectNotFoundError);
    expect(asked).toEqual([]);
    await expect(backend.read('packs', 'ab'.repeat(32))).rejects.toBeInstanceOf(ObjectNotFoundError);
    expect(asked).toEqual([3, 2]);
    await backend.close();
  });

  test('a disc that only an older label names is neither missed nor asked for first', async () => {
    const folder = newFolder();
    cpSync(discFolder(1), join(folder, 'old'), { recursive: true });
    cpSync(discFolder(3), join(folder, 'new'), { recursive: true });
    const left = { 1: [packs[0]!], 3: [packs[2]!], 4: [] };
    const made = { created: '2026-02-02T00:00:00Z' };
    writeFileSync(join(folder, 'new/disc.json'), label(3, left, made));
    const said: DiscProblem[] = [];
    const asked: number[] = [];
    const backend = await open(
      folder,
      async ({ number }) => {
        asked.push(number);
        return 'skip';
      },
      said,
    );
    expect(said.map(({ reason }) => reason)).toEqual(['Not at hand: disc 4 of the set photos (V4)']);
    await expect(backend.read('packs', 'ab'.repeat(32))).rejects.toBeInstanceOf(ObjectNotFoundError);
    expect(asked).toEqual([4, 2]);
    await backend.close();
  });

  test('two states of one disc are told apart', async () => {
    const folder = newFolder();
    cpSync(discFolder(1, { created: '2026-02-02T00:00:00Z' }), join(folder, 'a'), { recursive: true });
    for (const name of ['b', 'c']) cpSync(discFolder(1), join(folder, name), { recursive: true });
    const said: DiscProblem[] = [];
    await (await open(folder, undefined, said)).close();
    const [newer, older] = [join(folder, 'a'), join(folder, 'b')];
    expect(said.map(({ reason }) => reason)).toContain(
      `${older} is an older state of ${newer}, which has more on it: disc 1 of the set photos (V1)`,
    );
  });

  test('what was put in meanwhile is read; a wrong disc is said to be one', async () => {
    const folder = newFolder();
    cpSync(imageOf(1), join(folder, '1.iso'));
    const said: DiscProblem[] = [];
    const answers = [
      () => cpSync(imageOf(2), join(folder, '2.iso')),
      () => cpSync(imageOf(3), join(folder, '3.iso')),
    ];
    const backend = await open(
      folder,
      async ({ number }) => {
        expect(number).toBe(3);
        answers.shift()!();
        return 'again';
      },
      said,
    );
    expect(await read(backend, 3)).toEqual(packs[2]);
    expect(said.map(({ reason }) => reason).join('\n')).toMatch(
      /Disc 3 of the set photos .* is not there: .* disc 2/,
    );
    expect(await read(backend, 2)).toEqual(packs[1]);
    await backend.close();
  });
});

test('what is too large for an object is none', async () => {
  const record = 'snapshots/00112233445566778899aabbccddeeff';
  const giant = (folder: string, path: string, bytes: number): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), '');
    truncateSync(join(folder, path), bytes);
  };
  const folder = discFolder(1);
  giant(folder, record, 3 * GIB);
  giant(folder, `packs/00/${'00'.repeat(32)}`, 3 * GIB);
  const source = discFolder(1);
  giant(source, record, 200 * MIB);
  const image = join(newFolder(), 'disc.iso');
  xorriso(image, 'V1', source);
  for (const place of [folder, image]) {
    const backend = await open(place);
    expect(await namesOf(backend, 'snapshots')).toEqual([]);
    expect(await namesOf(backend, 'packs')).toEqual(packs.map(sha256).sort());
    await expect(backend.read('snapshots', record.split('/')[1]!)).rejects.toBeInstanceOf(
      ObjectNotFoundError,
    );
    await backend.close();
  }
});

describe('packs are gathered', () => {
  test('copies are checked, a damaged pack is named, and what is whole of it can be read', async () => {
    const first = discFolder(1);
    const name = sha256(packs[0]!);
    const damaged = Buffer.from(packs[0]!);
    damaged[20_000]! ^= 1;
    writeFileSync(join(first, 'packs', name.slice(0, 2), name), damaged);
    const place = join(newFolder(), 'disc');
    renameSync(first, place);
    const said: DiscProblem[] = [];
    const asked: number[] = [];
    const ask: AskForDisc = async ({ number }) => {
      asked.push(number);
      if (number === 2) return 'skip';
      rmSync(place, { recursive: true });
      renameSync(discFolder(3), place);
      return 'again';
    };
    const backend = await open(place, ask, said);
    expect(backend.gathering?.isNeeded).toBe(true);
    await backend.gathering!.gather(packs.map(sha256));
    expect(asked).toEqual([2, 3]);
    const reasons = said.map(({ reason }) => reason).join('\n');
    expect(reasons).toContain(`packs/${name} is damaged on disc 1 of the set photos (V1)`);
    expect((await read(backend, 1)).equals(damaged)).toBe(true);
    expect((await read(backend, 3)).equals(packs[2]!)).toBe(true);
    await expect(read(backend, 2)).rejects.toThrow(/is on disc 2/);
    expect(asked).toEqual([2, 3]);
    expect(readdirSync(join(scratch, 'staging'))).toHaveLength(2);
    await backend.close();
    expect(readdirSync(join(scratch, 'staging'))).toEqual([]);
  });
});

describe('one drive, and several reads at once', () => {
  /** One that shows disc 2, and others when they are asked for. Packs of `gone` are not on their discs. */
  async function driven(gone: readonly number[]) {
    const place = join(newFolder(), 'disc');
    const asked: number[] = [];
    const insert = (number: 1 | 2 | 3): void => {
      rmSync(place, { recursive: true, force: true });
      const folder = discFolder(number);
      if (gone.includes(number)) rmSync(join(folder, 'packs'), { recursive: true });
      renameSync(folder, place);
    };
    insert(2);
    const backend = await open(place, async ({ number }) => {
      asked.push(number);
      if (asked.length > 20) return 'skip';
      insert(number as 1);
      return 'again';
    });
    return { backend, asked };
  }

  test('each gets what it had a disc put in for, before the next one is', async () => {
    const { backend, asked } = await driven([]);
    const numbers = [1, 3, 1, 3, 2, 1] as const;
    const range = { offset: 1, length: 40_000 };
    const found = await Promise.all(
      numbers.map((number) => backend.read('packs', sha256(packs[number - 1]!), range)),
    );
    for (const [i, number] of numbers.entries())
      expect(Buffer.from(found[i]!).equals(packs[number - 1]!.subarray(1, 40_001))).toBe(true);
    expect(asked).toEqual([1, 3]);
    await backend.close();
  });

  test('what is read whole is not copied: a check needs no room', async () => {
    const { backend, asked } = await driven([]);
    const numbers = [1, 3] as const;
    const found = await Promise.all(numbers.map((number) => read(backend, number)));
    for (const [i, number] of numbers.entries()) expect(found[i]!.equals(packs[number - 1]!)).toBe(true);
    expect(asked).toEqual([1, 3]);
    expect(readdirSync(join(scratch, 'staging'))).toEqual([]);
    await backend.close();
  });

  test('packs that are not on their discs: each disc is asked for once', async () => {
    const { backend, asked } = await driven([1, 3]);
    for (let turn = 0; turn < 2; turn++) {
      const both = await Promise.allSettled([read(backend, 1), read(backend, 3)]);
      expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    }
    expect(asked).toEqual([1, 3]);
    // That a disc is not in the drive is not why: it was looked at.
    for (const number of [1, 3] as const) {
      expect(backend.gathering!.isAbsent(sha256(packs[number - 1]!))).toBe(false);
      await expect(read(backend, number)).rejects.not.toThrow('which is missing');
    }
    await backend.close();
  });
});

describe('one drive', () => {
  /** A place that shows one disc at a time. */
  const swapping = async (place: string, insert: (number: 1 | 2 | 3) => void): Promise<void> => {
    const asked: number[] = [];
    insert(1);
    const backend = await open(place, async ({ number }) => {
      asked.push(number);
      insert(number as 1);
      return 'again';
    });
    for (const number of [1, 2, 3, 1] as const)
      expect((await read(backend, number)).equals(packs[number - 1]!)).toBe(true);
    expect(asked).toEqual([2, 3, 1]);
    await backend.close();
  };

  test('a folder in which one image takes the place of another', async () => {
    const folder = newFolder();
    await swapping(folder, (number) => {
      cpSync(imageOf(number), join(folder, 'new'));
      renameSync(join(folder, 'new'), join(folder, 'disc.iso'));
    });
  });

  test('a folder to which one disc after the other is mounted', async () => {
    const folder = newFolder();
    await swapping(folder, (number) => {
      for (const name of ['config', 'packs', 'disc.json'])
        rmSync(join(folder, name), { recursive: true, force: true });
      cpSync(discFolder(number), folder, { recursive: true });
    });
  });

  test('a mounted disc that was changed unasked is asked for', async () => {
    const folder = newFolder();
    cpSync(discFolder(1), folder, { recursive: true });
    const backend = await open(folder, async ({ number }) => {
      expect(number).toBe(1);
      rmSync(join(folder, 'packs'), { recursive: true });
      cpSync(discFolder(1), folder, { recursive: true });
      return 'again';
    });
    rmSync(join(folder, 'packs'), { recursive: true });
    cpSync(discFolder(2), folder, { recursive: true });
    expect((await read(backend, 1)).equals(packs[0]!)).toBe(true);
    await backend.close();
  });

  testLoops?.('a block device', async () => {
    const device = join(newFolder(), 'drive');
    const attached: string[] = [];
    const detach = (): void => {
      for (const loop of attached.splice(0)) execFileSync('losetup', ['-d', loop]);
    };
    try {
      await swapping(device, (number) => {
        rmSync(device, { force: true });
        detach();
        const loop = execFileSync('losetup', ['-f', '--show', '-r', imageOf(number)], {
          encoding: 'utf8',
        }).trim();
        attached.push(loop);
        execFileSync('ln', ['-s', loop, device]);
      });
    } finally {
      detach();
    }
  });
});
