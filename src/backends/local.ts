import type { Stats } from 'node:fs';
import { constants, statSync } from 'node:fs';
import { copyFile, mkdir, open, readdir, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  BackendError,
  DamagedError,
  errnoOf,
  ObjectExistsError,
  ObjectNotFoundError,
} from '../core/index.js';
import type {
  Backend,
  ByteRange,
  CallOptions,
  Capabilities,
  ListedObject,
  ObjectKind,
  Room,
  StagedFile,
} from './backend.js';
import { isObjectName, objectPath } from './backend.js';
import { localFailure } from './local-errors.js';
import { FOLDER_MODE, ifErrno, Publisher, requirePresent, syncFolder } from './local-publish.js';
import { localRoom } from './local-room.js';
import { checkedObjectPath } from './object-name.js';
import { resolveRange } from './object-range.js';
import { forEachParallel } from './parallel.js';
import { newStagingPath } from './staging.js';

/** Objects are never changed: not even their owner gets leave to. */
const OBJECT_MODE = 0o400;

/** More calls at a time than Node has threads for file calls (4) only wait; a few more keep a network disk busy. */
const CONCURRENCY = 8;

/** Synchronous calls are several times cheaper than asynchronous ones, but nothing else runs meanwhile. */
const SLICE_MS = 10;

/** One read call takes at most 2^31-1 bytes. */
const READ_BYTES = 2 ** 30;

/**
 * Objects as files below a folder: `<root>/<objectPath>`; what is being written is in `<root>/tmp`, named by
 * `newStagingPath`. Use `openLocalBackend` or `createLocalBackend`.
 */
export class LocalBackend implements Backend {
  readonly concurrency = CONCURRENCY;
  readonly capabilities: Capabilities;
  readonly folder: string;
  readonly stagingFolder: string;
  readonly room: Room;
  private readonly publisher: Publisher;

  constructor(
    readonly location: string,
    writable: boolean,
  ) {
    this.capabilities = Object.freeze({ createOnly: true, writable, removable: writable });
    this.folder = resolve(location);
    this.stagingFolder = join(location, 'tmp');
    this.publisher = new Publisher(location);
    this.room = localRoom(location);
  }

  async *list(kind: ObjectKind, options: CallOptions = {}): AsyncGenerator<ListedObject> {
    const slice = new Slice(options.signal);
    // Two levels: `<kind>/<name>`, and `<kind>/<part>/<part>` or `packs/<2 hex>/<name>`.
    for (const part of await this.namesIn(kind, kind, options)) {
      if (slice.isOver) await slice.next();
      const found = this.statIn(kind, part);
      if (found?.isFile() && kind !== 'packs') yield { name: part, size: found.size, written: found.mtimeMs };
      if (!found?.isDirectory()) continue;
      const folder = `${kind}/${part}`;
      for (const inner of await this.namesIn(kind, folder, options)) {
        if (slice.isOver) await slice.next();
        const name = kind === 'packs' ? inner : `${part}/${inner}`;
        if (!isObjectName(name) || objectPath(kind, name) !== `${folder}/${inner}`) continue;
        const object = this.statIn(folder, inner);
        if (object?.isFile()) yield { name, size: object.size, written: object.mtimeMs };
      }
    }
  }

  /** The names in a folder that may be (parts of) names of objects, sorted; none if the folder does not exist. */
  private async namesIn(kind: ObjectKind, folder: string, options: CallOptions): Promise<string[]> {
    return this.attempt(`cannot list ${kind} of ${this.location}`, options, async () => {
      const names = await readdir(join(this.location, folder)).catch(ifErrno('ENOENT'));
      if (names === undefined) await requirePresent(this.location);
      return (names ?? []).filter((name) => isObjectName(name)).sort();
    });
  }

  /** Undefined for what was removed since its folder was read. */
  private statIn(folder: string, name: string): Stats | undefined {
    try {
      return statSync(`${this.location}/${folder}/${name}`, { throwIfNoEntry: false });
    } catch (error) {
      throw localFailure(`cannot list ${folder} of ${this.location}`, error);
    }
  }

  async stat(kind: ObjectKind, name: string, options: CallOptions = {}): Promise<ListedObject> {
    const object = checkedObjectPath(kind, name);
    return this.attempt(`cannot look at ${object}`, options, async () => {
      const found = await stat(join(this.location, object)).catch(ifErrno('ENOENT', 'ENOTDIR'));
      if (!found?.isFile()) return this.absent(object);
      return { name, size: found.size };
    });
  }

  async read(
    kind: ObjectKind,
    name: string,
    range?: ByteRange,
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    const object = checkedObjectPath(kind, name);
    return this.attempt(`cannot read ${object}`, options, async () => {
      const file = await open(join(this.location, object), 'r').catch(ifErrno('ENOENT', 'ENOTDIR'));
      if (file === undefined) return this.absent(object);
      try {
        const found = await file.stat();
        if (!found.isFile()) return await this.absent(object);
        const { offset, length } = resolveRange(object, found.size, range);
        const bytes = Buffer.allocUnsafeSlow(length);
        for (let done = 0; done < length; ) {
          options.signal?.throwIfAborted();
          const count = Math.min(length - done, READ_BYTES);
          const { bytesRead } = await file.read(bytes, done, count, offset + done);
          if (bytesRead === 0) throw new DamagedError(object, 'it became shorter while it was read');
          done += bytesRead;
        }
        return bytes;
      } finally {
        await file.close();
      }
    });
  }

  private async absent(object: string): Promise<never> {
    await requirePresent(this.location);
    throw new ObjectNotFoundError(object);
  }

  async write(
    kind: ObjectKind,
    name: string,
    data: Uint8Array | StagedFile,
    options: CallOptions = {},
  ): Promise<void> {
    const object = checkedObjectPath(kind, name);
    await this.attempt(`cannot write ${object}`, options, async () => {
      try {
        if (data instanceof Uint8Array) {
          await this.publishOwn(object, options, (path) => this.fill(path, data, options.signal));
        } else {
          await this.adopt(object, data, options);
        }
      } catch (error) {
        if (errnoOf(error) === 'EEXIST') throw new ObjectExistsError(object);
        throw error;
      }
    });
  }

  /** Stages by `fill`, which makes the bytes durable, and publishes; what is left after a failure is removed. */
  private async publishOwn(
    object: string,
    options: CallOptions,
    fill: (path: string) => Promise<void>,
  ): Promise<void> {
    const path = newStagingPath(this.stagingFolder);
    try {
      await fill(path).catch(async (error) => {
        if (errnoOf(error) !== 'ENOENT') throw error;
        await this.makeStagingFolder();
        await fill(path);
      });
      options.signal?.throwIfAborted();
      await this.publisher.publish(path, object);
    } catch (error) {
      // The first error counts; a file that cannot even be removed is left to removeStaleTemporaries.
      await rm(path, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  private async makeStagingFolder(): Promise<void> {
    await requirePresent(this.location);
    await mkdir(this.stagingFolder, { mode: FOLDER_MODE }).catch(ifErrno('EEXIST'));
  }

  private async fill(path: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const file = await open(path, 'wx', OBJECT_MODE);
    try {
      await file.writeFile(bytes, signal === undefined ? {} : { signal });
      await file.sync();
    } finally {
      await file.close();
    }
  }

  private async adopt(object: string, staged: StagedFile, options: CallOptions): Promise<void> {
    await syncStaged(staged);
    options.signal?.throwIfAborted();
    try {
      await this.publisher.publish(staged.path, object);
    } catch (error) {
      if (errnoOf(error) !== 'EXDEV') throw error;
      await this.publishOwn(object, options, async (path) => {
        await copyFile(staged.path, path, constants.COPYFILE_EXCL);
        await syncStaged({ path, size: staged.size });
      });
      await unlink(staged.path).catch(ifErrno('ENOENT'));
    }
  }

  async remove(kind: ObjectKind, name: string, options: CallOptions = {}): Promise<void> {
    const object = checkedObjectPath(kind, name);
    await this.attempt(`cannot remove ${object}`, options, () => this.unlinkObject(kind, object));
  }

  /** As `remove`, and durable when it resolves: what is removed next, in the order of deletion, cannot overtake it. */
  async removeMany(kind: ObjectKind, names: readonly string[], options: CallOptions = {}): Promise<void> {
    const objects = names.map((name) => checkedObjectPath(kind, name));
    await this.attempt(`cannot remove ${kind} of ${this.location}`, options, async () => {
      await forEachParallel(objects, CONCURRENCY, async (object) => {
        options.signal?.throwIfAborted();
        await this.unlinkObject(kind, object);
      });
      const folders = new Set([kind, ...objects.map((object) => dirname(object))]);
      for (const folder of folders) {
        await syncFolder(join(this.location, folder)).catch(ifErrno('ENOENT', 'ENOTDIR'));
      }
    });
  }

  private async unlinkObject(kind: ObjectKind, object: string): Promise<void> {
    const path = join(this.location, object);
    try {
      await unlink(path);
    } catch (error) {
      // EISDIR: the first part of a two-part name, which is no object.
      ifErrno('ENOENT', 'ENOTDIR', 'EISDIR')(error);
      await requirePresent(this.location);
    }
    const isTwoPartName = kind !== 'packs' && object.split('/').length > 2;
    if (isTwoPartName) await rmdir(dirname(path)).catch(ifErrno('ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'));
  }

  async close(): Promise<void> {}

  /** Runs one call: not at all when it is aborted already, and with errors as the contract wants them. */
  private async attempt<T>(what: string, options: CallOptions, run: () => Promise<T>): Promise<T> {
    options.signal?.throwIfAborted();
    try {
      return await run();
    } catch (error) {
      if ((error as Error | null)?.name === 'AbortError') options.signal?.throwIfAborted();
      throw localFailure(what, error);
    }
  }
}

/** Lets other work run between stretches of synchronous calls. */
class Slice {
  private start = performance.now();

  constructor(private readonly signal: AbortSignal | undefined) {}

  get isOver(): boolean {
    return performance.now() - this.start > SLICE_MS;
  }

  async next(): Promise<void> {
    await setImmediate();
    this.signal?.throwIfAborted();
    this.start = performance.now();
  }
}

/** Makes a staged file's bytes durable and takes away the leave to change them. */
async function syncStaged(staged: StagedFile): Promise<void> {
  const file = await open(staged.path, 'r');
  try {
    const { size } = await file.stat();
    if (size !== staged.size) {
      throw new BackendError(
        `the staged file ${staged.path} has ${size} bytes, ${staged.size} were expected`,
        false,
      );
    }
    // A guard against accidents only: file systems without modes, or an owner who differs, must not stop a backup.
    await file.chmod(OBJECT_MODE).catch(ifErrno('EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL'));
    await file.sync();
  } finally {
    await file.close();
  }
}
