import { createHash } from 'node:crypto';
import { hasUnfinished, type Replaced, type TemporaryFile, unfinishedName } from '../../fs/index.js';
import type { Entry } from '../entry.js';
import type { EncodedEntry } from '../tree.js';
import type { TargetNode } from './target-tree.js';

/** An entry that is not a folder, with the folder that waits for it. */
export interface PlacedEntry {
  /** The folder that it belongs into. */
  readonly node: TargetNode;
  readonly entry: Entry;
  readonly encoded: EncodedEntry;
  /** Raw path, relative to where the restore began. */
  readonly path: string;
}

/** An interrupted restore leaves files from this size on, so that the next one goes on with them. */
const UNFINISHED_BYTES = 64 * 2 ** 10;

/**
 * A file from the moment it is planned until it has its name or is given up. The content of a huge one comes in parts, one
 * in each window, and it stays open between them. Holds what is needed of the entry, not the entry: there may be many.
 */
export class FileUnderway {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly flags: number;
  readonly linkGroup: string | undefined;
  /** The name that it has while it is unfinished, and keeps when the restore is interrupted; small ones have none. */
  readonly unfinishedName: string | undefined;
  /** An interrupted restore has left it. */
  readonly isContinued: boolean;
  /** Bytes of its content that were written, for the progress of a large one. */
  written = 0;
  /** Open while its content comes from several reads. */
  temporary: TemporaryFile | undefined = undefined;
  /** Parts that are planned and have not ended. Nobody else writes to the file once it is 0. */
  parts = 0;
  /** There is more than one part. */
  isParted = false;
  /** All parts are planned. */
  isPlanned = false;
  /** Why it is given up, once it is. */
  lost: string | undefined = undefined;

  constructor(
    /** The folder that it belongs into. */
    readonly node: TargetNode,
    entry: Entry,
    /** The encoded entry, with all attribute values inline that are known. */
    readonly encoded: Uint8Array,
    /** Raw path, relative to where the restore began. */
    readonly path: string,
    /** What gives way to it. */
    readonly replaces?: Replaced | undefined,
  ) {
    this.name = entry.name;
    this.size = entry.size ?? 0;
    this.mode = entry.mode;
    this.flags = entry.flags ?? 0;
    this.linkGroup = entry.linkGroup;
    if (this.size >= UNFINISHED_BYTES) {
      const version = createHash('sha256')
        .update(Buffer.from(this.name, 'latin1'))
        .update('/')
        .update(encoded);
      this.unfinishedName = unfinishedName(version.digest());
    }
    this.isContinued =
      this.unfinishedName !== undefined &&
      !node.folder.created &&
      hasUnfinished(node.folder, this.unfinishedName);
  }

  /** A file of that name exists, or an unfinished one, and what is right of its content need not be fetched. */
  get isFed(): boolean {
    if (this.isContinued) return true;
    return this.replaces?.seen.type === 'file' && this.replaces.seen.size > 0 && this.size > 0;
  }
}
