import type { SessionId } from '../../core/index.js';
import { type Database, FIRST_KEY } from './database.js';
import { checked, checksumOf, directoryKey, unchecked } from './layout.js';
import type { NamedValues } from './named-values.js';

/** What was last seen below one source root. */
export interface DirectoryState {
  /** The snapshot under which it was committed; undefined if there is no state. */
  readonly snapshot: SessionId | undefined;
  /** A view of what was put for the directory, valid only until the next call of any method of the cache. */
  get(directory: Uint8Array): Uint8Array | undefined;
}

export type DirectoryPut = readonly [directory: Uint8Array, state: Uint8Array];

interface Root {
  readonly number: number;
  readonly snapshot: SessionId;
}

const ROOT_BYTES = 20;
/** Entries removed in one transaction. */
const CLEAR_STEP = 10_000;

/**
 * The directory states of all source roots. Every root has a number, new after each clearing, that its entries' keys
 * start with: when the root's record goes, so do its entries, even if they are still to be removed.
 */
export class DirectoryStates {
  private scratch = Buffer.allocUnsafe(64 * 1024);

  constructor(
    private readonly database: Database,
    private readonly meta: NamedValues,
  ) {}

  private readRoot(key: Uint8Array): Root | undefined {
    const stored = this.database.tables.roots.get(Buffer.from(key));
    const bytes = stored && unchecked(key, stored);
    if (stored !== undefined && bytes?.length !== ROOT_BYTES) this.database.noteDamage();
    if (bytes?.length !== ROOT_BYTES) return undefined;
    return { number: bytes.readUInt32BE(0), snapshot: bytes.toString('hex', 4) as SessionId };
  }

  of(rootKey: Uint8Array): DirectoryState {
    const root = this.readRoot(rootKey);
    if (root === undefined) return { snapshot: undefined, get: () => undefined };
    const { directories } = this.database.tables;
    return {
      snapshot: root.snapshot,
      get: (directory) => {
        const key = directoryKey(root.number, directory);
        const stored = directories.view(key);
        if (stored === undefined) return undefined;
        const state = unchecked(key, stored);
        if (state === undefined) this.database.noteDamage();
        return state;
      },
    };
  }

  /** All or nothing, in one transaction; `puts` is read within it. What was put stays until it is removed. */
  commit(
    rootKey: Uint8Array,
    snapshot: SessionId,
    puts: Iterable<DirectoryPut>,
    removes: Iterable<Uint8Array>,
  ): void {
    const { directories, roots } = this.database.tables;
    this.database.transact(() => {
      const number = this.readRoot(rootKey)?.number ?? this.newNumber();
      for (const directory of removes) directories.remove(directoryKey(number, directory));
      for (const [directory, state] of puts) {
        const key = directoryKey(number, directory);
        directories.put(key, this.withChecksum(key, state));
      }
      const root = Buffer.alloc(ROOT_BYTES);
      root.writeUInt32BE(number, 0);
      root.write(snapshot, 4, 'hex');
      roots.put(Buffer.from(rootKey), checked(rootKey, root));
    });
  }

  /** As `checked`, into memory that is used again. */
  private withChecksum(key: Uint8Array, value: Uint8Array): Buffer {
    const length = value.byteLength + 4;
    if (length > this.scratch.length) this.scratch = Buffer.allocUnsafe(2 * length);
    this.scratch.writeUInt32LE(checksumOf(key, value), 0);
    this.scratch.set(value, 4);
    return this.scratch.subarray(0, length);
  }

  private newNumber(): number {
    const number = (this.meta.get('cache', 'root-number')?.readUInt32BE(0) ?? 0) + 1;
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(number);
    this.meta.put('cache', 'root-number', bytes);
    return number;
  }

  /** Forgets these roots, or all of them. */
  clear(rootKeys?: readonly Uint8Array[]): void {
    const { directories, roots } = this.database.tables;
    if (rootKeys === undefined) {
      this.database.transact(() => {
        roots.clear();
        directories.clear();
      });
      return;
    }
    const known = rootKeys.map((key) => Buffer.from(key)).filter((key) => roots.view(key) !== undefined);
    if (known.length === 0) return;
    this.database.transact(() => {
      for (const key of known) roots.remove(key);
    });
    this.sweep();
  }

  /** Removes the entries of roots that have no record. */
  private sweep(): void {
    const { directories } = this.database.tables;
    const living = new Set(this.roots().map((key) => this.readRoot(key)?.number));
    for (let start: Buffer | undefined = FIRST_KEY; start !== undefined; ) {
      const keys: Buffer[] = [...directories.keys(start, CLEAR_STEP)].map((key) => Buffer.from(key));
      this.database.transact(() => {
        for (const key of keys) if (!living.has(key.readUInt32BE(0))) directories.remove(key);
      });
      start = keys.length === CLEAR_STEP ? keys.at(-1) : undefined;
    }
  }

  /** The keys of all roots that have a state. */
  roots(): Uint8Array[] {
    return [...this.database.tables.roots.keys(FIRST_KEY)].map((key) => Uint8Array.from(key));
  }
}
