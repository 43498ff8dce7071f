import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Backend,
  forwardTo,
  MemoryBackend,
  OBJECT_KINDS,
  openLocalBackend,
} from '../../dist/backends/index.js';
import { BackendError, ObjectNotFoundError } from '../../dist/core/index.js';
import { forgetSnapshot, type ScrubReport, scrub } from '../../dist/repo/index.js';
import { Copy, filledScratch } from './check-subject.js';
import { prune } from './prune-subject.js';
import type { Scratch } from './scratch-repository.js';

const options = () => ({ signal: new AbortController().signal });

async function scrubbed(repo: string, wrap = (medium: Backend) => medium): Promise<ScrubReport> {
  return scrub(wrap(await openLocalBackend(repo)), options());
}

describe('a scrub of a repository', () => {
  let original: Scratch;
  beforeAll(async () => {
    original = await filledScratch({ encrypted: true });
    const [first] = await original.snapshots();
    await original.use(async (repository) => {
      await forgetSnapshot(repository, first!.id, 'me', 1);
    });
    await prune(original);
  });
  afterAll(() => original.remove());

  test('finds nothing in a whole one, and asks for no password', async () => {
    const report = await scrubbed(original.repo);
    const files = readdirSync(original.repo, { recursive: true, withFileTypes: true });
    const objects = files.filter((each) => each.isFile() && each.name !== 'reserve');
    expect(report).toMatchObject({ objects: objects.length, gone: 0, damaged: [], strangers: [] });
  });

  test('finds a flipped bit anywhere, in objects of every kind', async () => {
    const copy = new Copy(original);
    const flipped: string[] = [];
    for (const kind of readdirSync(copy.repo)) {
      if (kind === 'reserve' || kind === 'tmp') continue;
      const object = copy.objects(kind)[0];
      if (object === undefined) continue;
      const path = join(copy.repo, object);
      const bytes = readFileSync(path);
      const at = flipped.length % 2 === 0 ? bytes.length - 1 : Math.floor(bytes.length / 2);
      bytes[at]! ^= 1;
      chmodSync(path, 0o600);
      writeFileSync(path, bytes);
      flipped.push(object);
    }
    expect(flipped.map((object) => object.split('/')[0])).toEqual(
      expect.arrayContaining(['config', 'keys', 'snapshots', 'forgotten', 'index', 'packs', 'leases']),
    );
    const { damaged } = await scrubbed(copy.repo);
    expect(damaged.map(({ object }) => object)).toEqual(flipped.sort());
  });

  test('what is listed and is not there was lost by the store', async () => {
    const copy = new Copy(original);
    const [lost = ''] = copy.objects('packs');
    const name = lost.split('/').at(-1)!;
    const refusing = (medium: Backend): Backend => ({
      ...forwardTo(medium),
      read: async (kind, wanted, ...rest) => {
        if (wanted === name) throw new ObjectNotFoundError(lost);
        return medium.read(kind, wanted, ...rest);
      },
    });
    const { damaged, gone } = await scrubbed(copy.repo, refusing);
    expect(damaged).toMatchObject([{ object: lost, reason: 'is listed, and cannot be read' }]);
    expect(gone).toBe(0);
  });

  test('tells what is cut short, what is empty, and names that are none of ours', async () => {
    const copy = new Copy(original);
    const [cut = '', empty = ''] = copy.objects('packs');
    for (const object of [cut, empty]) chmodSync(join(copy.repo, object), 0o600);
    truncateSync(join(copy.repo, cut), 5000);
    truncateSync(join(copy.repo, empty), 0);
    const [index = ''] = copy.objects('index');
    rmSync(join(copy.repo, index));
    writeFileSync(join(copy.repo, index), '');
    writeFileSync(join(copy.repo, 'snapshots/mine'), 'of somebody');
    const { damaged, strangers } = await scrubbed(copy.repo);
    expect(damaged).toEqual(
      [
        { kind: 'index', object: index, reason: 'is empty' },
        { kind: 'packs', object: cut, reason: 'is damaged or cut short: it has 5000 bytes, and no end' },
        { kind: 'packs', object: empty, reason: 'is empty' },
      ].sort((a, b) => (a.object < b.object ? -1 : 1)),
    );
    expect(strangers).toEqual(['snapshots/mine']);
  });

  test('what is removed meanwhile is no damage, and one bad read is none', async () => {
    const copy = new Copy(original);
    const [removed = ''] = copy.objects('packs');
    const misread = new Set<string>();
    const report = await scrubbed(copy.repo, (medium) => ({
      ...passedOn(medium),
      read: async (kind, name, range, call) => {
        rmSync(join(copy.repo, removed), { force: true });
        const bytes = await medium.read(kind, name, range, call);
        if (misread.has(`${kind}/${name}`)) return bytes;
        misread.add(`${kind}/${name}`);
        bytes[0]! ^= 1;
        return bytes;
      },
    }));
    expect(report).toMatchObject({ gone: 1, damaged: [] });
    expect(misread.size).toBe(report.objects);
  });

  test('what cannot be read is told, and the rest is read', async () => {
    const [pack = ''] = new Copy(original).objects('packs');
    const fails = (kinds: readonly string[]) => (medium: Backend) => ({
      ...passedOn(medium),
      read: async (...[kind, name, ...call]: Parameters<Backend['read']>) => {
        if (kinds.includes(kind) && (kinds.length > 1 || pack.endsWith(name))) {
          throw new BackendError('i/o error', false);
        }
        return medium.read(kind, name, ...call);
      },
    });
    const { damaged } = await scrubbed(original.repo, fails(['packs']));
    expect(damaged).toEqual([{ kind: 'packs', object: pack, reason: 'cannot be read: i/o error' }]);
    await expect(scrubbed(original.repo, fails(OBJECT_KINDS))).rejects.toThrow('i/o error');
  });

  test('a place without a repository is said to be one', async () => {
    await expect(scrub(new MemoryBackend(), options())).rejects.toMatchObject({ code: 'no-repository' });
  });
});

test('large objects are read in pieces, wherever their digest lies', async () => {
  const piece = 4 * 2 ** 20;
  const medium = new MemoryBackend();
  const record = (size: number): Buffer => {
    const content = randomBytes(size - 32);
    return Buffer.concat([content, createHash('sha256').update(content).digest()]);
  };
  await medium.write('config', '1', record(100));
  for (const more of [-1, 0, 1, 31, 32, 33, piece + 5]) {
    const bytes = record(piece + more);
    await medium.write('snapshots', randomBytes(16).toString('hex'), bytes);
    await medium.write('packs', createHash('sha256').update(bytes).digest('hex'), bytes);
    bytes[piece - 40]! ^= 1;
    await medium.write('snapshots', `${'f'.repeat(20)}${String(more + 100).padStart(12, '0')}`, bytes);
  }
  const lengths: number[] = [];
  const reader: Backend = {
    ...passedOn(medium),
    read: async (kind, name, range, call) => {
      const bytes = await medium.read(kind, name, range, call);
      lengths.push(bytes.byteLength);
      return bytes;
    },
  };
  const { damaged, objects } = await scrub(reader, options());
  expect(objects).toBe(22);
  expect(damaged).toHaveLength(7);
  expect(damaged.every(({ object }) => object.startsWith('snapshots/fff'))).toBe(true);
  expect(Math.max(...lengths)).toBe(piece);
});

function passedOn(medium: Backend): Backend {
  return {
    location: medium.location,
    concurrency: medium.concurrency,
    capabilities: medium.capabilities,
    list: (...call) => medium.list(...call),
    stat: (...call) => medium.stat(...call),
    read: (...call) => medium.read(...call),
    write: (...call) => medium.write(...call),
    remove: (...call) => medium.remove(...call),
    removeMany: (...call) => medium.removeMany(...call),
    close: () => medium.close(),
  };
}
