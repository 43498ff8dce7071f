import { CbrError } from '../../core/index.js';
import { displayPath, type RawPath, rawPath } from '../../fs/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { ChunkReference, Entry } from '../entry.js';
import type { Snapshot } from '../snapshot-record.js';
import { findEntry } from '../tree.js';

/** Where a restore begins: the whole snapshot, a folder of it, or a single entry. */
export type RestoreStart =
  | { readonly kind: 'tree'; readonly tree: ChunkReference; readonly entry: Entry | undefined }
  | { readonly kind: 'single'; readonly entry: Entry };

/** Finds a path in a snapshot. Rejects (not-found) with the deepest folder that is there. */
export async function findStart(
  snapshot: Snapshot,
  path: string | undefined,
  read: ReadTreeChunk,
): Promise<RestoreStart> {
  let tree = snapshot.root;
  let entry: Entry | undefined;
  const names =
    path === undefined
      ? []
      : rawPath(path.startsWith('/') ? path : `/${path}`)
          .split('/')
          .filter(Boolean);
  for (const [depth, name] of names.entries()) {
    const found = await findEntry(tree, name, read);
    const isLast = depth === names.length - 1;
    if (found === undefined || (found.tree === undefined && !isLast)) {
      const deepest = displayPath(`/${names.slice(0, depth).join('/')}` as RawPath);
      throw new CbrError(
        'not-found',
        `snapshot ${snapshot.id.slice(0, 8)} holds no ${displayPath(`/${names.join('/')}`)}`,
        {
          hint: `The deepest part that exists is ${deepest}. See: cbr ls ${snapshot.id.slice(0, 8)}:${deepest}`,
        },
      );
    }
    entry = found;
    if (found.tree !== undefined) tree = found.tree;
    else return { kind: 'single', entry: found };
  }
  return { kind: 'tree', tree, entry };
}
