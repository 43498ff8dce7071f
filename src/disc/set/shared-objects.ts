import { type ListedObject, type ObjectKind, type ObjectReader, objectPath } from '../../backends/index.js';
import type { DiscFile } from './disc-file.js';

/** What every disc of a set holds: all that opens a repository, and the records of the snapshots that the set is of. */

export interface SharedObject extends DiscFile {
  readonly kind: ObjectKind;
  readonly name: string;
}

/** Lists them as they are now. `snapshots`: ids of those whose records go on the discs. */
export async function sharedObjects(
  backend: ObjectReader,
  snapshots: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<SharedObject[]> {
  const found: SharedObject[] = [];
  const take = async (kind: ObjectKind, isTaken: (object: ListedObject) => boolean): Promise<void> => {
    for await (const object of backend.list(kind, { signal })) {
      if (!isTaken(object)) continue;
      const { name, size } = object;
      found.push({ kind, name, size, to: objectPath(kind, name) });
    }
  };
  await take('config', () => true);
  await take('keys', () => true);
  await take('snapshots', ({ name }) => snapshots.has(name));
  await take('notes', ({ name }) => snapshots.has(name.split('/')[0]!));
  await take('policies', () => true);
  await take('catalog', () => true);
  return found.sort((a, b) => (a.to < b.to ? -1 : 1));
}
