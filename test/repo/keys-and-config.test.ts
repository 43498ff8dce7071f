import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Backend, MemoryBackend } from '../../dist/backends/index.js';
import { encode, toHex } from '../../dist/core/index.js';
import {
  type ConfigRecord,
  configRecord,
  createConfig,
  createKeySlot,
  type Keys,
  keysFrom,
  listKeySlots,
  openKeySlots,
  plainRecordHeader,
  readConfig,
  removeKeySlot,
  sealedConfig,
  verifyConfig,
  withDigest,
} from '../../dist/repo/index.js';
import { algorithms, encryptedKeys, MASTER, plainKeys, REPOSITORY_ID } from './parts.js';

/** The least that the format allows: the tests are about the slots, not about argon2id. */
const CHEAP = { memoryKiB: 32 * 1024, passes: 1, lanes: 1 };

const secret = (text: string): Buffer => Buffer.from(text);

async function withSlots(...passwords: readonly string[]): Promise<Backend> {
  const backend = new MemoryBackend();
  for (const [i, password] of passwords.entries()) {
    const about = { label: `key ${i}`, created: 1000 + i, cost: CHEAP };
    await createKeySlot(backend, REPOSITORY_ID, MASTER, secret(password), about, algorithms);
  }
  return backend;
}

function open(backend: Backend, password: string, repositoryId: Uint8Array = REPOSITORY_ID) {
  return openKeySlots(backend, repositoryId, secret(password), algorithms);
}

async function slotNames(backend: Backend): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of backend.list('keys')) names.push(name);
  return names;
}

/** Puts other bytes in the place of an object, as nobody but a faulty medium or an attacker does. */
async function replace(
  backend: Backend,
  kind: 'keys' | 'config',
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  await backend.remove(kind, name);
  await backend.write(kind, name, bytes);
}

/** A stored object with one byte of its content changed and the closing digest made to fit again. */
function altered(stored: Uint8Array, at: number): Buffer {
  const content = Buffer.from(stored.subarray(0, -32));
  content[at]! ^= 1;
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}

describe('key slots', () => {
  test('each password opens the master key, and nothing else does', async () => {
    const backend = await withSlots('first', 'second', 'pässwörd');
    for (const [i, password] of ['first', 'second', 'pässwörd'].entries()) {
      const { master, slot } = await open(backend, password);
      expect(toHex(master)).toBe(toHex(MASTER));
      expect(slot).toMatchObject({ label: `key ${i}`, created: 1000 + i });
    }
    for (const wrong of ['', 'First', 'first ', 'first\n']) {
      await expect(open(backend, wrong)).rejects.toMatchObject({ code: 'wrong-password' });
    }
    expect((await listKeySlots(backend)).slots.length).toBe(3);
  });

  test('a damaged slot is damage, not a wrong password; the others still open', async () => {
    const backend = await withSlots('only');
    const [name] = await slotNames(backend);
    const stored = await backend.read('keys', name!);
    for (const at of [0, 20, 60, 100, stored.length - 60, stored.length - 1]) {
      const flipped = Uint8Array.from(stored);
      flipped[at]! ^= 4;
      await replace(backend, 'keys', name!, flipped);
      await expect(open(backend, 'only')).rejects.toMatchObject({ code: 'damaged', object: `keys/${name}` });
    }
    for (const length of [0, 10, stored.length - 1]) {
      await replace(backend, 'keys', name!, stored.subarray(0, length));
      await expect(open(backend, 'only')).rejects.toMatchObject({ code: 'damaged', object: `keys/${name}` });
    }
    expect((await listKeySlots(backend)).damaged.length).toBe(1);
    await createKeySlot(
      backend,
      REPOSITORY_ID,
      MASTER,
      secret('other'),
      { label: '', created: 0, cost: CHEAP },
      algorithms,
    );
    expect(toHex((await open(backend, 'other')).master)).toBe(toHex(MASTER));
    // It may have been meant: nobody can say that the password is wrong.
    await expect(open(backend, 'only')).rejects.toMatchObject({ code: 'damaged' });
  });

  test('an altered slot does not open: label, cost, wrapped key', async () => {
    const backend = await withSlots('only');
    const [name] = await slotNames(backend);
    const stored = Buffer.from(await backend.read('keys', name!));
    for (const part of ['key 0', 'wrapped']) {
      const at = stored.indexOf(part) + part.length + (part === 'wrapped' ? 5 : -1);
      await replace(backend, 'keys', name!, altered(stored, at));
      await expect(open(backend, 'only')).rejects.toMatchObject({
        code: 'damaged',
        message: expect.stringContaining('the password is right'),
      });
    }
    // Another cost gives another secret: the commitment tells that this is not the password.
    const passes = stored.indexOf('passes') + 'passes'.length;
    const cheaper = Buffer.from(stored);
    cheaper[passes] = 2;
    await replace(backend, 'keys', name!, altered(altered(cheaper, passes), passes));
    await expect(open(backend, 'only')).rejects.toMatchObject({ code: 'wrong-password' });
    // A cost that would take hours or all memory is not even tried.
    const costly = Buffer.from(stored);
    costly[passes] = 0x7f;
    await replace(backend, 'keys', name!, altered(altered(costly, passes), passes));
    await expect(open(backend, 'only')).rejects.toMatchObject({ code: 'damaged' });
  });

  test('a slot of another repository does not open here', async () => {
    const backend = await withSlots('only');
    await expect(open(backend, 'only', Buffer.alloc(16, 9))).rejects.toMatchObject({ code: 'damaged' });
  });

  test('a slot of a newer version is not damage', async () => {
    const backend = await withSlots('only');
    const [name] = await slotNames(backend);
    await replace(backend, 'keys', name!, altered(await backend.read('keys', name!), 4));
    await expect(open(backend, 'only')).rejects.toMatchObject({ code: 'newer-format' });
  });

  test('none left is damage', async () => {
    await expect(open(new MemoryBackend(), 'any')).rejects.toMatchObject({ code: 'damaged', object: 'keys' });
  });

  test('are removed by an unambiguous prefix, but never the last one', async () => {
    const backend = await withSlots('first', 'second');
    const [one, two] = await slotNames(backend);
    await expect(removeKeySlot(backend, '')).rejects.toMatchObject({ code: 'ambiguous' });
    await expect(removeKeySlot(backend, 'zz')).rejects.toMatchObject({ code: 'not-found' });
    expect((await removeKeySlot(backend, one!)).id).toBe(one);
    await expect(removeKeySlot(backend, two!)).rejects.toMatchObject({ code: 'usage' });
    expect(await slotNames(backend)).toEqual([two]);
  });

  test('wrap the same key under other bytes each time, none of them the key itself', async () => {
    const backend = await withSlots('same', 'same');
    const [one, two] = await Promise.all(
      (await slotNames(backend)).map((name) => backend.read('keys', name)),
    );
    expect(toHex(one!).slice(200)).not.toBe(toHex(two!).slice(200));
    expect(Buffer.from(one!).indexOf(MASTER)).toBe(-1);
  });
});

const CONFIG: ConfigRecord = Object.freeze({
  repository: Uint8Array.from(REPOSITORY_ID),
  created: 1_700_000_000,
  encrypted: true,
  chunkMin: 16_384,
  chunkTarget: 65_536,
  chunkMax: 262_144,
  blockBytes: 4_194_304,
  packBytes: 33_554_432,
  compression: 3,
  pad: false,
});

async function putConfig(backend: Backend, number: number, config: ConfigRecord, keys: Keys): Promise<void> {
  const encoded = encode(configRecord, config);
  const content = encode(sealedConfig, { config: encoded, mac: keys.configMac(encoded) });
  await backend.write('config', String(number), withDigest([plainRecordHeader('config'), content]));
}

describe('the config', () => {
  test('reads back as written, and the key vouches for it', async () => {
    for (const keys of [encryptedKeys, plainKeys]) {
      const backend = new MemoryBackend();
      const config = { ...CONFIG, encrypted: keys.encrypted };
      await createConfig(backend, config, keys);
      const found = await readConfig(backend);
      expect(found).toMatchObject({ number: 1, config });
      verifyConfig(found, keys);
      await expect(createConfig(backend, config, keys)).rejects.toMatchObject({ code: 'object-exists' });
    }
  });

  test('counts in its highest number, in the order of numbers, past what is damaged', async () => {
    const backend = new MemoryBackend();
    for (const number of [1, 9, 10, 2]) {
      await putConfig(backend, number, { ...CONFIG, compression: number }, encryptedKeys);
    }
    await backend.write('config', '007', Buffer.from('not a name that cbr makes'));
    expect(await readConfig(backend)).toMatchObject({ number: 10, config: { compression: 10 } });
    const stored = Uint8Array.from(await backend.read('config', '10'));
    stored[70]! ^= 1;
    await replace(backend, 'config', '10', stored);
    expect(await readConfig(backend)).toMatchObject({ number: 9, config: { compression: 9 } });
    await replace(backend, 'config', '9', new Uint8Array(0));
    expect(await readConfig(backend)).toMatchObject({ number: 2 });
  });

  test('that was altered is refused: by the key, or for its sizes', async () => {
    const altering: [Partial<ConfigRecord>, Keys][] = [
      [{ compression: 0 }, plainKeys],
      [{ encrypted: false }, plainKeys],
      [{ pad: true }, keysFrom({ repositoryId: REPOSITORY_ID, master: randomBytes(32) }, algorithms)],
    ];
    for (const [change, forger] of altering) {
      const backend = new MemoryBackend();
      await putConfig(backend, 1, { ...CONFIG, ...change }, forger);
      const found = await readConfig(backend);
      expect(() => verifyConfig(found, encryptedKeys)).toThrow(
        expect.objectContaining({ code: 'damaged', object: 'config/1' }),
      );
    }
    const sizes: Partial<ConfigRecord>[] = [
      { chunkMin: 0 },
      { chunkMin: 63 },
      { chunkMin: 65_537 },
      { chunkTarget: 2048, chunkMin: 512 },
      { chunkMax: 65_535 },
      { chunkMax: 2 ** 24, blockBytes: 2 ** 24 },
      { blockBytes: 262_143 },
      { blockBytes: 2 ** 24 + 1, packBytes: 2 ** 25 },
      { packBytes: 4_194_303 },
      { packBytes: 2 ** 30 },
    ];
    for (const change of sizes) {
      const backend = new MemoryBackend();
      await expect(createConfig(backend, { ...CONFIG, ...change }, encryptedKeys)).rejects.toMatchObject({
        code: 'usage',
      });
      await putConfig(backend, 1, { ...CONFIG, ...change }, encryptedKeys);
      await expect(readConfig(backend), JSON.stringify(change)).rejects.toMatchObject({ code: 'damaged' });
    }
  });

  test('that is not there, of a newer version, or damaged in all its numbers', async () => {
    await expect(readConfig(new MemoryBackend())).rejects.toMatchObject({ code: 'no-repository' });
    const backend = new MemoryBackend();
    await createConfig(backend, CONFIG, encryptedKeys);
    const stored = await backend.read('config', '1');
    await backend.write('config', '2', altered(stored, 8));
    await expect(readConfig(backend)).rejects.toMatchObject({ code: 'newer-format' });
    await backend.remove('config', '2');
    await replace(backend, 'config', '1', stored.subarray(5));
    await expect(readConfig(backend)).rejects.toMatchObject({ code: 'damaged', object: 'config' });
  });
});
