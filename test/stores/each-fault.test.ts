import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../dist/backends/index.js';
import { DamagedError, ObjectExistsError, ObjectNotFoundError } from '../../dist/core/index.js';
import { namesOf, rejection, sampleBytes, scratchFolders } from '../backends/scratch.js';
import { FAULT_KINDS, type FaultKind } from '../servers/proxy-faults.mjs';
import { type StoreProxy, startStoreProxy } from '../servers/store-proxy.mjs';
import { gateway, hastyBackend, prefixes, useOwner } from './s3-subject.js';

const OLD = sampleBytes(700_000, 1);
const NEW = sampleBytes(700_000, 2);

let proxy: StoreProxy;
beforeAll(async () => {
  useOwner(gateway);
  proxy = await startStoreProxy(gateway.endpoint);
  return () => proxy.close();
});

const newFolder = scratchFolders();
const locationOf = prefixes(gateway);

/** What each operation does on a store that holds `index/old`, and answers although its first request met a fault. */
const OPERATIONS: Readonly<Record<string, (backend: Backend) => Promise<void>>> = {
  write: async (backend) => {
    await backend.write('index', 'new', NEW);
    expect(NEW.equals(await backend.read('index', 'new'))).toBe(true);
  },
  'write of an existing name': async (backend) => {
    expect(await rejection(backend.write('index', 'old', NEW))).toBeInstanceOf(ObjectExistsError);
    expect(OLD.equals(await backend.read('index', 'old'))).toBe(true);
  },
  'write of an existing name, other bytes of another length': async (backend) => {
    expect(await rejection(backend.write('index', 'old', NEW.subarray(1)))).toBeInstanceOf(ObjectExistsError);
  },
  read: async (backend) => {
    expect(OLD.equals(await backend.read('index', 'old'))).toBe(true);
  },
  'read of a range': async (backend) => {
    const found = await backend.read('index', 'old', { offset: 100_000, length: 300_000 });
    expect(OLD.subarray(100_000, 400_000).equals(found)).toBe(true);
  },
  'read beyond the end': async (backend) => {
    const read = backend.read('index', 'old', { offset: OLD.length, length: 1 });
    expect(await rejection(read)).toBeInstanceOf(DamagedError);
  },
  'read of what is absent': async (backend) => {
    expect(await rejection(backend.read('index', 'new'))).toBeInstanceOf(ObjectNotFoundError);
  },
  stat: async (backend) => {
    expect(await backend.stat('index', 'old')).toMatchObject({ size: OLD.length });
  },
  'stat of what is absent': async (backend) => {
    expect(await rejection(backend.stat('index', 'new'))).toBeInstanceOf(ObjectNotFoundError);
  },
  list: async (backend) => {
    expect(await namesOf(backend, 'index')).toEqual(['old']);
  },
  remove: async (backend) => {
    await backend.remove('index', 'old');
    expect(await namesOf(backend, 'index')).toEqual([]);
  },
  'remove of what is absent': async (backend) => {
    await backend.remove('index', 'new');
    expect(await namesOf(backend, 'index')).toEqual(['old']);
  },
  'remove of many': async (backend) => {
    await backend.removeMany('index', ['old', 'new']);
    expect(await namesOf(backend, 'index')).toEqual([]);
  },
};

/** Damaged bytes are noticed by whoever has digests of them: a backend has none. */
const KINDS = FAULT_KINDS.filter((kind) => kind !== 'corrupted');

describe.each(KINDS)('%s', (kind: FaultKind) => {
  test.each(Object.keys(OPERATIONS))('%s: as without the fault', async (operation) => {
    const folder = await newFolder();
    proxy.settings.faults = () => undefined;
    const location = await locationOf(folder, proxy.endpoint);
    const backend = await hastyBackend(location, join(folder, 'staged'), { stallMs: 500 });
    await backend.write('index', 'old', OLD);
    let fault: FaultKind | undefined = kind;
    proxy.settings.faults = () => {
      const next = fault;
      fault = undefined;
      return next && { kind: next };
    };
    await OPERATIONS[operation]!(backend);
    expect(fault, 'met no request').toBeUndefined();
    await backend.close();
  });
});
