import {
  bytesOf,
  type ChunkId,
  type Decoded,
  decode,
  encode,
  FormatError,
  int,
  LIMITS,
  list,
  optional,
  rawText,
  record,
  type SessionId,
  seconds,
  size,
  text,
  toHex,
  toLatin1,
  word,
} from '../core/index.js';
import { extensions, type OutcomeRecord } from '../repo/index.js';
import type { ChunkReference } from './entry.js';

/** What a snapshot says of itself: the `about` of its commit record (docs/format.md, "Snapshot"). */

export type Level = 'full' | 'diff' | 'incr';

const statistics = record({
  files: size,
  folders: size,
  others: size,
  newFiles: size,
  changedFiles: size,
  unchangedFiles: size,
  /** Bytes: content of all files, content stored by this run, and what that took in the repository. */
  sourceBytes: size,
  newBytes: size,
  storedBytes: size,
  milliseconds: size,
});
export type SnapshotStatistics = Decoded<typeof statistics>;

const aboutSnapshot = record({
  seconds,
  nanoseconds: int(0, 999_999_999),
  /** Minutes east of UTC. */
  zoneOffset: int(-24 * 60, 24 * 60),
  host: text(1024),
  user: text(1024),
  /** Absolute source paths, raw bytes. */
  paths: list(rawText(LIMITS.name)),
  level: word('full', 'diff', 'incr'),
  job: optional(text(1024)),
  tags: list(text(1024)),
  comment: optional(text()),
  parent: optional(bytesOf(16)),
  program: text(256),
  statistics,
  /** Errors met: files that are missing or were taken while they changed. */
  errors: list(record({ path: rawText(LIMITS.name), reason: text() })),
  /** How many more there were than the list holds. */
  moreErrors: optional(size),
  extensions: optional(extensions),
});
export type AboutSnapshot = Decoded<typeof aboutSnapshot>;

export interface Snapshot {
  readonly id: SessionId;
  readonly root: ChunkReference;
  /** With what its notes changed. */
  readonly about: AboutSnapshot;
  /** Kept by every policy; `until`: seconds since 1970, without it for ever. Whether it has run out is for the reader to see. */
  readonly pin?: { readonly until?: number };
}

export function encodeAbout(about: AboutSnapshot): Buffer {
  return encode(aboutSnapshot, about);
}

/** Rejects with FormatError. */
export function decodeAbout(about: Uint8Array, object: string): AboutSnapshot {
  return decode(aboutSnapshot, about, object);
}

/** The snapshot that a commit record holds; rejects with FormatError when it is no commit or malformed. */
export function snapshotOf(id: SessionId, outcome: OutcomeRecord): Snapshot {
  const subject = `snapshots/${id}`;
  const { root, about } = outcome;
  if (outcome.outcome !== 'commit' || root === undefined || about === undefined) {
    throw new FormatError(`${subject}: not the record of a snapshot`);
  }
  return {
    id,
    root: { id: toLatin1(root.id) as ChunkId, length: root.length },
    about: decode(aboutSnapshot, about, subject),
  };
}

export function parentOf(about: AboutSnapshot): SessionId | undefined {
  return about.parent === undefined ? undefined : (toHex(about.parent) as SessionId);
}
