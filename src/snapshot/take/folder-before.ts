import { CbrError, messageOf } from '../../core/index.js';
import type { RawPath } from '../../fs/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import { type EncodedEntry, treePages } from '../tree.js';
import { listRows, stateList, stateTree } from './folder-state.js';
import type { Tally } from './tally.js';

/** What a folder was in the last snapshot. */
export interface FolderBefore {
  readonly rows: ReadonlyMap<string, Buffer>;
  /** Undefined when its tree cannot be read. */
  readonly entries: ReadonlyMap<string, EncodedEntry> | undefined;
}

export interface BeforeReader {
  readonly readTreeChunk: ReadTreeChunk;
  readonly tally: Tally;
}

/** What the folder at `path` was when this state was written; its rows alone when its tree cannot be read. */
export async function readBefore(
  path: RawPath,
  state: Buffer,
  { readTreeChunk, tally }: BeforeReader,
): Promise<FolderBefore> {
  const rows = listRows(stateList(state));
  const entries = new Map<string, EncodedEntry>();
  try {
    for await (const page of treePages(stateTree(state), readTreeChunk)) {
      for (const entry of page) entries.set(entry.name, entry);
    }
  } catch (error) {
    if (!(error instanceof CbrError) || error.code === 'backend') throw error;
    tally.note(
      path,
      'is read in full, and nothing of it is missing from this snapshot. What an earlier one says of it cannot be read ' +
        `(${messageOf(error)}): cbr check tells whether that one is damaged`,
    );
    return { rows, entries: undefined };
  }
  return { rows, entries };
}
