import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type Backend, createLocalBackend, openLocalBackend, withRetry } from '../../dist/backends/index.js';
import { BackendError, ObjectExistsError, ObjectNotFoundError } from '../../dist/core/index.js';
import { conformance } from './conformance.js';
import { exists, namesOf, rejection, sampleBytes, scratchFolders, stagedFile } from './scratch.js';

const undo: (() => unknown)[] = [];
async function undoAll(): Promise<void> {
  for (const each of undo.splice(0).reverse()) await each();
}
afterEach(undoAll);

/** Lets the system answer calls of node:fs/promises differently until the test ends. */
function replaceCall(name: 'link' | 'unlink', replacement: (...call: never[]) => Promise<void>): void {
  const original = fs[name];
  Object.assign(fs, { [name]: replacement });
  syncBuiltinESMExports();
  undo.push(() => {
    Object.assign(fs, { [name]: original });
    syncBuiltinESMExports();
  });
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the system would say`), { code });
}

/** Replaces fsync of every open file; `replacement` is given the original call. */
async function replaceSync(replacement: (sync: () => Promise<void>) => Promise<void>): Promise<void> {
  const file = await fs.open('/dev/null');
  const prototype = Object.getPrototypeOf(file);
  await file.close();
  const original: () => Promise<void> = prototype.sync;
  prototype.sync = function (this: fs.FileHandle) {
    return replacement(() => original.call(this));
  };
  undo.push(() => {
    prototype.sync = original;
  });
}

/** A file system of `kib` KiB of its own. */
function mountSmallDisk(folder: string, kib: number): void {
  if (process.getuid?.() !== 0) {
    throw new Error('this test mounts a small tmpfs and needs root: run it in a container or with sudo');
  }
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k,mode=700`, 'cbr-test', folder]);
  undo.push(() => execFileSync('umount', [folder]));
}

conformance('local disk without hard links', async (folder) => {
  replaceCall('link', async () => {
    throw systemError('EPERM');
  });
  return createLocalBackend(folder);
});

describe('local disk, what the system may do', () => {
  const newFolder = scratchFolders();
  afterEach(undoAll); // registered last, runs first: a disk is unmounted before its folder is removed

  test('B2 bytes are synchronized before the object appears and its folder after', async () => {
    const backend = await createLocalBackend(await newFolder());
    const staged = await stagedFile(join(backend.stagingFolder!, 'staged'), sampleBytes(1000, 1));
    await backend.write('index', 'first', Buffer.from('settles the folder'));
    const steps: string[] = [];
    const original = fs.link;
    replaceCall('link', async (from: string, to: string) => {
      steps.push('link');
      await original(from, to);
    });
    await replaceSync(async (sync) => {
      steps.push('sync');
      await sync();
    });
    await backend.write('index', 'a', Buffer.from('bytes'));
    expect(steps).toEqual(['sync', 'link', 'sync']);
    await backend.write('index', 'b', staged);
    expect(steps.slice(3)).toEqual(['sync', 'link', 'sync']);
  });

  test('B2 after a failed fsync the bytes are abandoned', async () => {
    const backend = await createLocalBackend(await newFolder());
    const staged = await stagedFile(join(backend.stagingFolder!, 'staged'), sampleBytes(1000, 1));
    for (const data of [Buffer.from('bytes'), staged]) {
      let calls = 0;
      await replaceSync(async () => {
        calls++;
        throw systemError('EIO');
      });
      const error = await rejection(backend.write('index', 'a', data));
      expect(error).toBeInstanceOf(BackendError);
      expect(error).toMatchObject({ retryable: false, hint: expect.stringContaining('disk') });
      expect(calls).toBe(1);
      await undoAll();
    }
    expect(await namesOf(backend, 'index')).toEqual([]);
    expect(await fs.readdir(backend.stagingFolder!)).toEqual(['staged']);
  });

  test('B2 an object whose folder could not be synchronized is not reported as stored, nor by a retry', async () => {
    const backend = await createLocalBackend(await newFolder());
    await backend.write('index', 'first', Buffer.from('settles the folder'));
    const staged = await stagedFile(join(backend.stagingFolder!, 'staged'), sampleBytes(1000, 1));
    for (const [name, data] of [
      ['a', Buffer.from('bytes')],
      ['b', staged],
    ] as const) {
      let calls = 0;
      await replaceSync(async (sync) => {
        if (++calls === 2) throw systemError('EINTR');
        await sync();
      });
      const retrying = withRetry(backend, { sleep: async () => {} });
      expect(await rejection(retrying.write('index', name, data))).toMatchObject({ retryable: false });
      expect(calls).toBe(2);
      await undoAll();
    }
    expect(await fs.readdir(backend.stagingFolder!)).toEqual([]);
  });

  test('B3 a link that was made though its answer says "exists" is the own one', async () => {
    const backend = await createLocalBackend(await newFolder());
    const original = fs.link;
    replaceCall('link', async (from: string, to: string) => {
      await original(from, to);
      throw systemError('EEXIST');
    });
    await backend.write('index', 'a', Buffer.from('bytes'));
    expect(Buffer.from(await backend.read('index', 'a')).toString()).toBe('bytes');
    expect(await fs.readdir(backend.stagingFolder!)).toEqual([]);
    expect(await rejection(backend.write('index', 'a', Buffer.from('bytes')))).toBeInstanceOf(
      ObjectExistsError,
    );
  });

  test('B8 errors of the system say whether to try again', async () => {
    const backend = await createLocalBackend(await newFolder());
    for (const [code, retryable] of [
      ['ENOSPC', false],
      ['EDQUOT', false],
      ['EROFS', false],
      ['EACCES', false],
      ['EIO', false],
      ['EMFILE', true],
      ['EAGAIN', true],
      ['EINTR', true],
      ['EBUSY', true],
    ] as const) {
      replaceCall('unlink', async () => {
        throw systemError(code);
      });
      const error = await rejection(backend.remove('index', 'a'));
      expect(error, code).toBeInstanceOf(BackendError);
      expect(error, code).toMatchObject({ retryable });
    }
  });

  test('no space left: the write is refused, what was stored stays', async () => {
    const root = await newFolder();
    mountSmallDisk(root, 1024);
    const backend = await createLocalBackend(root);
    await backend.write('index', 'a', sampleBytes(100_000, 1));
    const elsewhere = await stagedFile(join(await newFolder(), 'staged'), sampleBytes(2_000_000, 3));
    for (const data of [sampleBytes(2_000_000, 2), elsewhere]) {
      const error = await rejection(backend.write('packs', 'aa', data));
      expect(error).toBeInstanceOf(BackendError);
      expect(error).toMatchObject({ retryable: false, hint: expect.stringContaining('free space') });
      expect((error as BackendError).message).toContain('packs/aa/aa');
    }
    expect(await exists(elsewhere.path)).toBe(true);
    expect(await fs.readdir(backend.stagingFolder!)).toEqual([]);
    expect(await namesOf(backend, 'packs')).toEqual([]);
    expect(sampleBytes(100_000, 1).equals(await backend.read('index', 'a'))).toBe(true);
    await backend.write('packs', 'aa', sampleBytes(500_000, 4));
  });

  test('a staged file on another file system is copied', async () => {
    const root = await newFolder();
    mountSmallDisk(root, 8192);
    const backend = await createLocalBackend(root);
    const bytes = sampleBytes(1_000_000, 1);
    const staged = await stagedFile(join(await newFolder(), 'staged'), bytes);
    await backend.write('packs', 'aa', staged);
    expect(bytes.equals(await backend.read('packs', 'aa'))).toBe(true);
    expect(await exists(staged.path)).toBe(false);
    expect(await fs.readdir(backend.stagingFolder!)).toEqual([]);
  });

  test('a read-only file system can be read and says so', async () => {
    const root = await newFolder();
    mountSmallDisk(root, 1024);
    await (await createLocalBackend(root)).write('index', 'a', Buffer.from('bytes'));
    await fs.rmdir(join(root, 'tmp'));
    execFileSync('mount', ['-o', 'remount,ro', root]);
    const backend = await openLocalBackend(root);
    expect(backend.capabilities).toEqual({ createOnly: true, writable: false, removable: false });
    expect(await namesOf(backend, 'index')).toEqual(['a']);
    for (const call of [
      () => backend.write('index', 'b', Buffer.from('bytes')),
      () => backend.remove('index', 'a'),
    ]) {
      expect(await rejection(call())).toMatchObject({
        code: 'backend',
        retryable: false,
        hint: expect.stringContaining('read-only'),
      });
    }
  });

  test('a repository that vanishes while in use is an error, not an empty one', async () => {
    const root = join(await newFolder(), 'repository');
    const backend = await createLocalBackend(root);
    await backend.write('index', 'a', Buffer.from('bytes'));
    const allReject = async () => {
      for (const call of [
        () => backend.read('index', 'a'),
        () => backend.stat('index', 'a'),
        () => namesOf(backend, 'packs'),
        () => backend.remove('index', 'a'),
        () => backend.write('index', 'b', Buffer.from('bytes')),
        () => backend.write('packs', 'aa', Buffer.from('bytes')),
      ]) {
        const error = await rejection(call());
        expect(error).toBeInstanceOf(BackendError);
        expect(error).not.toBeInstanceOf(ObjectNotFoundError);
        expect(error).toMatchObject({ retryable: false, hint: expect.stringContaining('mount') });
      }
    };
    await fs.rename(root, `${root}.moved`);
    await allReject();
    await fs.mkdir(root);
    await allReject();
    expect(await fs.readdir(root)).toEqual([]);
    await fs.rmdir(root);
    await fs.rename(`${root}.moved`, root);
    await backend.write('index', 'b', Buffer.from('bytes'));
    expect(await namesOf(backend, 'index')).toEqual(['a', 'b']);
  });

  test('folders that were lost are made again; strangers among the objects are not listed', async () => {
    const root = await newFolder();
    const backend: Backend = await createLocalBackend(root);
    for (const folder of ['index', 'packs', 'sessions', 'tmp']) await fs.rmdir(join(root, folder));
    expect(await namesOf(backend, 'packs')).toEqual([]);
    await backend.write('index', 'a', Buffer.from('bytes'));
    await backend.write('packs', 'aabb', Buffer.from('bytes'));
    await backend.write('sessions', 'aa/0', Buffer.from('bytes'));
    for (const path of [
      'packs/stranger',
      'packs/aa/ccdd',
      'packs/aa/.nfs0001',
      'index/.hidden',
      'index/with space',
      'sessions/aa/x~',
    ]) {
      await fs.writeFile(join(root, path), 'stranger');
    }
    await fs.mkdir(join(root, 'sessions/aa/deeper'));
    await fs.symlink('nowhere', join(root, 'index/dangling'));
    expect(await namesOf(backend, 'index')).toEqual(['a']);
    expect(await namesOf(backend, 'packs')).toEqual(['aabb']);
    expect(await namesOf(backend, 'sessions')).toEqual(['aa/0']);
  });

  test('objects are files that only their owner may read, and nobody may write', async () => {
    const root = await newFolder();
    const backend = await createLocalBackend(root);
    const staged = await stagedFile(join(backend.stagingFolder!, 'staged'), Buffer.from('staged'));
    await backend.write('index', 'a', Buffer.from('bytes'));
    await backend.write('packs', 'aabb', staged);
    for (const path of ['index/a', 'packs/aa/aabb']) {
      expect((await fs.stat(join(root, path))).mode & 0o7777).toBe(0o400);
    }
    expect((await fs.stat(join(root, 'packs/aa'))).mode & 0o7777).toBe(0o700);
  });

  test('removing the last object of a group removes its folder', async () => {
    const root = await newFolder();
    const backend = await createLocalBackend(root);
    await backend.write('sessions', 'aa/0', Buffer.from('bytes'));
    await backend.write('sessions', 'aa/1', Buffer.from('bytes'));
    await backend.remove('sessions', 'aa/1');
    expect(await fs.readdir(join(root, 'sessions'))).toEqual(['aa']);
    await backend.removeMany('sessions', ['aa/0']);
    expect(await fs.readdir(join(root, 'sessions'))).toEqual([]);
  });
});
