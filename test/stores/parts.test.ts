import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ObjectExistsError } from '../../dist/core/index.js';
import { namesOf, rejection, sampleBytes, scratchFolders } from '../backends/scratch.js';
import { type StoreProxy, startStoreProxy } from '../servers/store-proxy.mjs';
import { storeClient } from '../servers/store-servers.mjs';
import { gateway, hastyBackend, prefixes, useOwner } from './s3-subject.js';

const MiB = 1024 * 1024;
/** The smallest that stores take, but for the last. */
const partSizes = { whole: 6 * MiB, part: 5 * MiB };
const LARGE = sampleBytes(11 * MiB + 17, 1);
const OTHER = sampleBytes(11 * MiB + 17, 2);

let proxy: StoreProxy;
const client = storeClient(gateway);
beforeAll(async () => {
  useOwner(gateway);
  proxy = await startStoreProxy(gateway.endpoint);
});
afterAll(async () => {
  client.destroy();
  await proxy.close();
});

const newFolder = scratchFolders();
const locationOf = prefixes(gateway);

async function opened() {
  const folder = await newFolder();
  const location = await locationOf(folder, proxy.endpoint);
  proxy.settings.faults = () => undefined;
  proxy.settings.onRequest = () => {};
  proxy.resetCounts();
  const backend = await hastyBackend(location, join(folder, 'staged'), { partSizes, stallMs: 60_000 });
  const [, Bucket, Prefix] = new URL(location.slice('s3:'.length)).pathname.split('/');
  return {
    folder,
    backend,
    requests: () => proxy.counts.operations,
    /** What is begun and not ended, which is paid for. */
    unfinished: async () => {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }));
      return Uploads.map(({ Key }) => Key);
    },
  };
}

test('a large object is sent in parts, reads the same, and is made once', async () => {
  const { backend, requests, unfinished } = await opened();
  await backend.write('index', 'large', LARGE);
  expect(requests().UploadPart).toMatchObject({ requests: 3, bytesUp: LARGE.length });
  expect(requests().PutObject).toBeUndefined();
  expect(LARGE.equals(await backend.read('index', 'large'))).toBe(true);
  const middle = await backend.read('index', 'large', { offset: 5 * MiB - 10, length: 20 });
  expect(LARGE.subarray(5 * MiB - 10, 5 * MiB + 10).equals(middle)).toBe(true);

  // The same bytes once more are a success, as of a write whose answer was lost; others are refused.
  await backend.write('index', 'large', LARGE);
  expect(await rejection(backend.write('index', 'large', OTHER))).toBeInstanceOf(ObjectExistsError);
  expect(LARGE.equals(await backend.read('index', 'large'))).toBe(true);
  expect(await unfinished()).toEqual([]);
  await backend.close();
});

test('a staged file too, and one that is not that large in one request', async () => {
  const { folder, backend, requests } = await opened();
  const path = join(folder, 'file');
  writeFileSync(path, LARGE);
  await backend.write('index', 'large', { path, size: LARGE.length });
  expect(LARGE.equals(await backend.read('index', 'large'))).toBe(true);
  const bytes = LARGE.subarray(0, partSizes.whole);
  await backend.write('index', 'less', bytes);
  expect(requests()).toMatchObject({ CreateMultipartUpload: { requests: 1 }, PutObject: { requests: 1 } });
  expect(bytes.equals(await backend.read('index', 'less'))).toBe(true);
  await backend.close();
});

test('faults in the middle are got over, and leave nothing that is paid for', async () => {
  const { backend, unfinished } = await opened();
  const seen = new Set<string>();
  proxy.settings.faults = ({ operation }) => {
    if (seen.has(operation)) return undefined;
    seen.add(operation);
    return { kind: operation === 'CompleteMultipartUpload' ? 'lost-answer' : 'reset-before' };
  };
  await backend.write('index', 'large', LARGE);
  expect([...seen]).toEqual(expect.arrayContaining(['UploadPart', 'CompleteMultipartUpload']));
  expect(LARGE.equals(await backend.read('index', 'large'))).toBe(true);
  expect(await unfinished()).toEqual([]);
  await backend.close();
});

test('whoever is interrupted takes the parts away that were sent', async () => {
  const { backend, requests, unfinished } = await opened();
  const aborting = new AbortController();
  const reason = new Error('the user said so');
  let whileSending: Promise<unknown> = Promise.resolve();
  proxy.settings.onRequest = ({ path }) => {
    // The last part: an upload is under way now.
    if (!path.includes('partNumber=3')) return;
    whileSending = unfinished().finally(() => aborting.abort(reason));
  };
  proxy.settings.requestLatency = 200;
  expect(await rejection(backend.write('index', 'large', LARGE, { signal: aborting.signal }))).toBe(reason);
  proxy.settings.requestLatency = 0;
  expect(await whileSending).toHaveLength(1);
  expect(requests().AbortMultipartUpload).toMatchObject({ requests: 1 });
  expect(await unfinished()).toEqual([]);
  expect(await namesOf(backend, 'index')).toEqual([]);
  await backend.close();
});
