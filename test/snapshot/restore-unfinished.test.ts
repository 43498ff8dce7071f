import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { forwardTo } from '../../dist/backends/forward.js';
import { type Backend, withTraffic } from '../../dist/backends/index.js';
import { probeAbilities } from './abilities.js';
import { randomContent } from './random-content.js';
import { Scratch } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

/** A file that an interrupted restore has left half written, and what the next restore does with it. */

const FINE = { chunkBytes: 4096, blockBytes: 64 * 1024, packBytes: 2 ** 20 };
const BYTES = 6_000_000;
const isUnfinished = (name: string): boolean => /^\.cbr-[0-9a-f]{16}\.tmp$/.test(name);

let its: Scratch;
let wanted: string | undefined;
/** What a restore in one go reads. */
let whole: number;

beforeAll(async () => {
  its = new Scratch();
  await its.init(FINE);
  const large = join(its.source, 'large');
  writeFileSync(large, randomContent(1, BYTES));
  // A hole at the end: its size is set when the rest is there.
  truncateSync(large, BYTES + 2 ** 20);
  await its.take();
  const { target } = await its.restore(undefined, {}, counting().opening);
  wanted = factsOf(target)['./large'];
  expect(wanted).toBe(factsOf(its.source)['./large']);
  const { opening, read } = counting();
  await its.restore(undefined, { verify: false }, opening);
  whole = read();
  return () => its.remove();
});

/** Counts what is read; `then` is called when about half of the file was, and waited for. */
function counting(then: () => Promise<void> | void = () => undefined) {
  let traffic = { read: { bytes: 0 } };
  let isHalf = false;
  const wrapBackend = (inner: Backend): Backend => {
    const counted = withTraffic({
      ...forwardTo(inner),
      read: async (kind, name, range) => {
        if (kind === 'packs' && traffic.read.bytes > BYTES / 2 && !isHalf) {
          isHalf = true;
          await then();
        }
        return inner.read(kind, name, range);
      },
    });
    traffic = counted.traffic;
    return counted;
  };
  return { opening: { wrapBackend }, read: () => traffic.read.bytes };
}

/** A target with what a restore leaves that is stopped when half of the file was read; `dies` as when its process is killed. */
async function interrupted(
  dies = false,
  target = its.newTarget(),
): Promise<{ readonly target: string; readonly unfinished: string }> {
  const copy = its.newTarget();
  const stop = new AbortController();
  const { opening } = counting(() => {
    if (dies) execFileSync('cp', ['-a', target, copy]);
    stop.abort();
  });
  await expect(
    its.restore(undefined, { target, verify: false, signal: stop.signal }, opening),
  ).rejects.toMatchObject({ code: 'interrupted' });
  const left = dies ? copy : target;
  const names = readdirSync(left);
  expect(names).toHaveLength(1);
  expect(names.every(isUnfinished)).toBe(true);
  return { target: left, unfinished: join(left, names[0]!) };
}

/** Restores again and says which share of a whole restore was read; the result is right, and `entries` are in the target then. */
async function shareReadBy(target: string, entries = 1): Promise<number> {
  const { opening, read } = counting();
  const { summary } = await its.restore(undefined, { target, verify: false }, opening);
  expect(summary).toMatchObject({ files: 1, lost: 0 });
  const names = readdirSync(target).filter((name) => name !== 'large');
  expect(names).toHaveLength(entries - 1);
  expect(factsOf(target)['./large']).toBe(wanted);
  return read() / whole;
}

describe('the next restore goes on', () => {
  test('after an interruption', async () => {
    const { target } = await interrupted();
    expect(await shareReadBy(target)).toBeLessThan(0.65);
  });

  test('after the process was killed', async () => {
    const { target } = await interrupted(true);
    // What was read last is not written yet.
    expect(await shareReadBy(target)).toBeLessThan(0.9);
  });

  test('but believes nothing that it finds', async () => {
    const { target, unfinished } = await interrupted();
    const fd = openSync(unfinished, 'r+');
    // The last one is in the hole, of which no id tells.
    for (const offset of [0, 100_000, 1_000_000, BYTES + 300_000])
      writeSync(fd, Buffer.from('damaged'), 0, 7, offset);
    closeSync(fd);
    expect(await shareReadBy(target)).toBeLessThan(0.7);
  });

  test('and then with what the file in its place has as well', async () => {
    const { target } = await interrupted();
    const old = randomContent(1, BYTES);
    old.fill(0, 0, 4096);
    writeFileSync(join(target, 'large'), old);
    const { opening, read } = counting();
    const rule = { overwrite: 'always', compareContent: false } as const;
    const { summary } = await its.restore(undefined, { target, rule, verify: false }, opening);
    expect(summary).toMatchObject({ replaced: 1, lost: 0 });
    expect(readdirSync(target)).toEqual(['large']);
    expect(factsOf(target)['./large']).toBe(wanted);
    expect(read() / whole).toBeLessThan(0.15);
  });
});

describe('the next restore leaves alone and removes', () => {
  test.each([
    ['what others can write to', (file: string) => chmodSync(file, 0o666)],
    [
      'what is of another version',
      (file: string) => renameSync(file, join(file, '../.cbr-0123456789abcdef.tmp')),
    ],
  ])('%s', async (_, change) => {
    const { target, unfinished } = await interrupted();
    change(unfinished);
    expect(await shareReadBy(target)).toBeGreaterThan(0.95);
  });

  test('what has another name, which keeps its content', async () => {
    const { target, unfinished } = await interrupted();
    const other = its.newTarget();
    linkSync(unfinished, other);
    const before = readFileSync(other);
    expect(await shareReadBy(target)).toBeGreaterThan(0.95);
    expect(readFileSync(other).equals(before)).toBe(true);
  });
});

test('what another restore writes to is left to it', async () => {
  const target = its.newTarget();
  let share = 0;
  const { opening } = counting(async () => {
    share = await shareReadBy(target, 2);
  });
  // It finds that the other one was faster.
  const { summary } = await its.restore(undefined, { target, verify: false }, opening);
  expect(summary.files).toBe(0);
  expect(share).toBeGreaterThan(0.95);
  expect(readdirSync(target)).toEqual(['large']);
  expect(factsOf(target)['./large']).toBe(wanted);
});

test('what an interrupted restore has written counts as room for the next one', async () => {
  if (!probeAbilities(its.root).mounts) return;
  const target = its.newTarget();
  mkdirSync(target);
  const small = BYTES + 2 ** 20;
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${small}`, 'none', target]);
  try {
    await interrupted(false, target);
    // Where nothing was left, so much would be missing.
    expect(await shareReadBy(target)).toBeLessThan(0.65);
  } finally {
    execFileSync('umount', [target]);
  }
});
