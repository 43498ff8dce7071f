import { chunkIdHex } from '../../dist/core/index.js';
import { chunkReader, loadRepository, type Repository } from '../../dist/repo/index.js';
import type { ReadTreeChunk } from '../../dist/snapshot/content-list.js';
import type { Snapshot } from '../../dist/snapshot/index.js';
import { findEntry } from '../../dist/snapshot/tree.js';

/** Looks at trees and objects as they are stored. */

export async function treeReader(repository: Repository): Promise<ReadTreeChunk> {
  const reader = chunkReader(repository, await loadRepository(repository));
  return (reference) => reader.read('tree', reference.id, reference.length);
}

/** The id of the tree of a folder, hexadecimal. The root's own id also tells of the folders above the sources. */
export async function treeIdOf(repository: Repository, snapshot: Snapshot, path: string): Promise<string> {
  const read = await treeReader(repository);
  let at = snapshot.root;
  for (const name of path.split('/').filter(Boolean)) {
    const entry = await findEntry(at, name, read);
    if (entry?.tree === undefined) throw new Error(`no folder ${name} on the way to ${path}`);
    at = entry.tree;
  }
  return chunkIdHex(at.id);
}

export async function namesOf(
  { backend }: Repository,
  kind: 'packs' | 'index' | 'snapshots' | 'sessions',
): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of backend.list(kind)) names.push(name);
  return names.sort();
}
