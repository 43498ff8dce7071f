import {
  forEachParallel,
  type ListedObject,
  OBJECT_KINDS,
  type ObjectKind,
  type ObjectReader,
  objectPath,
} from '../../backends/index.js';
import { BackendError, CbrError, DamagedError, ObjectNotFoundError } from '../../core/index.js';
import { isOwnName } from './own-names.js';
import { proveObject, twiceIfDamaged } from './prove-object.js';

/** How far a work on whole objects is. */
export interface ObjectProgress {
  readonly objects: number;
  readonly totalObjects: number;
  readonly bytes: number;
  readonly totalBytes: number;
  /** The path of the object that was dealt with last. */
  readonly current: string;
}

export interface ScrubOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ObjectProgress) => void;
}

export interface DamagedObject {
  readonly kind: ObjectKind;
  /** Its path: `packs/3f/3f0a...`. */
  readonly object: string;
  readonly reason: string;
}

export interface ScrubReport {
  /** Objects that were read, the damaged ones among them. */
  readonly objects: number;
  readonly bytes: number;
  /** Those that were removed since they were listed, by a prune or a session that ended. */
  readonly gone: number;
  readonly damaged: readonly DamagedObject[];
  /** Paths under names that cbr does not give. */
  readonly strangers: readonly string[];
}

/**
 * Reads every object and compares it with its own digest; needs no key and tells nothing of what belongs together (check
 * does). Snapshots and prunes may run meanwhile. Rejects with `no-repository`, and when the backend fails.
 */
export async function scrub(backend: ObjectReader, options: ScrubOptions): Promise<ScrubReport> {
  const { signal, onProgress } = options;
  const listed: (ListedObject & { readonly kind: ObjectKind })[] = [];
  const strangers: string[] = [];
  for (const kind of OBJECT_KINDS) {
    for await (const object of backend.list(kind, { signal })) {
      if (!isOwnName(kind, object.name)) strangers.push(objectPath(kind, object.name));
      // What a probe leaves for a moment is no record.
      else if (kind !== 'parity' || object.name.startsWith('mirror-')) listed.push({ kind, ...object });
    }
    if (kind === 'config' && listed.length === 0) throw noRepository(backend);
  }
  const damaged: DamagedObject[] = [];
  const totalBytes = listed.reduce((sum, { size }) => sum + size, 0);
  let [objects, bytes] = [0, 0];
  const gone = new Map<ObjectKind, Set<string>>();
  let unreadable: BackendError | undefined;
  await forEachParallel(listed, backend.concurrency, async ({ kind, name, size }) => {
    signal.throwIfAborted();
    const object = objectPath(kind, name);
    try {
      await twiceIfDamaged(() => proveObject(backend, kind, { name, size }, { signal }));
    } catch (error) {
      if (error instanceof ObjectNotFoundError) gone.set(kind, (gone.get(kind) ?? new Set()).add(name));
      else if (error instanceof DamagedError) {
        damaged.push({ kind, object, reason: error.message.replace(`${object}: `, '') });
      } else if (error instanceof BackendError && !error.retryable) {
        // A sector that fails, an object that is locked away: what else there is has to be looked at all the same.
        unreadable ??= error;
        damaged.push({ kind, object, reason: `cannot be read: ${error.message}` });
      } else throw error;
    }
    objects++;
    bytes += size;
    onProgress?.({ objects, totalObjects: listed.length, bytes, totalBytes, current: object });
  });
  // Of a disk that is gone, or a key that may read nothing, there is no more to say.
  if (unreadable !== undefined && damaged.length === listed.length) throw unreadable;
  // Whoever removes something takes it out of the lists: what stays there and cannot be read was lost by the store.
  for (const [kind, names] of gone) {
    for await (const { name } of backend.list(kind, { signal })) {
      if (!names.delete(name)) continue;
      damaged.push({ kind, object: objectPath(kind, name), reason: 'is listed, and cannot be read' });
    }
  }
  const removed = [...gone.values()].reduce((sum, names) => sum + names.size, 0);
  damaged.sort((a, b) => (a.object < b.object ? -1 : 1));
  return { objects: objects - removed, bytes, gone: removed, damaged, strangers: strangers.sort() };
}

function noRepository({ location }: ObjectReader): CbrError {
  return new CbrError('no-repository', `there is no repository at ${location}`, {
    hint: 'Check the location, or make one with: cbr init',
  });
}
