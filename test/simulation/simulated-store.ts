import {
  isObjectName,
  type ListedObject,
  OBJECT_KINDS,
  type ObjectKind,
  objectPath,
} from '../../dist/backends/index.js';
import { ObjectExistsError, ObjectNotFoundError } from '../../dist/core/index.js';

/** In which order a listing goes through the names: as object stores do, or as folders with hashed entries. */
export type ListingOrder = 'name' | 'hash';

export interface ListedPage {
  readonly objects: readonly ListedObject[];
  /** Where the next page goes on; undefined after the last one. */
  readonly next: string | undefined;
}

/** Told of every change; `bytes` is undefined for what is removed. */
export type StoreObserver = (kind: ObjectKind, name: string, bytes: Uint8Array | undefined) => void;

interface Kept {
  readonly name: string;
  readonly sortKey: string;
  readonly bytes: Uint8Array;
}

/** The objects of one repository as all processes see them. Every call is one indivisible step. */
export class SimulatedStore {
  private readonly kinds = new Map<ObjectKind, Map<string, Kept>>();
  private readonly sorted = new Map<ObjectKind, Kept[]>();
  private observer: StoreObserver = () => undefined;

  constructor(
    private readonly order: ListingOrder,
    /** A second write of a name silently replaces the first. */
    private readonly overwrites = false,
  ) {
    for (const kind of OBJECT_KINDS) this.kinds.set(kind, new Map());
  }

  /** The same objects, which are never changed, under an order of its own. */
  copy(order: ListingOrder, overwrites = false): SimulatedStore {
    const copy = new SimulatedStore(order, overwrites);
    for (const [kind, objects] of this.kinds) {
      for (const { name, bytes } of objects.values()) copy.put(kind, name, bytes);
    }
    return copy;
  }

  observe(observer: StoreObserver): void {
    this.observer = observer;
    for (const [kind, objects] of this.kinds) {
      for (const { name, bytes } of objects.values()) observer(kind, name, bytes);
    }
  }

  private of(kind: ObjectKind): Map<string, Kept> {
    return this.kinds.get(kind)!;
  }

  private inOrder(kind: ObjectKind): readonly Kept[] {
    let sorted = this.sorted.get(kind);
    if (sorted === undefined) {
      sorted = [...this.of(kind).values()].sort((a, b) =>
        a.sortKey < b.sortKey ? -1 : a.sortKey > b.sortKey ? 1 : 0,
      );
      this.sorted.set(kind, sorted);
    }
    return sorted;
  }

  names(kind: ObjectKind): string[] {
    return this.inOrder(kind).map(({ name }) => name);
  }

  get(kind: ObjectKind, name: string): Uint8Array | undefined {
    return this.of(kind).get(name)?.bytes;
  }

  has(kind: ObjectKind, name: string): boolean {
    return this.of(kind).has(name);
  }

  /** The page of a listing that begins behind `after`. */
  page(kind: ObjectKind, after: string | undefined, size: number): ListedPage {
    const sorted = this.inOrder(kind);
    const start = after === undefined ? 0 : sorted.findIndex(({ sortKey }) => sortKey > after);
    const page = start === -1 ? [] : sorted.slice(start, start + size);
    return {
      objects: page.map(({ name, bytes }) => ({ name, size: bytes.byteLength })),
      next: page.length < size ? undefined : page.at(-1)!.sortKey,
    };
  }

  read(kind: ObjectKind, name: string): Uint8Array {
    const bytes = this.get(kind, name);
    if (bytes === undefined) throw new ObjectNotFoundError(objectPath(kind, name));
    return bytes;
  }

  /** Creates an object; takes over `bytes`. */
  create(kind: ObjectKind, name: string, bytes: Uint8Array): void {
    if (!isObjectName(name)) throw new RangeError(`no name of an object: ${kind}/${name}`);
    if (!this.overwrites && this.has(kind, name)) throw new ObjectExistsError(objectPath(kind, name));
    this.put(kind, name, bytes);
  }

  /** What no store that keeps the contract does over an existing object: for planted faults. */
  put(kind: ObjectKind, name: string, bytes: Uint8Array): void {
    const sortKey = this.order === 'name' ? name : `${scattered(name)} ${name}`;
    this.of(kind).set(name, { name, sortKey, bytes });
    this.sorted.delete(kind);
    this.observer(kind, name, bytes);
  }

  remove(kind: ObjectKind, name: string): void {
    if (!this.of(kind).delete(name)) return;
    this.sorted.delete(kind);
    this.observer(kind, name, undefined);
  }
}

/** FNV-1a, as eight hexadecimal digits. */
function scattered(name: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0).toString(16).padStart(8, '0');
}
