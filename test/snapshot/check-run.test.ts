import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../dist/backends/index.js';
import { BackendError, CbrError, chunkIdAt, ObjectNotFoundError } from '../../dist/core/index.js';
import { decodeSegment, loadRepository, type Repository } from '../../dist/repo/index.js';
import { checkRepository, type OperationEvent } from '../../dist/snapshot/index.js';
import { Copy, filledScratch, findingOf, objectsOf } from './check-subject.js';
import { forgedSnapshot } from './forged-snapshot.js';
import { randomContent } from './random-content.js';
import type { Scratch } from './scratch-repository.js';

/** How a check runs: beside a prune, on failing media, stopped half-way, over trees that no cbr writes. */

let subject: Scratch;

beforeAll(async () => {
  subject = await filledScratch();
});
afterAll(() => subject.remove());

const options = (signal = new AbortController().signal) => ({ readData: 100, threads: 2, signal });

/** Puts other calls in place of some of the medium's own. */
function altered(repository: Repository, change: (medium: Backend) => Partial<Backend>): Repository {
  const { backend } = repository;
  const proxy = new Proxy(backend, {
    get(target, key) {
      const changed = change(target)[key as keyof Backend];
      if (changed !== undefined) return changed;
      const member = Reflect.get(target, key, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  return { ...repository, backend: proxy };
}

describe('beside a prune', () => {
  test('what is missing is looked for again when the index has changed, and found', async () => {
    const copy = new Copy(subject);
    const moved = basename(copy.objects('packs')[0]!);
    const dropped = 'a'.repeat(64);
    let packLists = 0;
    await copy.use(async (repository) => {
      // At the first look a pack is on its way, and a segment is listed that is dropped before it is read.
      const pruned = altered(repository, (medium) => ({
        async *list(kind, its) {
          if (kind === 'packs') packLists++;
          if (kind === 'index' && packLists === 0) yield { name: dropped, size: 1 };
          for await (const each of medium.list(kind, its)) {
            if (kind !== 'packs' || packLists > 1 || each.name !== moved) yield each;
          }
        },
      }));
      const report = await checkRepository(pruned, options(), () => undefined);
      expect(report.findings).toEqual([]);
      expect(packLists).toBeGreaterThan(1);
    });
  });

  test('what is missing while nothing changes is damage, and looked for once', async () => {
    const copy = new Copy(subject);
    const [gone] = copy.objects('packs');
    let packLists = 0;
    await copy.use(async (repository) => {
      const counted = altered(repository, (medium) => ({
        list(kind, its) {
          if (kind === 'packs') packLists++;
          return medium.list(kind, its);
        },
        read: (kind, name, range, its) =>
          kind === 'packs' && name === basename(gone!)
            ? Promise.reject(new ObjectNotFoundError(gone!))
            : medium.read(kind, name, range, its),
      }));
      const report = await checkRepository(counted, options(), () => undefined);
      expect(objectsOf(report)).toEqual([gone]);
      expect(packLists).toBe(1);
    });
  });
});

describe('on a failing medium', () => {
  const refusing = (repository: Repository, object: string, error: Error) =>
    altered(repository, (medium) => ({
      read: (kind, name, range, its) =>
        object.startsWith(kind) && basename(object) === name
          ? Promise.reject(error)
          : medium.read(kind, name, range, its),
    }));

  test.each(['packs', 'index', 'snapshots'])('an object in a bad sector is damage: %s', async (kind) => {
    const copy = new Copy(subject);
    const [object] = copy.objects(kind);
    await copy.use(async (repository) => {
      const failing = refusing(repository, object!, new BackendError('EIO: i/o error, read', false));
      const report = await checkRepository(failing, options(), () => undefined);
      const finding = findingOf(report, object!);
      expect(finding?.reason).toContain('i/o error');
      expect(finding?.affected.length).toBeGreaterThan(0);
    });
  });

  test('what may pass ends the run', async () => {
    const copy = new Copy(subject);
    const [object] = copy.objects('packs');
    await copy.use(async (repository) => {
      const failing = refusing(repository, object!, new BackendError('ETIMEDOUT', true));
      const run = checkRepository(failing, options(), () => undefined);
      await expect(run).rejects.toMatchObject({ code: 'backend' });
    });
  });
});

describe('stopped', () => {
  test('before it begins', async () => {
    const copy = new Copy(subject);
    const stopped = AbortSignal.abort(new CbrError('interrupted', 'by a test'));
    await copy.use((repository) =>
      expect(checkRepository(repository, options(stopped), () => undefined)).rejects.toMatchObject({
        code: 'interrupted',
      }),
    );
  });

  test.each(['index', 'packs'])('while it reads %s', async (at) => {
    const copy = new Copy(subject);
    const stop = new AbortController();
    await copy.use(async (repository) => {
      const stopping = altered(repository, (medium) => ({
        read: (kind, name, range, its) => {
          if (kind === at) stop.abort(new CbrError('interrupted', 'by a test'));
          return medium.read(kind, name, range, its);
        },
      }));
      const run = checkRepository(stopping, options(stop.signal), () => undefined);
      await expect(run).rejects.toMatchObject({ code: 'interrupted' });
    });
  });
});

test('progress tells of files and bytes, and ends with what was read', async () => {
  const copy = new Copy(subject);
  const events: OperationEvent[] = [];
  const report = await copy.use((repository) =>
    checkRepository(repository, options(), (event) => events.push(event)),
  );
  const steps = events.filter((event) => event.type === 'progress');
  expect(steps.length).toBeGreaterThan(0);
  expect(steps).toEqual(events);
  for (const { phase, bytes, totalBytes } of steps) {
    expect(phase).toBe('check');
    expect(bytes).toBeLessThanOrEqual(totalBytes ?? Number.POSITIVE_INFINITY);
  }
  expect(report.bytesRead).toBeGreaterThan(0);
});

describe('a tree that cbr does not write', () => {
  const file = (name: string) => ({ name, type: 'file' as const });

  test.each([['..'], ['a/b'], ['with\0NUL'], ['']])('with the name %j is found', async (name) => {
    const copy = new Copy(subject);
    const id = await copy.use((repository) => forgedSnapshot(repository, [file(name), file('zz')]));
    const report = await copy.run();
    expect(report.findings).toHaveLength(1);
    expect(report.findings[0]!.reason).toContain('is not the name of an entry');
    expect(report.findings[0]!.affected).toEqual([`${id.slice(0, 8)}:/`]);
  });

  test('nested deeper than calls may be is walked to its end', async () => {
    const copy = new Copy(subject);
    const depth = 12_000;
    const id = await copy.use((repository) =>
      forgedSnapshot(repository, [file('bottom'), file('..')], depth),
    );
    const report = await copy.run();
    expect(report.findings).toHaveLength(1);
    expect(report.findings[0]!.affected).toEqual([`${id.slice(0, 8)}:${'/d'.repeat(depth)}/`]);
  });

  test('that names chunks nobody stored is found, though all objects are sound', async () => {
    const copy = new Copy(subject);
    const chunks = [1, 2].map((seed) => ({ id: chunkIdAt(randomContent(seed, 32)), length: 7 }));
    const id = await copy.use((repository) =>
      forgedSnapshot(repository, [{ ...file('lost'), size: 14, chunks }]),
    );
    const report = await copy.run();
    expect(objectsOf(report)).toEqual(['index']);
    expect(report.findings[0]!.reason).toContain('no index segment names 2 chunks');
    expect(report.findings[0]!.affected).toEqual([`${id.slice(0, 8)}:/lost`]);
  });

  test('that names a chunk by another length is found', async () => {
    const copy = new Copy(subject);
    const stored = await copy.use(async (repository) => {
      const { view } = await loadRepository(repository);
      const [name] = [...view.segments.keys()];
      const bytes = await repository.backend.read('index', name!);
      const { chunks } = decodeSegment(bytes, name!, repository.keys, repository.algorithms.zstd);
      return { id: chunkIdAt(chunks.ids), length: chunks.lengths[0]! };
    });
    const forged = { ...stored, length: stored.length + 1 };
    const id = await copy.use((repository) =>
      forgedSnapshot(repository, [{ ...file('longer'), size: forged.length, chunks: [forged] }]),
    );
    const report = await copy.run();
    expect(report.findings).toHaveLength(1);
    expect(report.findings[0]!.reason).toContain(`${stored.length} bytes long by the index`);
    expect(report.findings[0]!.affected).toEqual([`${id.slice(0, 8)}:/longer`]);
  });

  test('whose file is longer than its content is found', async () => {
    const copy = new Copy(subject);
    await copy.use((repository) => forgedSnapshot(repository, [{ ...file('short'), size: 5, hole: 4 }]));
    const report = await copy.run();
    expect(report.findings.map(({ reason }) => reason).join()).toContain('content does not match its size');
  });
});
