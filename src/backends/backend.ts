import type { Gathering } from './gathering.js';
import type { StoreFacts } from './store-facts.js';

/**
 * The contract of a medium that keeps named, immutable objects. It knows names and bytes, nothing else. The clauses B1 to
 * B10 are judged by one conformance suite (test/backends), run against every backend and every wrapper:
 *
 * B1  atomic: readers see an object whole or not at all, also after a crash
 * B2  durable when `write` resolves; after a failed fsync the staged bytes are abandoned, never fsynced again
 * B3  create-only: writing an existing name rejects with ObjectExistsError and changes nothing; of two concurrent writers
 *     exactly one wins; after an ambiguous failure the object is read back: the same bytes mean success
 * B4  exact: a ranged read returns exactly those bytes or rejects, with DamagedError when the object ends before the range;
 *     an absent object is an ObjectNotFoundError
 * B5  read and list after write
 * B6  `list` yields every object once, never temporaries
 * B7  `remove` is idempotent
 * B8  every other failure is a BackendError that says whether it is retryable
 * B9  names are those made by cbr only: see `objectPath`; any other name is a BackendError
 * B10 aborting rejects with the signal's reason and leaves nothing or everything
 */

export const OBJECT_KINDS = [
  'config',
  'keys',
  'snapshots',
  'forgotten',
  'index',
  'packs',
  'sessions',
  'marks',
  'leases',
  'notes',
  'policies',
  'catalog',
  'parity',
] as const;

export type ObjectKind = (typeof OBJECT_KINDS)[number];

export interface ListedObject {
  /** The name within its kind: `<sha256>` for a pack, `<sid>/<n>` for a heartbeat. */
  readonly name: string;
  /** Stored length in bytes. */
  readonly size: number;
  /** When it was written, on the store's own scale where it tells: good for sorting and for nothing else. */
  readonly written?: number;
}

/** Bytes from `offset` on, `length` of them; with `suffix`, the last bytes of the object (all of it if it is shorter). */
export type ByteRange = { readonly offset: number; readonly length: number } | { readonly suffix: number };

/**
 * An object staged in a file. `write` takes the file over: when it resolves the file is gone, when it rejects the file is
 * the caller's to remove.
 */
export interface StagedFile {
  readonly path: string;
  readonly size: number;
}

export interface CallOptions {
  /** Aborting it makes the call reject with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  /** The object is read often: a cache may keep this part of it and what follows. `size` is the length of the object. */
  readonly keep?: { readonly size: number /** What is kept of it was wrong. */; readonly renew?: boolean };
}

export interface WriteOptions extends CallOptions {
  /** The SHA-256 of the bytes, hexadecimal, if the caller knows it: a store may verify it and refuse what differs. */
  readonly sha256?: string;
  /** Only restores read it: a store may keep it where reading costs more. */
  readonly isCold?: boolean;
}

export interface Capabilities {
  /** Whether B3 is the store's own guarantee. */
  readonly createOnly: boolean;
  /** Whether objects may be written. */
  readonly writable: boolean;
  /** Whether objects may be removed: where they may not, sessions leave their heartbeats to the next prune. */
  readonly removable: boolean;
  /** False where what is removed takes as much room as before: it is only hidden. Absent: true. */
  readonly frees?: boolean;
}

/** What reads asks for only this. */
export interface ObjectReader {
  /** How the user names this repository; for messages. */
  readonly location: string;
  /** Useful number of calls at the same time. */
  readonly concurrency: number;
  /** Each call costs a round trip to another machine: few large ones, many at the same time, are best. */
  readonly isRemote?: boolean;
  readonly capabilities: Capabilities;
  list(kind: ObjectKind, options?: CallOptions): AsyncIterable<ListedObject>;
  /** Rejects with ObjectNotFoundError if there is no such object. */
  stat(kind: ObjectKind, name: string, options?: CallOptions): Promise<ListedObject>;
  /** The bytes belong to the caller. */
  read(kind: ObjectKind, name: string, range?: ByteRange, options?: ReadOptions): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Room on the medium, where it is a file system. */
export interface Room {
  /** Bytes that this process may still write; undefined when the system does not say. */
  free(): number | undefined;
  /** Bytes that `reserve` keeps. */
  readonly reservedBytes: number;
  /** Gives up what was kept for hard times. */
  release(): void;
  /** Keeps room for a prune on a full disk; false when there is no room for it. */
  reserve(): boolean;
}

export interface Backend extends ObjectReader {
  /** Where parts of the medium may have to be put in by somebody. */
  readonly gathering?: Gathering;
  /** The absolute path of the folder that holds the repository, where it is one on this machine. */
  readonly folder?: string;
  readonly room?: Room;
  /** A folder in which files staged for `write` are adopted without copying. */
  readonly stagingFolder?: string;
  write(kind: ObjectKind, name: string, data: Uint8Array | StagedFile, options?: WriteOptions): Promise<void>;
  remove(kind: ObjectKind, name: string, options?: CallOptions): Promise<void>;
  /** Removes many objects; as `remove` for each, in any order. */
  removeMany(kind: ObjectKind, names: readonly string[], options?: CallOptions): Promise<void>;
  /**
   * Asks the store about itself, for media that can tell; what it refuses to tell is `unknown`. May write objects
   * `parity/probe-<hex>`, which it removes if it may.
   */
  examine?(options?: CallOptions): Promise<StoreFacts>;
  /** What the store knows of an object's content without reading it; undefined when nothing of the whole. */
  storedDigest?(kind: ObjectKind, name: string, options?: CallOptions): Promise<StoredDigest | undefined>;
}

/** Of all bytes of an object, by the store that keeps it. */
export interface StoredDigest {
  readonly algorithm: 'sha256' | 'md5';
  readonly hex: string;
}

/** The path of an object below the root of a repository, the same on every medium: `packs/<2 hex>/<sha256>`, else `<kind>/<name>`. */
export function objectPath(kind: ObjectKind, name: string): string {
  return kind === 'packs' ? `packs/${name.slice(0, 2)}/${name}` : `${kind}/${name}`;
}

/** Names that cbr makes: one or two parts of letters, digits, dots and dashes, starting with a letter or digit. */
export function isObjectName(name: string): boolean {
  return /^[0-9a-z][0-9A-Za-z._-]*(\/[0-9a-z][0-9A-Za-z._-]*)?$/.test(name) && name.length <= 200;
}
