import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type Backend,
  createLocalBackend,
  type FaultPlan,
  failAt,
  forwardTo,
  MemoryBackend,
  type RetryOptions,
  type StoredDigest,
  withFaults,
  withRetry,
} from '../../dist/backends/index.js';
import { BackendError, ObjectExistsError, ObjectNotFoundError } from '../../dist/core/index.js';
import { exists, namesOf, rejection, sampleBytes, scratchFolders, sha256, stagedFile } from './scratch.js';

/** A retrying backend over a faulty one, and the pauses it made. */
function retrying(inner: Backend, plan: FaultPlan, options: RetryOptions = {}) {
  const pauses: number[] = [];
  const faulty = withFaults(inner, plan);
  const backend = withRetry(faulty, {
    sleep: async (ms) => {
      pauses.push(ms);
    },
    random: () => 0,
    ...options,
  });
  return { backend, faulty, pauses };
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

const always: FaultPlan = () => ({ when: 'before' });

describe('retry', () => {
  const newFolder = scratchFolders();

  test('pauses double up to the longest, and end after the attempts allowed', async () => {
    const { backend, faulty, pauses } = retrying(new MemoryBackend(), always, {
      attempts: 6,
      firstPauseMs: 100,
      longestPauseMs: 500,
    });
    const error = await rejection(backend.read('index', 'a'));
    expect(error).toBeInstanceOf(BackendError);
    expect((error as Error).message).toContain('call 6');
    expect(faulty.calls).toBe(6);
    expect(pauses).toEqual([100, 200, 400, 500, 500]);
  });

  test('chance takes up to half off a pause', async () => {
    const draws = [0, 0.5, 0.75];
    const { backend, pauses } = retrying(new MemoryBackend(), always, {
      attempts: 4,
      firstPauseMs: 1000,
      longestPauseMs: 1000,
      random: () => draws.shift()!,
    });
    await rejection(backend.read('index', 'a'));
    expect(pauses).toEqual([1000, 750, 625]);
  });

  test('only what is retryable is tried again', async () => {
    for (const error of [
      new BackendError('full', false),
      new ObjectNotFoundError('index/a'),
      new Error('bug'),
    ]) {
      const { backend, faulty } = retrying(new MemoryBackend(), () => ({ when: 'before', error }));
      expect(await rejection(backend.read('index', 'a'))).toBe(error);
      expect(faulty.calls).toBe(1);
    }
  });

  test('every operation is tried again', async () => {
    const inner = new MemoryBackend();
    const { backend, pauses } = retrying(inner, ({ number }) =>
      number % 2 === 1 ? { when: 'before' } : undefined,
    );
    await backend.write('index', 'a', Buffer.from('bytes'));
    expect(Buffer.from(await backend.read('index', 'a')).toString()).toBe('bytes');
    expect(await backend.stat('index', 'a')).toEqual({ name: 'a', size: 5 });
    expect(await namesOf(backend, 'index')).toEqual(['a']);
    await backend.remove('index', 'a');
    await backend.removeMany('index', ['b']);
    expect(pauses).toHaveLength(6);
    expect(await namesOf(inner, 'index')).toEqual([]);
  });

  test('a list that breaks off goes on without repeating', async () => {
    const inner = new MemoryBackend();
    for (const name of ['1', '2', '3']) await inner.write('marks', name, Buffer.from(name));
    const { backend } = retrying(inner, failAt(1, { when: 'after' }));
    expect(await namesOf(backend, 'marks')).toEqual(['1', '2', '3']);
  });

  test('a lost answer to a write that succeeded is success', async () => {
    const bytes = sampleBytes(9_000_000, 1);
    const folder = await newFolder();
    for (const inner of [new MemoryBackend(), await createLocalBackend(join(folder, 'repository'))]) {
      for (const data of [() => bytes, () => stagedFile(join(folder, 'staged'), bytes)]) {
        const { backend } = retrying(inner, failAt(1, { when: 'after' }));
        await backend.write('packs', 'aa', await data());
        expect(bytes.equals(await inner.read('packs', 'aa'))).toBe(true);
        expect(await exists(join(folder, 'staged'))).toBe(false);
        await inner.remove('packs', 'aa');
      }
    }
  });

  test('a store that kept the staged file though it took the bytes is resolved by comparing', async () => {
    const bytes = sampleBytes(9_000_000, 1);
    for (const [stored, same] of [
      [bytes, true],
      [sampleBytes(9_000_000, 2), false],
      [Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1)! ^ 1])]), false],
      [bytes.subarray(1), false],
    ] as const) {
      const inner = new MemoryBackend();
      const staged = await stagedFile(join(await newFolder(), 'staged'), bytes);
      const { backend } = retrying(inner, ({ number }) => {
        if (number === 1) void inner.write('packs', 'aa', stored);
        return number === 1 ? { when: 'before' } : undefined;
      });
      const outcome = await backend.write('packs', 'aa', staged).then(
        () => 'stored',
        (error) => error,
      );
      if (same) expect(outcome).toBe('stored');
      else expect(outcome).toBeInstanceOf(ObjectExistsError);
      expect(await exists(staged.path)).toBe(!same);
    }
  });

  test('an answer damaged on its way does not make our own object somebody else’s', async () => {
    const bytes = sampleBytes(9_000_000, 1);
    const inner = new MemoryBackend();
    let reads = 0;
    const noisy: Backend = {
      ...forwardTo(inner),
      read: async (...call) => {
        const read = Uint8Array.from(await inner.read(...call));
        reads += 1;
        if (reads === 2) read[1000]! ^= 1;
        return read;
      },
    };
    const { backend } = retrying(noisy, failAt(1, { when: 'after' }));
    await backend.write('packs', 'aa', bytes);
    expect(reads).toBe(4);
  });

  test('an object that exists before the first attempt is somebody else’s', async () => {
    const inner = new MemoryBackend();
    await inner.write('index', 'a', Buffer.from('bytes'));
    const { backend, faulty } = retrying(inner, () => undefined);
    expect(await rejection(backend.write('index', 'a', Buffer.from('bytes')))).toBeInstanceOf(
      ObjectExistsError,
    );
    expect(faulty.calls).toBe(1);
  });

  test('another writer’s object is no success after a lost answer', async () => {
    const inner = new MemoryBackend();
    await inner.write('index', 'a', Buffer.from('theirs'));
    const { backend } = retrying(inner, failAt(1, { when: 'after' }));
    for (const data of [Buffer.from('ours'), Buffer.from('their5')]) {
      expect(await rejection(backend.write('index', 'a', data))).toBeInstanceOf(ObjectExistsError);
    }
  });

  test('what cannot be read back is told by the digest that the store has of it, or not at all', async () => {
    const bytes = sampleBytes(1000, 1);
    const cold = new BackendError('it is cold', false, { hint: 'bring it back' });
    const plan: FaultPlan = ({ operation, number }) =>
      operation === 'write' && number === 1
        ? { when: 'after' }
        : operation === 'read'
          ? { when: 'before', error: cold }
          : undefined;
    const written = async (digest: StoredDigest | undefined): Promise<unknown> => {
      const inner = Object.assign(new MemoryBackend(), { storedDigest: async () => digest });
      return retrying(inner, plan)
        .backend.write('packs', 'aa00', bytes)
        .catch((error: unknown) => error);
    };
    expect(await written({ algorithm: 'sha256', hex: sha256(bytes) })).toBeUndefined();
    expect(await written({ algorithm: 'md5', hex: md5(bytes) })).toBeUndefined();
    expect(await written({ algorithm: 'md5', hex: md5(Buffer.from('other')) })).toBeInstanceOf(
      ObjectExistsError,
    );
    expect(await written(undefined)).toMatchObject({
      code: 'backend',
      message: 'an answer was lost, and whether packs/aa/aa00 was written cannot be told: it is cold',
      hint: expect.stringContaining('run the command again'),
    });
  });

  test('reading back is tried again as well', async () => {
    const inner = new MemoryBackend();
    const { backend } = retrying(inner, ({ number, operation }) => {
      if (number === 1) return { when: 'after' };
      return operation === 'read' && number < 6 ? { when: 'before' } : undefined;
    });
    await backend.write('index', 'a', Buffer.from('bytes'));
    expect(await namesOf(inner, 'index')).toEqual(['a']);
  });

  test('a staged file that is gone without having become the object is an error', async () => {
    const inner = new MemoryBackend();
    const missing = { path: join(await newFolder(), 'missing'), size: 5 };
    const { backend } = retrying(inner, failAt(1, { when: 'before' }));
    expect(await rejection(backend.write('index', 'a', missing))).toMatchObject({
      code: 'backend',
      retryable: false,
    });
  });

  test('aborting ends the pause', async () => {
    const aborting = new AbortController();
    const reason = new Error('the user said so');
    const backend = withRetry(withFaults(new MemoryBackend(), always), {
      firstPauseMs: 1e9,
      longestPauseMs: 1e9,
    });
    const outcome = rejection(backend.read('index', 'a', undefined, { signal: aborting.signal }));
    aborting.abort(reason);
    expect(await outcome).toBe(reason);
  });
});
