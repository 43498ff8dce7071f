import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type Backend,
  type ByteRange,
  type CallOptions,
  OBJECT_KINDS,
  type ObjectKind,
  type ObjectReader,
} from '../../dist/backends/index.js';
import { BackendError, DamagedError, ObjectExistsError, ObjectNotFoundError } from '../../dist/core/index.js';
import { exists, namesOf, rejection, sampleBytes, scratchFolders, sha256, stagedFile } from './scratch.js';

/** The names cbr makes, one kind of each shape. */
const SHAPES: readonly (readonly [ObjectKind, string])[] = [
  ['config', '0'],
  ['snapshots', '0123456789abcdef0123456789abcdef'],
  ['index', sha256(Buffer.from('an index segment'))],
  ['packs', sha256(Buffer.from('a pack'))],
  ['sessions', '0123456789abcdef0123456789abcdef/17'],
  ['leases', 'prune-alive/4.2'],
];

const FORGED_NAMES = ['', '.', '..', '../config/1', '/etc/passwd', 'a/../b', 'a//b', 'a/b/c', '.hidden'];
const MORE_FORGED_NAMES = ['a\0b', 'a b', 'ä', 'a\n', 'x'.repeat(201)];

export interface ReadingSubject {
  /** What is judged. */
  readonly reader: ObjectReader;
  /** Puts objects where the reader finds them. */
  readonly writer: Backend;
}

/** Judges reading: B4, B5, B6, B9 and B10. `make` is given a fresh, empty folder. */
export function readingConformance(name: string, make: (folder: string) => Promise<ReadingSubject>): void {
  describe(`reading: ${name}`, () => {
    const newFolder = scratchFolders();
    let reader: ObjectReader;
    let writer: Backend;
    beforeEach(async () => {
      ({ reader, writer } = await make(await newFolder()));
      return () => reader.close();
    });

    test('B4 every range within an object yields exactly those bytes', async () => {
      const bytes = sampleBytes(9, 1);
      await writer.write('index', 'a', bytes);
      for (let offset = 0; offset <= bytes.length; offset++) {
        for (let length = 0; offset + length <= bytes.length; length++) {
          const found = await reader.read('index', 'a', { offset, length });
          expect(Buffer.from(found), `${offset}+${length}`).toEqual(bytes.subarray(offset, offset + length));
        }
      }
      for (let suffix = 0; suffix <= bytes.length + 2; suffix++) {
        const found = await reader.read('index', 'a', { suffix });
        expect(Buffer.from(found), `suffix ${suffix}`).toEqual(
          bytes.subarray(Math.max(0, bytes.length - suffix)),
        );
      }
    });

    test('B4 a range in a large object, and all of it', async () => {
      const bytes = sampleBytes(3_000_001, 2);
      const pack = sha256(bytes);
      await writer.write('packs', pack, bytes);
      expect(bytes.equals(await reader.read('packs', pack))).toBe(true);
      const part = await reader.read('packs', pack, { offset: 1_234_567, length: 1_500_000 });
      expect(bytes.subarray(1_234_567, 2_734_567).equals(part)).toBe(true);
    });

    test('B4 a range beyond the end is damage, never a shorter answer', async () => {
      await writer.write('index', 'a', sampleBytes(10, 3));
      const ranges: ByteRange[] = [
        { offset: 0, length: 11 },
        { offset: 10, length: 1 },
        { offset: 11, length: 0 },
        { offset: 2 ** 40, length: 2 ** 40 },
      ];
      for (const range of ranges) {
        const error = await rejection(reader.read('index', 'a', range));
        expect(error, JSON.stringify(range)).toBeInstanceOf(DamagedError);
        expect((error as DamagedError).object).toBe('index/a');
      }
    });

    test('B4 a range that is none rejects', async () => {
      await writer.write('index', 'a', sampleBytes(10, 4));
      const ranges: ByteRange[] = [
        { offset: -1, length: 1 },
        { offset: 1, length: -1 },
        { offset: 0.5, length: 1 },
        { offset: 0, length: Number.NaN },
        { suffix: -1 },
      ];
      for (const range of ranges)
        expect(await rejection(reader.read('index', 'a', range))).toBeInstanceOf(BackendError);
    });

    test('B4 what is read belongs to the caller', async () => {
      await writer.write('index', 'a', Buffer.from('bytes'));
      (await reader.read('index', 'a')).fill(0);
      expect(Buffer.from(await reader.read('index', 'a')).toString()).toBe('bytes');
    });

    test('B4 an absent object is an ObjectNotFoundError', async () => {
      await writer.write('sessions', 'aa/1', sampleBytes(3, 5));
      for (const [kind, name] of [...SHAPES, ['sessions', 'aa'], ['sessions', 'aa/2']] as const) {
        for (const call of [
          () => reader.stat(kind, name),
          () => reader.read(kind, name),
          () => reader.read(kind, name, { suffix: 4 }),
        ]) {
          expect(await rejection(call()), `${kind}/${name}`).toBeInstanceOf(ObjectNotFoundError);
        }
      }
    });

    test('B5 what is written can be read and listed, in every shape of name', async () => {
      for (const [index, [kind, name]] of SHAPES.entries()) {
        const bytes = sampleBytes(index * 7, index);
        await writer.write(kind, name, bytes);
        expect(Buffer.from(await reader.read(kind, name))).toEqual(bytes);
        expect(await reader.stat(kind, name)).toEqual({ name, size: bytes.length });
        const listed = [];
        for await (const object of reader.list(kind)) listed.push(object);
        expect(listed).toMatchObject([{ name, size: bytes.length }]);
      }
    });

    test('B6 a list yields every object of its kind once and nothing else', async () => {
      const packs = Array.from({ length: 100 }, (_, i) => sha256(Buffer.from(`${i}`))).sort();
      await Promise.all(packs.map((pack) => writer.write('packs', pack, Buffer.from(pack))));
      const beats = ['aa/0', 'aa/1', 'ab/0'];
      for (const beat of beats) await writer.write('sessions', beat, Buffer.from(beat));
      for (const kind of OBJECT_KINDS) {
        const names: string[] = [];
        for await (const { name } of reader.list(kind)) names.push(name);
        expect(names.sort()).toEqual(kind === 'packs' ? packs : kind === 'sessions' ? beats : []);
      }
    });

    test('B6 a list may be left early', async () => {
      for (const name of ['1', '2', '3']) await writer.write('marks', name, Buffer.from(name));
      const names: string[] = [];
      for await (const { name } of reader.list('marks')) {
        names.push(name);
        break;
      }
      expect(names).toHaveLength(1);
    });

    test('B9 names that cbr does not make are refused', async () => {
      for (const name of [...FORGED_NAMES, ...MORE_FORGED_NAMES]) {
        for (const call of [() => reader.stat('index', name), () => reader.read('index', name)]) {
          expect(await rejection(call()), JSON.stringify(name)).toBeInstanceOf(BackendError);
        }
      }
      expect(await rejection(reader.read('packs', 'ab/cd'))).toBeInstanceOf(BackendError);
    });

    test('B10 an aborted call rejects with the reason', async () => {
      await writer.write('index', 'a', sampleBytes(10, 6));
      const reason = new Error('the user said so');
      const options: CallOptions = { signal: AbortSignal.abort(reason) };
      const listed = async () => {
        for await (const object of reader.list('index', options)) expect(object).toBeUndefined();
      };
      for (const call of [
        () => reader.stat('index', 'a', options),
        () => reader.read('index', 'a', undefined, options),
        listed,
      ]) {
        expect(await rejection(call())).toBe(reason);
      }
    });
  });
}

/** Judges a whole backend, B1 to B10. `make` is given a fresh, empty folder. */
export function conformance(name: string, make: (folder: string) => Promise<Backend>): void {
  readingConformance(name, async (folder) => {
    const backend = await make(folder);
    return { reader: backend, writer: backend };
  });

  describe(`writing: ${name}`, () => {
    const newFolder = scratchFolders();
    let backend: Backend;
    let scratch: string;
    beforeEach(async () => {
      backend = await make(await newFolder());
      scratch = await newFolder();
      return () => backend.close();
    });

    test('B1 an object is seen whole or not at all while it is written', async () => {
      const bytes = sampleBytes(4_000_000, 1);
      const pack = sha256(bytes);
      let writing = true;
      const written = backend.write('packs', pack, bytes).finally(() => {
        writing = false;
      });
      while (writing) {
        const seen = await backend.read('packs', pack).catch((error) => error);
        if (seen instanceof Uint8Array) expect(bytes.equals(seen)).toBe(true);
        else expect(seen).toBeInstanceOf(ObjectNotFoundError);
        for await (const object of backend.list('packs')) {
          expect(object).toMatchObject({ name: pack, size: bytes.length });
        }
        await setImmediate();
      }
      await written;
      expect(bytes.equals(await backend.read('packs', pack))).toBe(true);
    });

    test('B1 B8 a staged file of another size, or none, is refused and leaves nothing', async () => {
      const staged = await stagedFile(join(scratch, 'staged'), sampleBytes(100, 2));
      const missing = { path: join(scratch, 'missing'), size: 1 };
      for (const data of [{ path: staged.path, size: 101 }, missing]) {
        const error = await rejection(backend.write('index', 'a', data));
        expect(error).toBeInstanceOf(BackendError);
        expect((error as BackendError).retryable).toBe(false);
      }
      expect(await namesOf(backend, 'index')).toEqual([]);
      expect(await exists(staged.path)).toBe(true);
    });

    test('B2 B5 a staged file becomes the object and is gone', async () => {
      const bytes = sampleBytes(1_000_003, 3);
      const folder = backend.stagingFolder ?? scratch;
      for (const [index, path] of [join(scratch, 'staged'), join(folder, 'staged')].entries()) {
        await backend.write('packs', `${index}0`, await stagedFile(path, bytes));
        expect(await exists(path)).toBe(false);
        expect(bytes.equals(await backend.read('packs', `${index}0`))).toBe(true);
      }
      expect(await namesOf(backend, 'packs')).toEqual(['00', '10']);
    });

    test('B3 an existing object is not changed', async () => {
      for (const [kind, name] of SHAPES) {
        await backend.write(kind, name, Buffer.from('first'));
        const error = await rejection(backend.write(kind, name, Buffer.from('second')));
        expect(error).toBeInstanceOf(ObjectExistsError);
        const staged = await stagedFile(join(scratch, 'staged'), Buffer.from('third'));
        expect(await rejection(backend.write(kind, name, staged))).toBeInstanceOf(ObjectExistsError);
        expect(await exists(staged.path)).toBe(true);
        expect(Buffer.from(await backend.read(kind, name)).toString()).toBe('first');
      }
    });

    test('B3 of many writers of one name exactly one wins', async () => {
      for (let round = 0; round < 10; round++) {
        const name = `aa/${round}`;
        const contents = Array.from({ length: 8 }, (_, i) => sampleBytes(1000 + i, i));
        const results = await Promise.allSettled(
          contents.map(async (bytes, i) =>
            backend.write(
              'sessions',
              name,
              i % 2 === 0 ? bytes : await stagedFile(join(scratch, `${i}`), bytes),
            ),
          ),
        );
        const winners = results.flatMap((result, i) => (result.status === 'fulfilled' ? [i] : []));
        expect(winners).toHaveLength(1);
        for (const result of results) {
          if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(ObjectExistsError);
        }
        expect(contents[winners[0]!]!.equals(await backend.read('sessions', name))).toBe(true);
      }
    });

    test('B3 a removed name can be written again', async () => {
      await backend.write('sessions', 'aa/1', Buffer.from('first'));
      await backend.remove('sessions', 'aa/1');
      await backend.write('sessions', 'aa/1', Buffer.from('second'));
      expect(Buffer.from(await backend.read('sessions', 'aa/1')).toString()).toBe('second');
    });

    test('B5 what is written does not change with the buffer it came from', async () => {
      const bytes = Buffer.from('bytes');
      await backend.write('index', 'a', bytes);
      bytes.fill(0);
      expect(Buffer.from(await backend.read('index', 'a')).toString()).toBe('bytes');
    });

    test('B5 bytes may lie in shared memory and within a larger buffer', async () => {
      const shared = new Uint8Array(new SharedArrayBuffer(64)).fill(7);
      await backend.write('index', 'a', shared.subarray(10, 20));
      expect(Buffer.from(await backend.read('index', 'a'))).toEqual(Buffer.alloc(10, 7));
    });

    test('B6 a list shows no temporaries while objects are written', async () => {
      const names = Array.from({ length: 40 }, (_, i) => `${i}`);
      let writing = true;
      const written = Promise.all(
        names.map((name) => backend.write('notes', `aa/${name}`, sampleBytes(20_000, 1))),
      ).finally(() => {
        writing = false;
      });
      while (writing) {
        for (const kind of OBJECT_KINDS) {
          for await (const { name, size } of backend.list(kind)) {
            expect(kind).toBe('notes');
            expect(names).toContain(name.slice('aa/'.length));
            expect(size).toBe(20_000);
          }
        }
        await setImmediate();
      }
      await written;
      expect(await namesOf(backend, 'notes')).toEqual(names.map((name) => `aa/${name}`).sort());
    });

    test('B7 removing what is absent changes nothing', async () => {
      for (const [kind, name] of SHAPES) {
        await backend.remove(kind, name);
        await backend.write(kind, name, Buffer.from('bytes'));
        await backend.remove(kind, name);
        await backend.remove(kind, name);
        expect(await namesOf(backend, kind)).toEqual([]);
      }
      await backend.write('sessions', 'aa/1', Buffer.from('bytes'));
      await backend.remove('sessions', 'aa');
      expect(await namesOf(backend, 'sessions')).toEqual(['aa/1']);
    });

    test('B7 many objects are removed at once, absent and repeated ones too', async () => {
      const packs = Array.from({ length: 30 }, (_, i) => sha256(Buffer.from(`${i}`)));
      await Promise.all(packs.map((pack) => backend.write('packs', pack, Buffer.from(pack))));
      const kept = packs.slice(20).sort();
      await backend.removeMany('packs', [...packs.slice(0, 20), packs[0]!, sha256(Buffer.from('absent'))]);
      expect(await namesOf(backend, 'packs')).toEqual(kept);
      await backend.removeMany('packs', []);
      expect(await namesOf(backend, 'packs')).toEqual(kept);
    });

    test('B9 names that cbr does not make are refused', async () => {
      await backend.write('config', '1', Buffer.from('config'));
      for (const name of [...FORGED_NAMES, ...MORE_FORGED_NAMES]) {
        for (const call of [
          () => backend.write('index', name, Buffer.from('bytes')),
          () => backend.remove('index', name),
          () => backend.removeMany('index', ['a', name]),
        ]) {
          expect(await rejection(call()), JSON.stringify(name)).toBeInstanceOf(BackendError);
        }
      }
      expect(await namesOf(backend, 'config')).toEqual(['1']);
    });

    test('B10 a call that is aborted already does nothing', async () => {
      const reason = new Error('the user said so');
      const options: CallOptions = { signal: AbortSignal.abort(reason) };
      await backend.write('index', 'a', Buffer.from('bytes'));
      const staged = await stagedFile(join(scratch, 'staged'), Buffer.from('staged'));
      for (const call of [
        () => backend.write('index', 'b', Buffer.from('bytes'), options),
        () => backend.write('index', 'c', staged, options),
        () => backend.remove('index', 'a', options),
        () => backend.removeMany('index', ['a'], options),
      ]) {
        expect(await rejection(call())).toBe(reason);
      }
      expect(await namesOf(backend, 'index')).toEqual(['a']);
      expect(await exists(staged.path)).toBe(true);
    });

    test('B10 a write aborted at any moment leaves nothing or everything', async () => {
      const bytes = sampleBytes(2_000_000, 1);
      const reason = new Error('the user said so');
      for (let turns = 0; turns < 24; turns++) {
        const name = `${turns}`.padStart(2, '0');
        const aborting = new AbortController();
        const path = join(scratch, name);
        const data = turns % 2 === 0 ? bytes : await stagedFile(path, bytes);
        const outcome = backend.write('packs', name, data, { signal: aborting.signal }).then(
          () => 'written',
          (error) => error,
        );
        for (let i = 0; i < turns / 2; i++) await setImmediate();
        aborting.abort(reason);
        const found = await outcome;
        const stored = await backend.read('packs', name).catch((error) => error);
        if (stored instanceof Uint8Array) expect(bytes.equals(stored)).toBe(true);
        else {
          expect(found).toBe(reason);
          expect(stored).toBeInstanceOf(ObjectNotFoundError);
          if (turns % 2 === 1) expect(await exists(path)).toBe(true);
        }
      }
    });
  });
}
