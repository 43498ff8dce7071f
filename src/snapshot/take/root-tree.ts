import { baseName, joinRaw, type RawPath } from '../../fs/index.js';
import type { ChunkReference, Entry } from '../entry.js';
import { type EncodedEntry, encodeEntry, storeTree } from '../tree.js';
import { folderEntry, type SourceEntryContext } from './source-entry.js';
import type { SeenFolder } from './ways.js';

/** A folder above a source that is no folder of this machine. */
export interface MadeFolder {
  readonly made: Pick<Entry, 'mode' | 'uid' | 'gid' | 'user' | 'group' | 'mtime'>;
}

type FolderAbove = SeenFolder | MadeFolder;

/** A source with what it became: the tree of a folder, or some entries of one. */
export type TakenSource = {
  readonly path: RawPath;
  /** The folders that the path leads through, from the outermost on. */
  readonly above: readonly FolderAbove[];
} & (
  | { readonly tree: ChunkReference; readonly folder: SeenFolder }
  | {
      readonly entries: readonly EncodedEntry[];
      /** Called with the tree that they became a part of. */
      readonly stored: (tree: ChunkReference) => void;
    }
);

/** A folder above the sources, or a source. */
interface Node {
  readonly children: Map<string, Node>;
  readonly entries: EncodedEntry[];
  readonly stored: ((tree: ChunkReference) => void)[];
  folder?: FolderAbove;
  tree?: ChunkReference;
}

const newNode = (): Node => ({ children: new Map(), entries: [], stored: [] });

/**
 * Puts the sources under their full paths into one tree: a snapshot of `/home/ann` holds `home`, which holds `ann`. The
 * folders above get their own metadata but only the way to the sources.
 */
export function storeRootTree(sources: readonly TakenSource[], its: SourceEntryContext): ChunkReference {
  const root = newNode();
  for (const source of sources) {
    let node = root;
    for (const [depth, name] of (source.path === '/' ? [] : source.path.split('/').slice(1)).entries()) {
      let next = node.children.get(name);
      if (next === undefined) {
        next = newNode();
        node.children.set(name, next);
      }
      node = next;
      const above = source.above[depth];
      if (above !== undefined) node.folder ??= above;
    }
    if ('tree' in source) {
      node.tree = source.tree;
      node.folder = source.folder;
    } else {
      for (const entry of source.entries) node.entries.push(entry);
      node.stored.push(source.stored);
    }
  }
  return storeNode(root, '/' as RawPath, its);
}

function storeNode(node: Node, path: RawPath, its: SourceEntryContext): ChunkReference {
  if (node.tree !== undefined) return node.tree;
  const entries = new Map(node.entries.map((entry) => [entry.name, entry]));
  for (const [name, child] of node.children) {
    const below = joinRaw(path, name);
    const tree = storeNode(child, below, its);
    entries.set(name, folderEntryOf(child.folder!, baseName(below), tree, its));
  }
  const sorted = [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const tree = storeTree(sorted, its.storeTreeChunk);
  for (const stored of node.stored) stored(tree);
  return tree;
}

function folderEntryOf(
  folder: FolderAbove,
  name: string,
  tree: ChunkReference,
  its: SourceEntryContext,
): EncodedEntry {
  if ('made' in folder) return encodeEntry({ name, type: 'directory', ...folder.made, tree });
  return encodeEntry(folderEntry(name, folder.stats, 0, folder.real, tree, its));
}
