import { describe, expect, test } from 'vitest';
import { type BackendCall, failAt, MemoryBackend, withFaults } from '../../dist/backends/index.js';
import { BackendError } from '../../dist/core/index.js';
import { namesOf, rejection } from './scratch.js';

describe('faults', () => {
  test('the plan sees every call with its number, operation, kind and names', async () => {
    const calls: BackendCall[] = [];
    const backend = withFaults(new MemoryBackend(), (call) => {
      calls.push(call);
      return undefined;
    });
    await backend.write('index', 'a', Buffer.from('bytes'));
    await backend.stat('index', 'a');
    await backend.read('index', 'a');
    await namesOf(backend, 'index');
    await backend.remove('index', 'a');
    await backend.removeMany('packs', ['aa', 'bb']);
    expect(calls.map(({ number, operation, kind, names }) => [number, operation, kind, ...names])).toEqual([
      [1, 'write', 'index', 'a'],
      [2, 'stat', 'index', 'a'],
      [3, 'read', 'index', 'a'],
      [4, 'list', 'index'],
      [5, 'remove', 'index', 'a'],
      [6, 'removeMany', 'packs', 'aa', 'bb'],
    ]);
    expect(backend.calls).toBe(6);
  });

  test('a call that fails before does nothing, one that fails after is done though it rejects', async () => {
    for (const [when, names] of [
      ['before', ['b']],
      ['after', ['a', 'b']],
    ] as const) {
      const backend = withFaults(new MemoryBackend(), failAt(1, { when }));
      const error = await rejection(backend.write('index', 'a', Buffer.from('bytes')));
      expect(error).toBeInstanceOf(BackendError);
      expect(error).toMatchObject({ retryable: true });
      await backend.write('index', 'b', Buffer.from('bytes'));
      expect(await namesOf(backend, 'index')).toEqual(names);
    }
  });

  test('a list that fails after yields its objects first', async () => {
    const inner = new MemoryBackend();
    await inner.write('index', 'a', Buffer.from('bytes'));
    for (const [when, expected] of [
      ['before', []],
      ['after', ['a']],
    ] as const) {
      const backend = withFaults(inner, failAt(1, { when }));
      const names: string[] = [];
      const listing = async () => {
        for await (const { name } of backend.list('index')) names.push(name);
      };
      expect(await rejection(listing())).toBeInstanceOf(BackendError);
      expect(names).toEqual(expected);
    }
  });

  test('after a stop every call rejects and nothing changes', async () => {
    const inner = new MemoryBackend();
    await inner.write('marks', '1', Buffer.from('bytes'));
    await inner.write('marks', '2', Buffer.from('bytes'));
    const backend = withFaults(inner, failAt(2, { when: 'after', stop: true }));
    const listing = backend.list('marks')[Symbol.asyncIterator]();
    await listing.next();
    const stop = await rejection(backend.write('index', 'a', Buffer.from('bytes')));
    expect(stop).toMatchObject({ retryable: false });
    for (const call of [
      () => listing.next(),
      () => backend.write('index', 'b', Buffer.from('bytes')),
      () => backend.read('index', 'a'),
      () => backend.stat('index', 'a'),
      () => namesOf(backend, 'index'),
      () => backend.remove('index', 'a'),
      () => backend.removeMany('index', ['a']),
    ]) {
      expect(await rejection(call())).toBe(stop);
    }
    expect(await namesOf(inner, 'index')).toEqual(['a']);
  });

  test('a call under way when another one stops the process rejects too', async () => {
    const backend = withFaults(new MemoryBackend(), failAt(2, { when: 'before', stop: true }));
    const underWay = rejection(backend.write('index', 'a', Buffer.from('bytes')));
    const stop = await rejection(backend.write('index', 'b', Buffer.from('bytes')));
    expect(await underWay).toBe(stop);
  });

  test('a plan may choose the error', async () => {
    const error = new Error('chosen');
    const backend = withFaults(new MemoryBackend(), failAt(1, { when: 'before', error }));
    expect(await rejection(backend.read('index', 'a'))).toBe(error);
  });
});
