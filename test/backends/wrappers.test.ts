import { describe, expect, test } from 'vitest';
import {
  appendOnly,
  type Backend,
  createLocalBackend,
  type FaultPlan,
  MemoryBackend,
  readOnly,
  type StoreFacts,
  withFaults,
  withRetry,
  withTraffic,
} from '../../dist/backends/index.js';
import { conformance, readingConformance } from './conformance.js';
import { namesOf, rejection } from './scratch.js';

const media: readonly (readonly [string, (folder: string) => Promise<Backend>])[] = [
  ['local disk', createLocalBackend],
  ['memory', async () => new MemoryBackend()],
];

/** Two calls in five fail, in no regular order, half of them after the medium carried them out. */
const unreliable: FaultPlan = ({ number }) => {
  const draw = (Math.imul(number, 0x9e3779b1) >>> 8) % 5;
  return draw > 1 ? undefined : { when: draw === 0 ? 'before' : 'after' };
};

for (const [name, make] of media) {
  conformance(`${name} with retry`, async (folder) => withRetry(await make(folder)));
  conformance(`${name} with traffic`, async (folder) => withTraffic(await make(folder)));
  conformance(`${name} without faults`, async (folder) => withFaults(await make(folder), () => undefined));
  conformance(`${name} with faults and retry`, async (folder) =>
    withRetry(withFaults(await make(folder), unreliable), { attempts: 60, sleep: async () => {} }),
  );
  readingConformance(`${name} read-only`, async (folder) => {
    const writer = await make(folder);
    return { reader: readOnly(writer), writer };
  });
  readingConformance(`${name} append-only`, async (folder) => {
    const writer = await make(folder);
    return { reader: appendOnly(writer), writer: appendOnly(writer) };
  });
}

describe('read-only', () => {
  test('writes and removals are refused and change nothing', async () => {
    const inner = new MemoryBackend();
    await inner.write('index', 'a', Buffer.from('bytes'));
    const backend = readOnly(inner);
    expect(backend.capabilities.writable).toBe(false);
    for (const call of [
      () => backend.write('index', 'b', Buffer.from('bytes')),
      () => backend.remove('index', 'a'),
      () => backend.removeMany('index', ['a']),
    ]) {
      expect(await rejection(call())).toMatchObject({ code: 'read-only', hint: expect.any(String) });
    }
    expect(await namesOf(inner, 'index')).toEqual(['a']);
  });
});

test('what a store says of itself passes through every wrapper that may write', async () => {
  const facts: StoreFacts = {
    clockSkewSeconds: 2,
    versioning: 'off',
    objectLock: { state: 'on', mode: 'governance', days: 30 },
    checksum: 'sha256',
  };
  const inner = Object.assign(new MemoryBackend(), { examine: async () => facts });
  const backend = withRetry(withTraffic(withFaults(inner, () => undefined)));
  expect(await backend.examine?.()).toEqual(facts);
  expect(readOnly(inner).examine).toBeUndefined();
  expect(withRetry(new MemoryBackend()).examine).toBeUndefined();
});

describe('append-only', () => {
  test('objects are added, and neither changed nor removed', async () => {
    const inner = new MemoryBackend();
    await inner.write('index', 'a', Buffer.from('bytes'));
    const backend = appendOnly(inner);
    expect(backend.capabilities).toEqual({ createOnly: true, writable: true, removable: false });
    await backend.write('index', 'b', Buffer.from('more'));
    expect(await rejection(backend.write('index', 'a', Buffer.from('other')))).toMatchObject({
      code: 'object-exists',
    });
    for (const call of [() => backend.remove('index', 'a'), () => backend.removeMany('index', ['a'])]) {
      expect(await rejection(call())).toMatchObject({ code: 'read-only', hint: expect.any(String) });
    }
    expect(await namesOf(inner, 'index')).toEqual(['a', 'b']);
    expect(Buffer.from(await inner.read('index', 'a')).toString()).toBe('bytes');
  });
});

describe('traffic', () => {
  test('counts calls, failures and bytes of each operation', async () => {
    const backend = withTraffic(new MemoryBackend());
    await backend.write('index', 'a', Buffer.alloc(100));
    await rejection(backend.write('index', 'a', Buffer.alloc(100)));
    await backend.read('index', 'a');
    await backend.read('index', 'a', { offset: 1, length: 9 });
    await rejection(backend.stat('index', 'b'));
    await namesOf(backend, 'index');
    await backend.remove('index', 'a');
    await backend.removeMany('index', ['a', 'b']);
    expect(backend.traffic).toEqual({
      list: { calls: 1, failed: 0, bytes: 0 },
      stat: { calls: 1, failed: 1, bytes: 0 },
      read: { calls: 2, failed: 0, bytes: 109 },
      write: { calls: 2, failed: 1, bytes: 100 },
      remove: { calls: 1, failed: 0, bytes: 0 },
      removeMany: { calls: 1, failed: 0, bytes: 0 },
    });
  });
});
