import { CbrError, messageOf } from '../../core/index.js';
import {
  compileRules,
  type EntryFilter,
  type FilterRules,
  isEntryName,
  type RawPath,
} from '../../fs/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { ChunkReference, Entry } from '../entry.js';
import { excludedEntry } from '../excluded-entry.js';
import type { FoundPath } from '../find-path.js';
import { decodeEntry, type EncodedEntry, encodeEntry, treePages } from '../tree.js';

/** What a restore meets on its way through the chosen part of a snapshot, in directory order. */
export type Step =
  | { readonly kind: 'enter'; readonly entry: Entry; readonly path: string }
  | { readonly kind: 'leave' }
  | EntryStep
  /** All names that the snapshot has in the folder that the next `leave` leaves, or at the end in the first; if asked for.
   * `chosen`: all in it is chosen, but for what is excluded. */
  | { readonly kind: 'names'; readonly names: ReadonlySet<string>; readonly chosen: boolean }
  /** A folder whose tree cannot be read: what was in it is lost. */
  | { readonly kind: 'lost'; readonly path: string; readonly reason: string };

/** Something that is no folder. */
export interface EntryStep {
  readonly kind: 'entry';
  readonly entry: Entry;
  readonly encoded: EncodedEntry;
  readonly path: string;
}

/** What is left of a snapshot by rules; undefined: all of it. */
export type Selection = EntryFilter | undefined;

/** Patterns are relative to where the restore begins; regular expressions see the full path. */
export function compileSelection(rules: FilterRules, start: FoundPath): Selection {
  return compileRules(rules, start.path as RawPath);
}

/** A folder on the way, with what of it is still to be walked. */
interface OpenFolder {
  readonly path: string;
  /** Undefined where the walk began. */
  readonly entry: Entry | undefined;
  readonly pages: AsyncGenerator<readonly EncodedEntry[]>;
  page: readonly EncodedEntry[];
  next: number;
  /** Everything in it is chosen. */
  readonly chosen: boolean;
  /** `enter` was said. */
  entered: boolean;
  /** All names met so far, if they are asked for. */
  readonly names: Set<string> | undefined;
}

/** The steps of a restore from where it begins: a folder's contents, or one file. `withNames`: all names of each folder too. */
export async function* stepsOf(
  start: FoundPath,
  selection: Selection,
  read: ReadTreeChunk,
  withNames = false,
): AsyncGenerator<readonly Step[]> {
  if (start.tree !== undefined) yield* walkSelected(start.tree, read, selection, withNames);
  else {
    const { entry } = start;
    yield [{ kind: 'entry', entry, encoded: encodeEntry(entry), path: entry.name }];
  }
}

/** Steps that are handed on at once, at least. */
const BATCH_STEPS = 256;

/**
 * Walks a tree. Folders that are only on the way to something chosen are entered when that is met; paths are raw and
 * relative to where the walk began, and steps come in batches, for each await costs more than a step. On a stack of its own: trees may be nested deeper than calls may be.
 */
async function* walkSelected(
  tree: ChunkReference,
  read: ReadTreeChunk,
  selection: Selection,
  withNames: boolean,
): AsyncGenerator<readonly Step[]> {
  const open = (path: string, entry: Entry | undefined, at: ChunkReference, chosen: boolean): OpenFolder => ({
    path,
    entry,
    pages: treePages(at, read),
    page: [],
    next: 0,
    chosen,
    entered: entry === undefined,
    names: withNames ? new Set() : undefined,
  });
  const stack = [open('', undefined, tree, selection?.chooses('', true) ?? true)];
  let steps: Step[] = [];
  for (let folder = stack.at(-1); folder !== undefined; folder = stack.at(-1)) {
    if (folder.next < folder.page.length) {
      const below = nextStep(folder, stack, selection, steps);
      if (below !== undefined) {
        stack.push(open(below.path, below.entry, below.tree, below.chosen));
        if (below.chosen) enterAll(stack, steps);
      }
      continue;
    }
    if (steps.length >= BATCH_STEPS) {
      yield steps;
      steps = [];
    }
    const lost = await turnPage(folder);
    if (lost !== undefined) {
      enterAll(stack, steps);
      steps.push(lost);
    }
    if (folder.page.length > 0) continue;
    stack.pop();
    if (folder.entered && folder.names !== undefined) {
      steps.push({ kind: 'names', names: folder.names, chosen: folder.chosen });
    }
    if (folder.entered && folder.entry !== undefined) steps.push({ kind: 'leave' });
  }
  yield steps;
}

interface FolderBelow {
  readonly path: string;
  readonly entry: Entry;
  readonly tree: ChunkReference;
  readonly chosen: boolean;
}

/** Takes the next entry of a folder: adds a step for what is chosen, or returns a folder to be walked. */
function nextStep(
  folder: OpenFolder,
  stack: readonly OpenFolder[],
  selection: Selection,
  steps: Step[],
): FolderBelow | undefined {
  const encoded = folder.page[folder.next++]!;
  folder.names?.add(encoded.name);
  const path = folder.path === '' ? encoded.name : `${folder.path}/${encoded.name}`;
  const entry = decoded(encoded);
  if (entry instanceof Error) {
    enterAll(stack, steps);
    steps.push({ kind: 'lost', path, reason: entry.message });
    return undefined;
  }
  if (!isEntryName(entry.name)) {
    enterAll(stack, steps);
    steps.push({ kind: 'lost', path, reason: 'its name cannot be that of a file' });
    return undefined;
  }
  const isFolder = entry.tree !== undefined;
  if (selection !== undefined && excludedEntry(selection, path, entry) !== undefined) return undefined;
  const chosen = folder.chosen || selection?.chooses(path, isFolder) !== false;
  if (entry.tree !== undefined) {
    // Where nothing can be chosen nothing is read.
    if (!chosen && selection?.leadsToChosen(path) === false) return undefined;
    return { path, entry, tree: entry.tree, chosen };
  }
  if (chosen) {
    enterAll(stack, steps);
    steps.push({ kind: 'entry', entry, encoded, path });
  }
  return undefined;
}

/** Enters the folders that were passed so far without a word. */
function enterAll(stack: readonly OpenFolder[], steps: Step[]): void {
  if (stack.at(-1)?.entered === true) return;
  for (const folder of stack) {
    if (!folder.entered) steps.push({ kind: 'enter', entry: folder.entry!, path: folder.path });
    folder.entered = true;
  }
}

/** Gets the next page of a folder, an empty one at its end; says what is lost when it cannot be read. */
async function turnPage(folder: OpenFolder): Promise<Step | undefined> {
  folder.page = [];
  folder.next = 0;
  try {
    for (let next = await folder.pages.next(); next.done !== true; next = await folder.pages.next()) {
      folder.page = next.value;
      if (folder.page.length > 0) return undefined;
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof CbrError) || error.code === 'interrupted') throw error;
    return { kind: 'lost', path: folder.path, reason: messageOf(error) };
  }
}

function decoded(encoded: EncodedEntry): Entry | Error {
  try {
    return decodeEntry(encoded);
  } catch (error) {
    return error instanceof Error ? error : new Error(messageOf(error));
  }
}
