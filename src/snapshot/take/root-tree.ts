import { realpathSync } from 'node:fs';
import { toLatin1 } from '../../core/index.js';
import {
  baseName,
  joinRaw,
  parentPath,
  type RawPath,
  StatTable,
  statPath,
  toNodePath,
} from '../../fs/index.js';
import type { ChunkReference, Entry } from '../entry.js';
import { type EncodedEntry, encodeEntry, storeTree } from '../tree.js';
import { folderEntry, type SourceEntryContext } from './source-entry.js';

/** A folder as it was when it was looked at, under the path that leads to it without symlinks. */
export interface SeenFolder {
  readonly real: RawPath;
  /** Its row alone. */
  readonly stats: StatTable;
}

/** A source with what it became: the tree of a folder, or the entry of anything else. */
export type TakenSource = { readonly path: RawPath; readonly above: readonly SeenFolder[] } & (
  | { readonly tree: ChunkReference; readonly folder: SeenFolder }
  | { readonly entry: Entry }
);

/** The folders above the sources; a node without children is a source. */
interface Node {
  readonly children: Map<string, Node>;
  folder?: SeenFolder;
  source?: TakenSource;
}

/**
 * The folders on the way to a source, from the outermost on. A symlink among them counts as the folder it leads to:
 * otherwise nothing could lie below it in a tree. Throws FileError when the source is gone.
 */
export function foldersAbove(source: RawPath): SeenFolder[] {
  const found: SeenFolder[] = [];
  for (let path = source; path !== '/'; ) {
    path = parentPath(path);
    if (path === '/') break;
    const real = realPath(path);
    const stats = new StatTable(1);
    statPath(real, stats);
    found.unshift({ real, stats });
  }
  return found;
}

function realPath(path: RawPath): RawPath {
  try {
    return toLatin1(realpathSync.native(toNodePath(path), 'buffer')) as RawPath;
  } catch {
    return path; // longer than the kernel takes, or gone: statting it will tell
  }
}

/**
 * Puts the sources under their full paths into one tree: a snapshot of `/home/ann` holds `home`, which holds `ann`. The
 * folders above get their own metadata but only the way to the sources.
 */
export function storeRootTree(sources: readonly TakenSource[], its: SourceEntryContext): ChunkReference {
  const root: Node = { children: new Map() };
  for (const source of sources) {
    let node = root;
    for (const [depth, name] of (source.path === '/' ? [] : source.path.split('/').slice(1)).entries()) {
      let next = node.children.get(name);
      if (next === undefined) {
        next = { children: new Map() };
        node.children.set(name, next);
      }
      node = next;
      const above = source.above[depth];
      if (above !== undefined) node.folder ??= above;
    }
    node.source = source;
  }
  if (root.source !== undefined && 'tree' in root.source) return root.source.tree;
  return storeNode(root, '/' as RawPath, its);
}

function storeNode(node: Node, path: RawPath, its: SourceEntryContext): ChunkReference {
  const names = [...node.children.keys()].sort();
  const entries = names.map((name) => entryOf(node.children.get(name)!, joinRaw(path, name), its));
  return storeTree(entries, its.storeTreeChunk);
}

function entryOf(node: Node, path: RawPath, its: SourceEntryContext): EncodedEntry {
  const { source } = node;
  if (source !== undefined && 'entry' in source) return encodeEntry(source.entry);
  const tree = source === undefined ? storeNode(node, path, its) : source.tree;
  const { real, stats } = source === undefined ? node.folder! : source.folder;
  return encodeEntry(folderEntry(baseName(path), stats, 0, real, tree, its));
}
