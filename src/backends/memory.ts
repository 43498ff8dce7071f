import { readFile, rm } from 'node:fs/promises';
import { BackendError, ObjectExistsError, ObjectNotFoundError } from '../core/index.js';
import type { Backend, ByteRange, CallOptions, ListedObject, ObjectKind, StagedFile } from './backend.js';
import { localFailure } from './local-errors.js';
import { checkedObjectPath } from './object-name.js';
import { resolveRange } from './object-range.js';

interface Stored {
  readonly bytes: Uint8Array;
  /** Counts the writes: there is no clock here. */
  readonly written: number;
}

/** Objects in memory, for tests and simulations: no timers, no randomness, lists in the order of writing. */
export class MemoryBackend implements Backend {
  readonly concurrency = 8;
  readonly capabilities = Object.freeze({ createOnly: true, writable: true, removable: true });
  private readonly kinds = new Map<ObjectKind, Map<string, Stored>>();

  private writes = 0;

  constructor(readonly location = 'memory:') {}

  private objects(kind: ObjectKind): Map<string, Stored> {
    const found = this.kinds.get(kind);
    if (found !== undefined) return found;
    const made = new Map<string, Stored>();
    this.kinds.set(kind, made);
    return made;
  }

  private found(kind: ObjectKind, name: string): Uint8Array {
    const object = checkedObjectPath(kind, name);
    const stored = this.objects(kind).get(name);
    if (stored === undefined) throw new ObjectNotFoundError(object);
    return stored.bytes;
  }

  async *list(kind: ObjectKind, options: CallOptions = {}): AsyncGenerator<ListedObject> {
    options.signal?.throwIfAborted();
    for (const [name, { bytes, written }] of [...this.objects(kind)]) {
      yield { name, size: bytes.byteLength, written };
    }
  }

  async stat(kind: ObjectKind, name: string, options: CallOptions = {}): Promise<ListedObject> {
    options.signal?.throwIfAborted();
    return { name, size: this.found(kind, name).byteLength };
  }

  async read(
    kind: ObjectKind,
    name: string,
    range?: ByteRange,
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    const bytes = this.found(kind, name);
    const { offset, length } = resolveRange(checkedObjectPath(kind, name), bytes.byteLength, range);
    return bytes.slice(offset, offset + length);
  }

  async write(
    kind: ObjectKind,
    name: string,
    data: Uint8Array | StagedFile,
    options: CallOptions = {},
  ): Promise<void> {
    options.signal?.throwIfAborted();
    const object = checkedObjectPath(kind, name);
    const bytes = data instanceof Uint8Array ? Uint8Array.from(data) : await readStaged(data);
    options.signal?.throwIfAborted();
    const objects = this.objects(kind);
    if (objects.has(name)) throw new ObjectExistsError(object);
    objects.set(name, { bytes, written: ++this.writes });
    if (!(data instanceof Uint8Array)) await rm(data.path, { force: true });
  }

  async remove(kind: ObjectKind, name: string, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    checkedObjectPath(kind, name);
    this.objects(kind).delete(name);
  }

  async removeMany(kind: ObjectKind, names: readonly string[], options: CallOptions = {}): Promise<void> {
    for (const name of names) checkedObjectPath(kind, name);
    for (const name of names) await this.remove(kind, name, options);
  }

  async close(): Promise<void> {}
}

async function readStaged({ path, size }: StagedFile): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((error) => {
    throw localFailure(`cannot read the staged file ${path}`, error);
  });
  if (bytes.byteLength === size) return bytes;
  throw new BackendError(
    `the staged file ${path} has ${bytes.byteLength} bytes, ${size} were expected`,
    false,
  );
}
