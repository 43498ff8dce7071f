import {
  bytes,
  bytesOf,
  checked,
  type Decoded,
  encoded,
  flag,
  int,
  LIMITS,
  list,
  optional,
  rawText,
  record,
  seconds,
  size,
  text,
  u32,
  word,
} from '../core/index.js';

/** The records of a repository and their fields in the order in which they are written (docs/format.md, "Records"). */

const ids = (idBytes: number) => list(bytesOf(idBytes));

/**
 * What later versions may add to a record without becoming unreadable for earlier ones, by name. Who does not know a name
 * leaves it alone.
 */
export const extensions = list(record({ name: text(64), value: bytes(65_536) }), 1000);

export const configRecord = record({
  repository: bytesOf(16),
  created: seconds,
  encrypted: flag,
  /** Bytes. Cut points of equal content are the same only with equal numbers. */
  chunkMin: u32,
  chunkTarget: u32,
  chunkMax: u32,
  blockBytes: u32,
  packBytes: u32,
  compression: int(0, 22),
  pad: flag,
  extensions: optional(extensions),
});
export type ConfigRecord = Decoded<typeof configRecord>;

/** The config with what vouches for it. */
export const sealedConfig = record({ config: bytes(65_536), mac: bytesOf(32) });

export const keyRecord = record({
  label: text(1024),
  created: seconds,
  kdf: word('argon2id'),
  salt: bytesOf(32),
  memoryKiB: int(32 * 1024, 1024 * 1024),
  passes: int(1, 16),
  lanes: int(1, 16),
  /** Tells a wrong password from a damaged key. */
  commitment: bytesOf(32),
  /** The master key with its tag. */
  wrapped: bytesOf(48),
  extensions: optional(extensions),
});
export type KeyRecord = Decoded<typeof keyRecord>;

export const treeReference = record({ id: bytesOf(32), length: int(1, LIMITS.chunk) });

/** What ends a session: a commit makes a snapshot, a fence does not. */
export const outcomeRecord = record({
  outcome: word('commit', 'fence'),
  /** A commit's root tree. */
  root: optional(treeReference),
  /** Names of index segments that this session wrote (commit) or that count (fence). */
  segments: ids(32),
  /** Snapshots this session saw that no other one it saw names. */
  seen: ids(16),
  /** A commit: the snapshot's own record. */
  about: optional(encoded),
  extensions: optional(extensions),
});
export type OutcomeRecord = Decoded<typeof outcomeRecord>;

export const sessionRecord = record({
  host: text(1024),
  /** Tells machines of one name apart. */
  machine: optional(text(64)),
  pid: u32,
  /** Identity of the process, to tell it from a later one of the same number. */
  startTime: optional(size),
  bootId: optional(text(64)),
  pidNamespace: optional(size),
  started: seconds,
  program: text(256),
  extensions: optional(extensions),
});
export type SessionRecord = Decoded<typeof sessionRecord>;

export const heartbeatRecord = record({ number: size });

export const forgottenRecord = record({
  /** The outcome record of the snapshot, whole. */
  outcome: encoded,
  by: text(1024),
  time: seconds,
  extensions: optional(extensions),
});

export const markRecord = record({ packs: ids(32), extensions: optional(extensions) });

/** A holder of an epoch, or the closing record of the one before it; both list the segments of that one that count. */
export const leaseRecord = record({
  role: word('holder', 'closing'),
  holder: optional(sessionRecord),
  segments: ids(32),
  extensions: optional(extensions),
});
export type LeaseRecord = Decoded<typeof leaseRecord>;

/** Later changes to a snapshot: each note says all of it anew, and the one with the highest number counts. */
export const noteRecord = record({
  /** All of them, sorted, each once. */
  tags: list(text(1024)),
  comment: optional(text()),
  pinned: flag,
  /** Until when the pin holds; without it for ever. */
  pinnedUntil: optional(seconds),
  by: text(1024),
  time: seconds,
  extensions: optional(extensions),
});
export type NoteRecord = Decoded<typeof noteRecord>;

/** The stored policy, and the round-robin anchors that were chosen: the record with the highest number counts. */
export const policiesRecord = record({
  /** The options of `cbr forget` without their dashes, and their values as they are written on the command line. */
  rules: list(record({ name: text(64), value: text() })),
  /** `group`: `host=...`, `paths=...`, one of each path, sorted. `date`: YYYY-MM-DD. */
  anchors: list(record({ group: list(rawText(LIMITS.name + 16)), date: text(10) })),
  by: text(1024),
  time: seconds,
  extensions: optional(extensions),
});
export type PoliciesRecord = Decoded<typeof policiesRecord>;

const catalogDisc = record({
  id: bytesOf(16),
  /** Counts the discs of a set, through all its builds. */
  number: int(1, Number.MAX_SAFE_INTEGER),
  volume: text(32),
  packs: list(record({ name: bytesOf(32), size })),
});

const catalogBuild = record({
  id: bytesOf(16),
  set: checked(text(64), (name) => (name === '' ? 'a set without a name' : undefined)),
  content: word('all', 'since-full', 'new'),
  medium: text(64),
  sectors: size,
  snapshots: ids(16),
  discs: list(catalogDisc),
});

/** What happened to discs, one event a record; all of them count. */
export const catalogRecord = checked(
  record({
    build: optional(catalogBuild),
    disc: optional(record({ id: bytesOf(16), event: word('built', 'burned', 'retired') })),
    by: text(1024),
    time: seconds,
    extensions: optional(extensions),
  }),
  ({ build, disc }) =>
    (build === undefined) === (disc === undefined) ? 'either a build or a disc is expected' : undefined,
);
export type CatalogRecord = Decoded<typeof catalogRecord>;
