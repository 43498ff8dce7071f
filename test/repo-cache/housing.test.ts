import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownIdentity, type ProcessIdentity } from '../../dist/core/index.js';
import { claimFolder } from '../../dist/repo/cache/claim.js';
import { clearCache, listCaches } from '../../dist/repo/cache/index.js';
import { run, start } from './processes.js';
import { open, plainSegment } from './samples.js';

const OWN = ownIdentity('here');
const DAY = 24 * 3600 * 1000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cbr-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sample = plainSegment('sample', 2, 30);

async function fill(place: string): Promise<void> {
  const cache = await open(place);
  await cache.addSegment(sample.name, sample.segment);
  await cache.close();
}

describe('a cache that another process holds', () => {
  test('is left alone: the second one works on its own, which then goes', async () => {
    const holder = start('churn', folder, 100, 1);
    await once(holder.stdout!, 'data');
    const isHeld = (): boolean => {
      const names = readdirSync(folder);
      return names.includes('data.mdb') && names.some((name) => name.startsWith('held-'));
    };
    while (!isHeld()) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const said: string[] = [];
    const heard: string[] = [];
    const cache = await open(folder, said, { report: (message) => heard.push(message) });
    expect(heard.join()).toContain(`process ${holder.pid}`);
    expect(cache.isPrivate).toBe(true);
    expect(cache.fresh).toBe(true);
    await cache.addSegment(sample.name, sample.segment);
    cache.beginDestructive();
    expect(cache.counts().chunks).toBe(60);
    expect(existsSync(join(folder, 'destructive'))).toBe(false);
    await cache.close();
    expect(readdirSync(folder).filter((name) => /^(private|claim)-/.test(name))).toEqual([]);
    expect(said).toEqual([]);
    holder.kill('SIGKILL');
    await once(holder, 'close');
    const next = await open(folder, said);
    expect(next.isPrivate).toBe(false);
    expect(said).toEqual([]);
    await next.close();
  });

  test('is not shared within one process either', async () => {
    const first = await open(folder);
    const second = await open(folder);
    expect([first.isPrivate, second.isPrivate]).toEqual([false, true]);
    await second.close();
    await first.close();
    const third = await open(folder);
    expect(third.isPrivate).toBe(false);
    await third.close();
  });

  test('what a killed process kept for itself is removed by the next one that holds the folder', async () => {
    await fill(folder);
    const dead = (await run('fill', join(folder, 'other'), 1)).code; // a process that is gone
    expect(dead).toBe(0);
    for (const [name, owner] of [
      ['private-dead', { ...OWN, startTime: 1 }],
      ['private-alive', OWN],
    ] as const) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'owner'), JSON.stringify(owner));
    }
    mkdirSync(join(folder, 'merge-x'));
    await (await open(folder)).close();
    const left = readdirSync(folder);
    expect(left).toContain('private-alive');
    expect(left).not.toContain('private-dead');
    expect(left).not.toContain('merge-x');
  });
});

describe('claims', () => {
  const plant = (name: string, identity: ProcessIdentity | string, age = 0) => {
    const file = join(folder, name);
    writeFileSync(file, typeof identity === 'string' ? identity : JSON.stringify(identity));
    const seconds = (Date.now() - age) / 1000;
    utimesSync(file, seconds, seconds);
  };

  test('of many that come at once at most one is held', async () => {
    for (let round = 0; round < 20; round++) {
      const results = await Promise.all(
        Array.from({ length: 8 }, () => claimFolder(folder, OWN, Date.now())),
      );
      const held = results.filter((result) => result.kind === 'held');
      expect(held.length).toBeLessThanOrEqual(1);
      for (const result of held) result.claim.release();
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  test.each(['held', 'claim'])('a dead %s is taken over, and its cache is used', async (kind) => {
    await fill(folder);
    plant(`${kind}-00000000000000aa`, { ...OWN, startTime: 1 });
    const said: string[] = [];
    const cache = await open(folder, said);
    expect(cache.isPrivate).toBe(false);
    expect(cache.fresh).toBe(false);
    expect(said).toEqual([]);
    await cache.close();
  });

  test('of a machine that cannot be examined it is believed for a day, and then its cache is not', async () => {
    await fill(folder);
    const stranger = { host: 'elsewhere', pid: 5, startTime: 1, bootId: 'x', pidNamespace: 1 };
    plant('held-00000000000000aa', stranger, DAY - 60_000);
    const warnings: string[] = [];
    const early = await open(folder, warnings);
    expect(early.isPrivate).toBe(true);
    expect(warnings.join()).toContain('held-00000000000000aa');
    await early.close();
    plant('held-00000000000000aa', stranger, DAY + 60_000);
    const said: string[] = [];
    const late = await open(folder, said);
    expect(late.isPrivate).toBe(false);
    expect(late.fresh).toBe(true);
    expect(said.join()).toContain('cannot be examined');
    await late.close();
  });

  test('one that a power failure emptied is no obstacle', async () => {
    await fill(folder);
    plant('held-00000000000000aa', '');
    const cache = await open(folder);
    expect(cache.isPrivate).toBe(false);
    await cache.close();
  });

  test('who lost its claim leaves what the new holder has', async () => {
    const ousted = await open(folder);
    await ousted.addSegment(sample.name, sample.segment);
    for (const name of readdirSync(folder)) if (name.startsWith('held-')) rmSync(join(folder, name));
    writeFileSync(join(folder, 'state'), '');
    const other = plainSegment('other', 1, 10);
    const holder = await open(folder);
    expect(holder.isPrivate).toBe(false);
    await holder.addSegment(other.name, other.segment);
    await ousted.close();
    await holder.close();
    const said: string[] = [];
    const next = await open(folder, said);
    expect([...next.segments().keys()]).toEqual([other.name]);
    expect(said).toEqual([]);
    await next.close();
  });
});

describe('a folder that cannot be used', () => {
  let temporary: string | undefined;
  beforeEach(() => {
    temporary = process.env.TMPDIR;
  });
  afterEach(() => {
    if (temporary === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = temporary;
  });

  test('is replaced by a temporary one, with a word', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const temporaries = join(folder, 'temporary');
    mkdirSync(temporaries);
    process.env.TMPDIR = temporaries;
    const said: string[] = [];
    const cache = await open(join(file, 'cache'), said);
    expect(said.join()).toContain('cannot be used');
    expect(cache.isPrivate).toBe(true);
    await cache.addSegment(sample.name, sample.segment);
    expect(cache.counts().chunks).toBe(60);
    expect(readdirSync(temporaries)).toHaveLength(1);
    await cache.close();
    expect(readdirSync(temporaries)).toEqual([]);
  });

  test('is an error when there is no temporary one either', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    process.env.TMPDIR = join(file, 'temporary');
    await expect(open(join(file, 'cache'))).rejects.toMatchObject({
      name: 'CbrError',
      hint: expect.stringContaining('--cache-dir'),
    });
  });
});

describe('caches are listed and cleared', () => {
  test('by folder, and not while they are used', async () => {
    const [one, two] = [join(folder, 'one'), join(folder, 'two')];
    await fill(one);
    const used = await open(two, [], { location: '/another' });
    mkdirSync(join(folder, 'no-cache'));
    const listed = listCaches(folder, OWN);
    expect(listed).toMatchObject([
      { folder: two, location: '/another', inUse: true },
      { folder: one, location: '/somewhere', inUse: false, repositoryId: '07'.repeat(16) },
    ]);
    const files = readdirSync(one).map((name) => statSync(join(one, name)).size);
    expect(listed[1]!.size).toBe(files.reduce((sum, size) => sum + size, 0));
    expect(Math.abs(listed[1]!.lastUsed - Date.now())).toBeLessThan(60_000);
    expect(await clearCache(two, OWN, Date.now())).toBe(false);
    expect(await clearCache(one, OWN, Date.now())).toBe(true);
    expect(existsSync(one)).toBe(false);
    await used.close();
    expect(listCaches(folder, OWN)).toMatchObject([{ folder: two, inUse: false }]);
    expect(listCaches(join(folder, 'nothing'), OWN)).toEqual([]);
  });

  test('what was closed says so, and what is open says that', async () => {
    const cache = await open(folder);
    expect(JSON.parse(readFileSync(join(folder, 'state'), 'utf8'))).toEqual({
      state: 'open',
      bootId: OWN.bootId,
    });
    await cache.close();
    expect(JSON.parse(readFileSync(join(folder, 'state'), 'utf8'))).toMatchObject({ state: 'closed' });
    expect(readdirSync(folder).sort()).toEqual(['about', 'data.mdb', 'data.mdb-lock', 'state']);
    // A time that no later write gives the file again, so that even a write within the same tick of the clock is seen.
    const [data, state] = ['data.mdb', 'state'].map((name) => statSync(join(folder, name)).mtimeMs);
    expect(state! - data!).toBeGreaterThan(1000);
  });
});
