import { baseName, joinRaw, type RawPath, StatTable, statPath } from '../../fs/index.js';
import type { ChunkReference, Entry } from '../entry.js';
import { type EncodedEntry, encodeEntry, storeTree } from '../tree.js';
import { folderEntry, type SourceEntryContext } from './source-entry.js';

/** A source with what it became: the tree of a folder, or the entry of anything else. */
export type TakenSource =
  | { readonly path: RawPath; readonly tree: ChunkReference }
  | { readonly path: RawPath; readonly entry: Entry };

/** The folders above the sources; a node without children is a source. */
interface Node {
  readonly children: Map<string, Node>;
  source?: TakenSource;
}

/**
 * Puts the sources under their full paths into one tree: a snapshot of `/home/ann` holds `home`, which holds `ann`. The
 * folders above get their own metadata but only the way to the sources.
 */
export function storeRootTree(sources: readonly TakenSource[], its: SourceEntryContext): ChunkReference {
  const root: Node = { children: new Map() };
  for (const source of sources) {
    let node = root;
    for (const name of source.path === '/' ? [] : source.path.split('/').slice(1)) {
      let next = node.children.get(name);
      if (next === undefined) {
        next = { children: new Map() };
        node.children.set(name, next);
      }
      node = next;
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
  const stats = new StatTable(1);
  const row = statPath(path, stats);
  return encodeEntry(folderEntry(baseName(path), stats, row, path, tree, its));
}
