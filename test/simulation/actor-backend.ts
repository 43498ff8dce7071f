import { readFileSync, unlinkSync } from 'node:fs';
import type { Backend, ByteRange, ListedObject, ObjectKind, StagedFile } from '../../dist/backends/index.js';
import type { Actor } from './scheduler.js';
import type { SimulatedStore } from './simulated-store.js';

/** The store as one process sees it: every call, and every page of a listing, waits for its turn. */
export function actorBackend(
  actor: Actor,
  world: { readonly store: SimulatedStore; readonly pageSize: number },
  stagingFolder: string,
): Backend {
  const { store } = world;
  const remove = (kind: ObjectKind, name: string): Promise<void> =>
    actor.turn('remove', kind, name, () => store.remove(kind, name));
  return {
    location: 'simulated:',
    concurrency: 4,
    capabilities: { createOnly: true, writable: true, removable: true },
    stagingFolder,
    async *list(kind: ObjectKind): AsyncGenerator<ListedObject> {
      for (let after: string | undefined; ; ) {
        const from = after;
        const page = await actor.turn('list', kind, '', () => store.page(kind, from, world.pageSize));
        yield* page.objects;
        if (page.next === undefined) return;
        after = page.next;
      }
    },
    stat: (kind, name) =>
      actor.turn('stat', kind, name, () => ({ name, size: store.read(kind, name).byteLength })),
    read: (kind, name, range) =>
      actor.turn('read', kind, name, () => Buffer.from(part(store.read(kind, name), range))),
    write: (kind, name, data) =>
      actor.turn('write', kind, name, () => {
        if (data instanceof Uint8Array) return store.create(kind, name, Buffer.from(data));
        const bytes = readFileSync(data.path);
        checkSize(data, bytes);
        store.create(kind, name, bytes);
        unlinkSync(data.path);
      }),
    remove,
    removeMany: async (kind, names) => {
      for (const name of names) await remove(kind, name);
    },
    close: async () => undefined,
  };
}

function checkSize(staged: StagedFile, bytes: Uint8Array): void {
  if (bytes.byteLength !== staged.size)
    throw new RangeError(`a staged file of ${bytes.byteLength} bytes, not ${staged.size}`);
}

function part(bytes: Uint8Array, range: ByteRange | undefined): Uint8Array {
  if (range === undefined) return bytes;
  if ('suffix' in range) return bytes.subarray(Math.max(0, bytes.byteLength - range.suffix));
  const end = range.offset + range.length;
  if (end > bytes.byteLength) throw new RangeError(`bytes ${range.offset} to ${end} of ${bytes.byteLength}`);
  return bytes.subarray(range.offset, end);
}
