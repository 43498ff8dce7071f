import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Backend, MemoryBackend } from '../../dist/backends/index.js';
import { toHex } from '../../dist/core/index.js';
import {
  type ConfigRecord,
  countingConfig,
  createConfig,
  createKeySlot,
  encodeConfig,
  type FoundConfig,
  type Keys,
  keysFrom,
  listKeySlots,
  openKeySlots,
  readConfigs,
  readSlots,
  removeKeySlot,
  verifyConfig,
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

async function open(backend: Backend, password: string, repositoryId: Uint8Array = REPOSITORY_ID) {
  return openKeySlots(await readSlots(backend), repositoryId, secret(password), algorithms);
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
  await backend.write('config', String(number), encodeConfig(config, number, keys));
}

/** The config that counts for who has the key. */
async function counting(backend: Backend, keys: Keys = encryptedKeys): Promise<FoundConfig> {
  return countingConfig(await readConfigs(backend), keys);
}

describe('the config', () => {
  test('reads back as written, and the key vouches for it', async () => {
    for (const keys of [encryptedKeys, plainKeys]) {
      const backend = new MemoryBackend();
      const config = { ...CONFIG, encrypted: keys.encrypted };
      await createConfig(backend, config, keys);
      const found = await readConfigs(backend);
      expect(found).toMatchObject([{ number: 1, config }]);
      expect(countingConfig(found, keys)).toBe(found[0]);
      verifyConfig(found[0], keys);
      await expect(createConfig(backend, config, keys)).rejects.toMatchObject({ code: 'object-exists' });
    }
  });

  test('counts in its highest number, in the order of numbers, past what is damaged', async () => {
    const backend = new MemoryBackend();
    for (const number of [1, 9, 10, 2]) {
      await putConfig(backend, number, { ...CONFIG, compression: number }, encryptedKeys);
    }
    await backend.write('config', '007', Buffer.from('not a name that cbr makes'));
    expect(await counting(backend)).toMatchObject({ number: 10, config: { compression: 10 } });
    const stored = Uint8Array.from(await backend.read('config', '10'));
    stored[70]! ^= 1;
    await replace(backend, 'config', '10', stored);
    expect(await counting(backend)).toMatchObject({ number: 9, config: { compression: 9 } });
    await replace(backend, 'config', '9', new Uint8Array(0));
    expect(await counting(backend)).toMatchObject({ number: 2 });
  });

  test('does not count under another number than its own, and the one below it does', async () => {
    for (const keys of [encryptedKeys, plainKeys]) {
      const backend = new MemoryBackend();
      for (const [number, level] of [
        [1, 3],
        [2, 19],
      ] as const) {
        await putConfig(backend, number, { ...CONFIG, encrypted: keys.encrypted, compression: level }, keys);
      }
      await backend.write('config', '3', await backend.read('config', '1'));
      await backend.write('config', '20', await backend.read('config', '2'));
      const found = await readConfigs(backend);
      expect(found.map(({ number }) => number)).toEqual([20, 3, 2, 1]);
      for (const replayed of [found[0], found[1]!]) {
        expect(() => verifyConfig(replayed, keys)).toThrow(
          expect.objectContaining({ code: 'damaged', object: `config/${replayed.number}` }),
        );
      }
      expect(await counting(backend, keys)).toMatchObject({ number: 2, config: { compression: 19 } });
      for (const valid of ['1', '2']) await backend.remove('config', valid);
      await expect(counting(backend, keys)).rejects.toMatchObject({ code: 'damaged', object: 'config/20' });
    }
  });

  test('of another repository, or of another mode, is left out beside the lowest', async () => {
    const backend = new MemoryBackend();
    await putConfig(backend, 2, CONFIG, encryptedKeys);
    await putConfig(backend, 3, { ...CONFIG, encrypted: false }, plainKeys);
    await putConfig(backend, 4, { ...CONFIG, repository: randomBytes(16) }, encryptedKeys);
    await putConfig(backend, 5, { ...CONFIG, pad: true }, encryptedKeys);
    expect((await readConfigs(backend)).map(({ number }) => number)).toEqual([5, 2]);
    expect(await counting(backend)).toMatchObject({ number: 5, config: { pad: true } });
    await backend.remove('config', '5');
    expect(await counting(backend)).toMatchObject({ number: 2 });
    // What a newer program wrote does not matter below what this one can read.
    await backend.write('config', '1', altered(await backend.read('config', '2'), 8));
    expect(await counting(backend)).toMatchObject({ number: 2 });
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
      const found = await readConfigs(backend);
      for (const refuse of [
        () => verifyConfig(found[0], encryptedKeys),
        () => countingConfig(found, encryptedKeys),
      ]) {
        expect(refuse).toThrow(expect.objectContaining({ code: 'damaged', object: 'config/1' }));
      }
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
      await expect(readConfigs(backend), JSON.stringify(change)).rejects.toMatchObject({ code: 'damaged' });
    }
  });

  test('that is not there, of a newer version, or damaged in all its numbers', async () => {
    await expect(readConfigs(new MemoryBackend())).rejects.toMatchObject({ code: 'no-repository' });
    const backend = new MemoryBackend();
    await createConfig(backend, CONFIG, encryptedKeys);
    const stored = await backend.read('config', '1');
    await backend.write('config', '2', altered(stored, 8));
    await expect(readConfigs(backend)).rejects.toMatchObject({ code: 'newer-format' });
    await backend.remove('config', '2');
    await replace(backend, 'config', '1', stored.subarray(5));
    await expect(readConfigs(backend)).rejects.toMatchObject({ code: 'damaged', object: 'config' });
  });
});
