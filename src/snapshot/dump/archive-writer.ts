import type { Entry } from '../entry.js';

/** One entry of an archive. */
export interface ArchiveEntry {
  /** Raw bytes, relative, without '/' at either end. */
  readonly path: string;
  /** With all attribute values at hand. */
  readonly entry: Entry;
  /** The path of an entry already written whose further name this is. */
  readonly hardLink?: string;
}

/** The content of a file: whole, or in pieces that make up its size exactly. */
export type FileContent = Uint8Array | AsyncIterable<Uint8Array>;

/** Writes archives of one kind. Everything goes to the sink in order; nothing is written again. */
export interface ArchiveWriter {
  /** Whether further names of a file can be written as such. */
  readonly hasHardLinks: boolean;
  /** Why such an archive cannot hold an entry; undefined when it can. */
  refusal(archived: ArchiveEntry): string | undefined;
  /** Adds an entry; files with a hard link, and all that are no files, have no content. */
  add(archived: ArchiveEntry, content?: FileContent): Promise<void>;
  /** The end of the archive. */
  finish(): Promise<void>;
}
