import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { readBootId } from '../../dist/core/index.js';
import { fingerprintOf } from '../../dist/repo/cache/data-file.js';
import { openDatabase } from '../../dist/repo/cache/database.js';
import { run, verify } from './processes.js';
import { open, seeded } from './samples.js';

const SCALE = 40;
const SOAK = process.env.CBR_SOAK === '1';
const PAGE = 4096;
/** Each case takes some processes; the machine may be busy. */
const MOST_MS = SOAK ? 3_600_000 : 300_000;

vi.setConfig({ testTimeout: MOST_MS });

let base: string;
let closed: string;
let abandoned: string;
let folder: string;
let data: string;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'cbr-test-'));
  closed = join(base, 'closed');
  abandoned = join(base, 'abandoned');
  expect((await run('fill', closed, SCALE)).code).toBe(0);
  expect((await run('fill', abandoned, SCALE, '--abandon')).signal).toBe('SIGKILL');
});
afterAll(() => rmSync(base, { recursive: true, force: true }));
beforeEach(() => {
  folder = join(mkdtempSync(join(base, 'run-')), 'cache');
  data = join(folder, 'data.mdb');
});

function take(source: string): void {
  rmSync(folder, { recursive: true, force: true });
  cpSync(source, folder, { recursive: true });
}

/** Makes the cache look as if it had been closed with the data file it has now: damage of the disk itself. */
function coverUp(): void {
  writeFileSync(join(folder, 'state'), JSON.stringify({ state: 'closed', fingerprint: fingerprintOf(data) }));
}

function edit(change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(data);
  change(bytes);
  writeFileSync(data, bytes);
}

async function expectRebuilt(what: string): Promise<void> {
  const verdict = await verify(folder, SCALE, what);
  expect({ what, ...verdict }).toMatchObject({ what, segments: 0, stateKept: false });
  expect(verdict.notices.join()).toContain('built anew');
}

describe('a cache that was closed', () => {
  test('is used as it is', async () => {
    take(closed);
    coverUp();
    const verdict = await verify(folder, SCALE, 'untouched');
    expect(verdict).toMatchObject({ notices: [], segments: 6, stateKept: true, record: 'a record' });
  });

  test('is rebuilt when a single byte was changed', async () => {
    take(closed);
    coverUp();
    edit((bytes) => {
      bytes[bytes.length - 100]! ^= 1;
    });
    await expectRebuilt('one byte');
  });

  test('is rebuilt when a byte is changed at once after it was closed', async () => {
    const said: string[] = [];
    await (await open(folder, said)).close();
    edit((bytes) => {
      bytes[bytes.length - 100]! ^= 1;
    });
    await (await open(folder, said)).close();
    expect(said.join()).toContain('built anew');
  });

  test.each(['data.mdb', 'state'])('is rebuilt when %s is gone', async (file) => {
    take(closed);
    coverUp();
    rmSync(join(folder, file));
    await expectRebuilt(file);
  });

  test('is rebuilt when it is too short, whatever is said about it', async () => {
    take(closed);
    const { size } = statSync(data);
    for (const length of [0, 1, 167, PAGE + 100, size / 2, size - 1]) {
      take(closed);
      truncateSync(data, Math.floor(length));
      coverUp();
      await expectRebuilt(`${length} bytes`);
    }
  });

  test('is rebuilt when its heads are damaged, whatever is said about it', async () => {
    const changes: Record<string, (bytes: Buffer) => void> = {
      'all zero': (bytes) => bytes.fill(0),
      'all ones': (bytes) => bytes.fill(255),
      'a page size of 0': (bytes) => bytes.writeUInt32LE(0, 48),
      'a page size of 2^31': (bytes) => bytes.writeUInt32LE(2 ** 31, 48),
      'more pages than there are': (bytes) => {
        for (const at of [0, PAGE]) bytes.writeBigUInt64LE(2n ** 40n, at + 144);
      },
      'all pages of the address space': (bytes) => {
        for (const at of [0, PAGE]) bytes.writeBigUInt64LE(2n ** 64n - 1n, at + 144);
      },
      'a root beyond the end': (bytes) => {
        for (const at of [0, PAGE]) bytes.writeBigUInt64LE(2n ** 50n, at + 96 + 40);
      },
      'no magic': (bytes) => bytes.writeUInt32LE(1, 24),
    };
    for (const [what, change] of Object.entries(changes)) {
      take(closed);
      edit(change);
      coverUp();
      await expectRebuilt(what);
    }
  });

  test('is rebuilt when it is of another repository, or of another mode', async () => {
    for (const change of [{ repositoryId: Buffer.alloc(16, 8) }, { encrypted: false }]) {
      take(closed);
      coverUp();
      const said: string[] = [];
      const cache = await open(folder, said, change);
      expect(said.join()).toContain('another repository');
      expect(cache.counts().chunks).toBe(0);
      expect(cache.getRecord('snapshots', 'a')).toBeUndefined();
      await cache.close();
    }
  });

  test('does not end two processes by the same damage', async () => {
    const random = seeded(5);
    for (let round = 0; round < (SOAK ? 200 : 4); round++) {
      take(closed);
      edit((bytes) => {
        for (let i = 0; i < 200; i++) {
          bytes[2 * PAGE + Math.floor(random() * (bytes.length - 2 * PAGE))] = Math.floor(random() * 256);
        }
      });
      coverUp(); // nothing can tell it from a sound file before it is read, so this process may come to grief
      await run('verify', folder, SCALE);
      await verify(folder, SCALE, `round ${round}`);
    }
  });
});

describe('a cache that was not closed', () => {
  test('is kept when nothing is wrong with it', async () => {
    take(abandoned);
    const verdict = await verify(folder, SCALE, 'untouched');
    expect(verdict).toMatchObject({ notices: [], segments: 6, stateKept: true, record: 'a record' });
  });

  test('is rebuilt when the machine was started again since', async () => {
    take(abandoned);
    const state = readFileSync(join(folder, 'state'), 'utf8');
    writeFileSync(join(folder, 'state'), state.replace(readBootId()!, '0-0'));
    await expectRebuilt('another boot');
  });

  test('is rebuilt when a key was changed, which no page shows', async () => {
    const sha = (text: string) => createHash('sha256').update(text).digest();
    const keys: Record<string, Buffer> = {
      chunk: sha('chunk 100').subarray(0, 20),
      segment: sha('segment 2'),
      directory: sha('directory 3').subarray(0, 16),
      record: Buffer.from('snapshots\0a'),
    };
    for (const [what, key] of Object.entries(keys)) {
      take(abandoned);
      edit((bytes) => {
        const first = bytes.indexOf(key);
        expect(first).toBeGreaterThan(0);
        for (let at = first; at >= 0; at = bytes.indexOf(key, at + 1)) bytes[at + key.length - 1]! ^= 1;
      });
      await expectRebuilt(what);
    }
  });

  test.each(['chunks', 'copies'] as const)('is rebuilt when a row of %s is gone', async (table) => {
    take(abandoned);
    const database = await openDatabase(data, 'write');
    const [entry] = [...database.tables[table].entries('\0', 1)];
    database.transact(() => database.tables[table].remove(entry!.key));
    await database.close();
    await expectRebuilt(table);
  });

  test('ends usable whatever bytes are damaged', async () => {
    const random = seeded(9);
    for (let round = 0; round < (SOAK ? 500 : 12); round++) {
      take(abandoned);
      const flips = [1, 5, 50, 1000][round % 4]!;
      edit((bytes) => {
        // Every other round at the heads of pages, where their structure is.
        for (let i = 0; i < flips; i++) {
          const at = Math.floor(random() * bytes.length);
          bytes[round % 2 === 0 ? at : at - (at % PAGE) + (at % 64)] = Math.floor(random() * 256);
        }
      });
      await verify(folder, SCALE, `round ${round}, ${flips} bytes`);
    }
  });

  test('ends usable when it is cut short', async () => {
    take(abandoned);
    const { size } = statSync(data);
    for (const length of [0, PAGE, size / 3, size - 3 * PAGE, size - 1]) {
      take(abandoned);
      truncateSync(data, Math.floor(length));
      await verify(folder, SCALE, `${length} bytes`);
    }
  });

  test('ends usable when pages were swapped, doubled or emptied', async () => {
    const random = seeded(11);
    for (let round = 0; round < (SOAK ? 300 : 9); round++) {
      take(abandoned);
      edit((bytes) => {
        const pages = bytes.length / PAGE;
        const page = () => PAGE * (2 + Math.floor(random() * (pages - 2)));
        const [a, b] = [page(), page()];
        const copy = Buffer.from(bytes.subarray(a, a + PAGE));
        if (round % 3 === 0) bytes.copy(bytes, a, b, b + PAGE);
        if (round % 3 < 2) copy.copy(bytes, b);
        else bytes.fill(0, a, a + PAGE);
      });
      await verify(folder, SCALE, `round ${round}`);
    }
  });
});

test('files that are no cache are no obstacle', async () => {
  take(closed);
  for (const file of readdirSync(folder)) copyFileSync(process.execPath, join(folder, file));
  await verify(folder, SCALE, 'programs');
});

test('a folder in the place of the data file is no obstacle', async () => {
  take(closed);
  rmSync(data);
  cpSync(closed, data, { recursive: true });
  await verify(folder, SCALE, 'a folder');
});

test('an interrupted removal empties the index and keeps the directory states', async () => {
  take(closed);
  coverUp();
  const first = await open(folder);
  first.beginDestructive();
  await first.close();
  const said: string[] = [];
  const second = await open(folder, said);
  expect(said.join()).toContain('interrupted');
  expect(second.fresh).toBe(true);
  expect(second.counts()).toEqual({ chunks: 0, packs: 0, segments: 0, bytes: 0 });
  expect(second.roots()).toHaveLength(1);
  second.beginDestructive();
  second.endDestructive();
  await second.close();
  const third = await open(folder, said);
  expect(said).toHaveLength(1);
  await third.close();
});
