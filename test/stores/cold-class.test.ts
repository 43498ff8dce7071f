import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Backend } from '../../dist/backends/index.js';
import { ObjectExistsError } from '../../dist/core/index.js';
import { rejection, scratchFolders, sha256, stagedFile } from '../backends/scratch.js';
import { type StoreProxy, startStoreProxy } from '../servers/store-proxy.mjs';
import { hastyBackend, moto, prefixes, useOwner } from './s3-subject.js';

/** A class from which objects have to be brought back before they can be read. */

let proxy: StoreProxy;
beforeAll(async () => {
  useOwner(moto);
  proxy = await startStoreProxy(moto.endpoint);
  return () => proxy.close();
});

const newFolder = scratchFolders();
const locationOf = prefixes(moto);

async function withBackend(use: (backend: Backend, folder: string) => Promise<void>): Promise<void> {
  const folder = await newFolder();
  const location = await locationOf(folder, proxy.endpoint);
  const backend = await hastyBackend(location, join(folder, 'staged'), { storageClass: 'GLACIER' });
  try {
    await use(backend, folder);
  } finally {
    await backend.close();
  }
}

function loseNextAnswer(): void {
  let isLost = false;
  proxy.settings.faults = ({ method }) => {
    if (isLost || method !== 'PUT') return undefined;
    isLost = true;
    return { kind: 'lost-answer' };
  };
}

test('a pack whose answer was lost is verified by what the store knows of it', async () => {
  await withBackend(async (backend, folder) => {
    const bytes = randomBytes(300_000);
    const name = sha256(bytes);
    const staged = await stagedFile(join(folder, 'staged', 'pack'), bytes);
    loseNextAnswer();
    await backend.write('packs', name, staged, { isCold: true });
    expect(await backend.stat('packs', name)).toMatchObject({ size: bytes.length });
    expect(await rejection(backend.read('packs', name))).toMatchObject({
      message: expect.stringMatching(/in a cold storage class/),
    });
  });
});

test('other bytes of the same length under its name are told from it', async () => {
  await withBackend(async (backend) => {
    const [first, second] = [randomBytes(300_000), randomBytes(300_000)];
    await backend.write('packs', 'aa00', first, { isCold: true });
    expect(await rejection(backend.write('packs', 'aa00', second, { isCold: true }))).toBeInstanceOf(
      ObjectExistsError,
    );
    // The same bytes may be a request that was sent twice on its way.
    await backend.write('packs', 'aa00', first, { isCold: true });
  });
});
