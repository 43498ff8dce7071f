import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SessionId } from '../../dist/core/index.js';
import { encode } from '../../dist/core/index.js';
import {
  beginSession,
  createRecord,
  forgottenRecord,
  outcomeRecord,
  readRecord,
} from '../../dist/repo/index.js';
import {
  filterSnapshots,
  listSnapshots,
  parseSnapshotPath,
  type SnapshotFilter,
  selectSnapshot,
} from '../../dist/snapshot/index.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';

const ANY: SnapshotFilter = { tags: [] };

interface Wish {
  readonly seconds: number;
  readonly host?: string;
  readonly tags?: readonly string[];
  readonly folder?: string;
}

/** Snapshots as wished for, in this order of taking; their ids. */
async function taken(at: Scratch, wishes: readonly Wish[]): Promise<SessionId[]> {
  const ids: SessionId[] = [];
  for (const { seconds, host = 'dove', tags = [], folder = 'a' } of wishes) {
    const path = join(at.source, folder);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'file'), folder);
    const { summary } = await at.take({ paths: [path], time: { seconds, nanoseconds: 0 }, host, tags });
    ids.push(summary.snapshot as SessionId);
  }
  return ids;
}

const select = (at: Scratch, name: string, filter = ANY) =>
  at.use(async (repository) => (await selectSnapshot(repository, name, filter)).id);

describe('the order', () => {
  test('is that of the times the snapshots bear, then of their ids', async () => {
    const at = await scratchRepository();
    const ids = await taken(
      at,
      [300, 100, 200, 200].map((seconds) => ({ seconds })),
    );
    const { snapshots, damaged } = await at.use(listSnapshots);
    expect(damaged).toEqual([]);
    expect(snapshots.map(({ id }) => id)).toEqual([ids[1], ...[ids[2]!, ids[3]!].sort(), ids[0]]);
  });
});

describe('latest', () => {
  test('counts back from the newest', async () => {
    const at = await scratchRepository();
    const [c, a, b] = await taken(at, [{ seconds: 30 }, { seconds: 10 }, { seconds: 20 }]);
    expect(await select(at, 'latest')).toBe(c);
    expect(await select(at, 'latest~0')).toBe(c);
    expect(await select(at, 'latest~1')).toBe(b);
    expect(await select(at, 'latest~2')).toBe(a);
    await expect(select(at, 'latest~3')).rejects.toMatchObject({ code: 'not-found' });
    await expect(select(at, 'latest~x')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('in an empty repository says so', async () => {
    const at = await scratchRepository();
    await expect(select(at, 'latest')).rejects.toThrow('there are no snapshots');
  });

  test('honours host, path and tags', async () => {
    const at = await scratchRepository();
    const [dove, owl, tagged, other] = await taken(at, [
      { seconds: 10 },
      { seconds: 20, host: 'owl', tags: ['x', 'y'] },
      { seconds: 30, tags: ['x'] },
      { seconds: 40, folder: 'b' },
    ]);
    expect(await select(at, 'latest', { ...ANY, host: 'owl' })).toBe(owl);
    expect(await select(at, 'latest', { ...ANY, host: 'dove' })).toBe(other);
    expect(await select(at, 'latest~2', { ...ANY, host: 'dove' })).toBe(dove);
    expect(await select(at, 'latest', { host: 'dove', tags: ['x'] })).toBe(tagged);
    expect(await select(at, 'latest', { tags: ['x', 'y'] })).toBe(owl);
    const path = Buffer.from(join(at.source, 'a')).toString('latin1');
    expect(await select(at, 'latest', { host: 'dove', path, tags: [] })).toBe(tagged);
    await expect(select(at, 'latest', { tags: ['z'] })).rejects.toMatchObject({ code: 'not-found' });
    // A path matches whole or not at all.
    await expect(select(at, 'latest', { path: at.source, tags: [] })).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  test('of several hosts is refused, with their names', async () => {
    const at = await scratchRepository();
    await taken(at, [{ seconds: 10 }, { seconds: 20, host: 'owl' }]);
    const refused = expect(select(at, 'latest')).rejects;
    await refused.toMatchObject({ code: 'ambiguous' });
    await expect(select(at, 'latest')).rejects.toThrow(/: dove \(newest: .*\); owl \(newest: /);
  });

  test.each(['oldest', 'newest'])(
    'is refused when the %s record is damaged, never an older one',
    async (which) => {
      const at = await scratchRepository();
      const ids = await taken(at, [{ seconds: 10 }, { seconds: 20 }, { seconds: 30 }]);
      const damaged = which === 'oldest' ? ids[0]! : ids[2]!;
      damage(at, damaged);
      forgetCache(at);
      await expect(select(at, 'latest')).rejects.toMatchObject({
        code: 'damaged',
        object: `snapshots/${damaged}`,
      });
      await expect(select(at, damaged)).rejects.toMatchObject({ code: 'damaged' });
      // Whoever names another one gets it.
      expect(await select(at, ids[1]!)).toBe(ids[1]);
      const listed = await at.use(listSnapshots);
      expect(listed.damaged.map(({ id }) => id)).toEqual([damaged]);
      expect(listed.snapshots).toHaveLength(2);
    },
  );

  test('is refused when its record was damaged since it was remembered', async () => {
    const at = await scratchRepository();
    const ids = await taken(at, [{ seconds: 10 }, { seconds: 20 }]);
    await at.use(listSnapshots);
    damage(at, ids[1]!);
    await expect(select(at, 'latest')).rejects.toMatchObject({ code: 'damaged' });
  });
});

/** As on a machine that never read these records. */
function forgetCache(at: Scratch): void {
  rmSync(at.cache, { recursive: true });
}

function damage(at: Scratch, id: string): void {
  const path = join(at.repo, 'snapshots', id);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  rmSync(path);
  writeFileSync(path, bytes);
}

describe('an id', () => {
  test('may be given by its beginning, in any case, and ignores the filter', async () => {
    const at = await scratchRepository();
    const ids = await taken(at, [{ seconds: 10 }, { seconds: 20, host: 'owl' }]);
    for (const id of ids) {
      expect(await select(at, id)).toBe(id);
      expect(await select(at, id.slice(0, 12).toUpperCase(), { host: 'nobody', tags: [] })).toBe(id);
    }
  });

  test('that fits several is refused, with what tells them apart', async () => {
    const at = await scratchRepository();
    const ids: SessionId[] = [];
    // With 17 ids two begin with the same digit.
    while (new Set(ids.map((id) => id[0])).size === ids.length) {
      ids.push(...(await taken(at, [{ seconds: 86_400 * ids.length, host: `host${ids.length}` }])));
    }
    const last = ids.at(-1)!;
    const twin = ids.find((id) => id[0] === last[0])!;
    const error = await select(at, last[0]!).catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'ambiguous' });
    for (const id of [last, twin]) {
      const day = new Date(86_400_000 * ids.indexOf(id)).toISOString().slice(0, 10);
      expect(String(error)).toContain(
        `${id.slice(0, 12)} (${day} 00:00:00 +00:00, host${ids.indexOf(id)}, ${at.source}/a)`,
      );
    }
    damage(at, twin);
    forgetCache(at);
    await expect(select(at, last[0]!)).rejects.toThrow(`${twin.slice(0, 12)} (damaged)`);
  });

  test('that fits none, or is none', async () => {
    const at = await scratchRepository();
    const [id] = await taken(at, [{ seconds: 10 }]);
    const other = (id![0] === '0' ? '1' : '0').repeat(32);
    for (const name of [other, '', 'newest', 'latest~', `${id}0`, '\u001b[31m']) {
      const error = await select(at, name).catch((reason: Error) => reason);
      expect(error).toMatchObject({ code: 'not-found' });
      expect(String(error)).not.toContain('\u001b');
    }
  });

  test('of a forgotten snapshot, or of a session that made none, is no snapshot', async () => {
    const at = await scratchRepository();
    const [first, second] = await taken(at, [{ seconds: 10 }, { seconds: 20 }]);
    const fenced = await at.use(async (repository) => {
      const session = await beginSession(repository);
      await session.abort([]);
      return session.id;
    });
    await at.use(async ({ backend, records }) => {
      const outcome = await readRecord(backend, 'snapshots', second!, outcomeRecord, records);
      const record = { outcome: encode(outcomeRecord, outcome), by: 'test', time: 1 };
      await createRecord(backend, 'forgotten', second!, forgottenRecord, record, records);
    });
    expect(await select(at, 'latest')).toBe(first);
    await expect(select(at, second!)).rejects.toMatchObject({ code: 'not-found' });
    await expect(select(at, fenced)).rejects.toMatchObject({ code: 'not-found' });
    expect((await at.use(listSnapshots)).snapshots).toHaveLength(1);
  });
});

test('records that were read are not read again, but for the one that is chosen', async () => {
  const at = await scratchRepository();
  await taken(at, [{ seconds: 10 }, { seconds: 20 }, { seconds: 30 }]);
  const reads = () =>
    at.use(async (repository) => {
      const { backend } = repository;
      let count = 0;
      const read = backend.read.bind(backend);
      backend.read = (kind, ...rest) => {
        if (kind === 'snapshots') count++;
        return read(kind, ...rest);
      };
      await selectSnapshot(repository, 'latest', ANY);
      return count;
    });
  await at.use(listSnapshots);
  expect(await reads()).toBe(1);
});

test('filterSnapshots keeps the order', async () => {
  const at = await scratchRepository();
  const [a, b] = await taken(at, [
    { seconds: 10, tags: ['t'] },
    { seconds: 20, tags: ['t'] },
    { seconds: 15 },
  ]);
  const { snapshots } = await at.use(listSnapshots);
  expect(filterSnapshots(snapshots, { tags: ['t'] }).map(({ id }) => id)).toEqual([a, b]);
  expect(filterSnapshots(snapshots, ANY)).toEqual(snapshots);
});

test.each([
  ['latest', { snapshot: 'latest' }],
  ['latest~2:/etc', { snapshot: 'latest~2', path: '/etc' }],
  ['ab12:/a:b', { snapshot: 'ab12', path: '/a:b' }],
  ['ab12:', { snapshot: 'ab12' }],
  [':/x', { snapshot: '', path: '/x' }],
])('%s is taken apart', (text, expected) => {
  expect(parseSnapshotPath(text)).toEqual(expected);
});
