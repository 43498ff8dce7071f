import { CbrError, messageOf } from '../../core/index.js';
import { compileFilter, compileInclude, type PathFilter, type PathSelection } from '../../fs/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { ChunkReference, Entry } from '../entry.js';
import { decodeEntry, type EncodedEntry, treePages } from '../tree.js';

/** What a restore meets on its way through the chosen part of a snapshot, in directory order. */
export type Step =
  | { readonly kind: 'enter'; readonly entry: Entry; readonly path: string }
  | { readonly kind: 'leave' }
  | { readonly kind: 'entry'; readonly entry: Entry; readonly encoded: EncodedEntry; readonly path: string }
  /** A folder whose tree cannot be read: what was in it is lost. */
  | { readonly kind: 'lost'; readonly path: string; readonly reason: string };

export interface Selection {
  readonly include: PathSelection | undefined;
  readonly exclude: PathFilter | undefined;
}

export function compileSelection(include: readonly string[], exclude: readonly string[]): Selection {
  return { include: compileInclude(include), exclude: compileFilter(exclude) };
}

/**
 * Walks a tree. Folders that are only on the way to something chosen are entered when that is met, and left again; paths
 * are raw and relative to where the walk began.
 */
export async function* walkSelected(
  tree: ChunkReference,
  read: ReadTreeChunk,
  selection: Selection,
  path = '',
  chosen = selection.include === undefined,
): AsyncGenerator<Step> {
  const pages = treePages(tree, read);
  for (;;) {
    let page: readonly EncodedEntry[];
    try {
      const next = await pages.next();
      if (next.done === true) return;
      page = next.value;
    } catch (error) {
      if (!(error instanceof CbrError) || error.code === 'interrupted') throw error;
      yield { kind: 'lost', path, reason: messageOf(error) };
      return;
    }
    for (const encoded of page) yield* walkEntry(encoded, read, selection, path, chosen);
  }
}

async function* walkEntry(
  encoded: EncodedEntry,
  read: ReadTreeChunk,
  selection: Selection,
  folder: string,
  chosenAbove: boolean,
): AsyncGenerator<Step> {
  const path = folder === '' ? encoded.name : `${folder}/${encoded.name}`;
  let entry: Entry;
  try {
    entry = decodeEntry(encoded);
  } catch (error) {
    yield { kind: 'lost', path, reason: messageOf(error) };
    return;
  }
  const isFolder = entry.type === 'directory';
  if (selection.exclude?.excludes(path, isFolder) === true) return;
  const chosen = chosenAbove || selection.include?.includes(path, isFolder) === true;
  if (entry.tree === undefined) {
    if (chosen) yield { kind: 'entry', entry, encoded, path };
    return;
  }
  const steps = walkSelected(entry.tree, read, selection, path, chosen);
  let entered = chosen;
  if (chosen) yield { kind: 'enter', entry, path };
  for await (const step of steps) {
    if (!entered) {
      entered = true;
      yield { kind: 'enter', entry, path };
    }
    yield step;
  }
  if (entered) yield { kind: 'leave' };
}
