import { createHash, randomBytes } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DamagedError } from '../core/index.js';
import type { Backend, ByteRange, ReadOptions } from './backend.js';
import { forwardTo } from './forward.js';

/** What is kept and fetched at least: four blocks of trees. */
const SEGMENT_BYTES = 2 ** 20;
/** What is fetched at once, if it is not there: who reads a tree goes on reading. */
const FETCHED_SEGMENTS = 4;
/** Segments at hand, so that the blocks of one are not read and verified four times. */
const SEGMENTS_AT_HAND = 8;
/** Larger packs are not taken over when they are written: they pass through memory for it. */
const MOST_TAKEN_OVER = 64 * 2 ** 20;
const DIGEST_BYTES = 32;
/** When there is too much, so much stays. */
const KEPT_SHARE = 0.8;

export interface PackCacheOptions {
  readonly folder: string;
  readonly mostBytes: number;
  /** Milliseconds since 1970: what was used last stays longest. */
  readonly now: () => number;
}

/**
 * `inner`, keeping in a folder of this machine what is read of packs with `keep`, and packs that are written as not cold. Each
 * file ends with its SHA-256, so what was damaged there is fetched again; a folder that cannot be written keeps nothing. Whether
 * a pack exists is never answered from it.
 */
export function withPackCache(inner: Backend, options: PackCacheOptions): Backend {
  const cache = new PackCache(options);
  const reading = new Map<string, Promise<unknown>>();

  async function readKept(
    name: string,
    range: { readonly offset: number; readonly length: number },
    size: number,
    call: ReadOptions,
  ): Promise<Uint8Array> {
    // One after the other: the next one probably finds what the one before has fetched.
    const before = reading.get(name) ?? Promise.resolve();
    const turn = before.then(() => read());
    const settled = turn.catch(() => undefined);
    reading.set(name, settled);
    settled.then(() => {
      if (reading.get(name) === settled) reading.delete(name);
    });
    return turn;

    async function read(): Promise<Uint8Array> {
      const first = Math.floor(range.offset / SEGMENT_BYTES);
      const last = Math.floor((range.offset + range.length - 1) / SEGMENT_BYTES);
      const found: Uint8Array[] = [];
      for (let segment = first; segment <= last; segment++) {
        const kept =
          cache.get(name, segment) ?? (await fetch(segment, Math.max(last + 1, segment + FETCHED_SEGMENTS)));
        found.push(kept);
      }
      const start = range.offset - first * SEGMENT_BYTES;
      const bytes = found.length === 1 ? found[0]! : Buffer.concat(found);
      return Uint8Array.prototype.slice.call(bytes, start, start + range.length);
    }

    async function fetch(segment: number, end: number): Promise<Uint8Array> {
      const offset = segment * SEGMENT_BYTES;
      const length = Math.min(size, end * SEGMENT_BYTES) - offset;
      const fetched = await inner.read('packs', name, { offset, length }, call);
      cache.putAll(name, segment, fetched);
      return fetched.subarray(0, SEGMENT_BYTES);
    }
  }

  return {
    ...forwardTo(inner),
    read: async (kind, name, range, call = {}) => {
      const { keep } = call;
      if (kind !== 'packs' || keep === undefined || !isWithin(range, keep.size)) {
        return inner.read(kind, name, range, call);
      }
      if (keep.renew) cache.forget(name);
      try {
        return await readKept(name, range, keep.size, call);
      } catch (error) {
        // What follows may be cut off: what was asked for may be there.
        if (!(error instanceof DamagedError)) throw error;
        return inner.read(kind, name, range, call);
      }
    },
    write: async (kind, name, data, call) => {
      const isTaken = kind === 'packs' && call?.isCold === false;
      const size = data instanceof Uint8Array ? data.byteLength : data.size;
      // Before it is gone. What cannot be read is for the medium to say.
      const taken =
        !isTaken || size > MOST_TAKEN_OVER
          ? undefined
          : data instanceof Uint8Array
            ? data
            : await readFile(data.path).catch(() => undefined);
      await inner.write(kind, name, data, call);
      if (taken?.byteLength === size) cache.putAll(name, 0, taken);
    },
    remove: async (kind, name, call) => {
      await inner.remove(kind, name, call);
      if (kind === 'packs') cache.forget(name);
    },
    removeMany: async (kind, names, call) => {
      await inner.removeMany(kind, names, call);
      if (kind === 'packs') for (const name of names) cache.forget(name);
    },
  };
}

function isWithin(
  range: ByteRange | undefined,
  size: number,
): range is { readonly offset: number; readonly length: number } {
  return (
    range !== undefined &&
    'offset' in range &&
    range.offset >= 0 &&
    range.length > 0 &&
    range.offset + range.length <= size
  );
}

/** Segments of packs as files: `<folder>/<pack>/<number>`. It may lose any of them at any time. */
class PackCache {
  private readonly atHand = new Map<string, Uint8Array>();
  /** Bytes of all files; undefined until something is written. */
  private total: number | undefined;

  constructor(private readonly options: PackCacheOptions) {}

  get(pack: string, segment: number): Uint8Array | undefined {
    const path = this.pathOf(pack, segment);
    const known = this.atHand.get(path);
    if (known !== undefined) return known;
    try {
      const stored = readFileSync(path);
      const bytes = stored.subarray(0, -DIGEST_BYTES);
      if (!digestOf(bytes).equals(stored.subarray(-DIGEST_BYTES))) return undefined;
      // What was used last goes last.
      const now = new Date(this.options.now());
      utimesSync(path, now, now);
      this.hold(path, bytes);
      return bytes;
    } catch {
      return undefined;
    }
  }

  putAll(pack: string, first: number, bytes: Uint8Array): void {
    for (let at = 0, segment = first; at < bytes.byteLength; at += SEGMENT_BYTES, segment++) {
      this.put(pack, segment, bytes.subarray(at, at + SEGMENT_BYTES));
    }
  }

  private put(pack: string, segment: number, bytes: Uint8Array): void {
    const path = this.pathOf(pack, segment);
    this.hold(path, Buffer.from(bytes));
    const folder = join(this.options.folder, pack);
    const temporary = join(this.options.folder, `${randomBytes(8).toString('hex')}.new`);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(temporary, Buffer.concat([bytes, digestOf(bytes)]), { mode: 0o600 });
      renameSync(temporary, path);
      this.total = (this.total ?? this.measure()) + bytes.byteLength;
      if (this.total > this.options.mostBytes) this.evict();
    } catch {
      removed(temporary);
    }
  }

  forget(pack: string): void {
    for (const path of [...this.atHand.keys()]) {
      if (path.startsWith(join(this.options.folder, pack))) this.atHand.delete(path);
    }
    removed(join(this.options.folder, pack));
  }

  private pathOf(pack: string, segment: number): string {
    return join(this.options.folder, pack, String(segment));
  }

  private hold(path: string, bytes: Uint8Array): void {
    this.atHand.set(path, bytes);
    if (this.atHand.size > SEGMENTS_AT_HAND) this.atHand.delete(this.atHand.keys().next().value!);
  }

  private files(): { readonly path: string; readonly size: number; readonly used: number }[] {
    const found: { path: string; size: number; used: number }[] = [];
    for (const entry of readdirSync(this.options.folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat !== undefined) found.push({ path, size: stat.size, used: stat.mtimeMs });
    }
    return found;
  }

  private measure(): number {
    return this.files().reduce((sum, { size }) => sum + size, 0);
  }

  private evict(): void {
    const files = this.files().sort((a, b) => a.used - b.used);
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of files) {
      if (total <= KEPT_SHARE * this.options.mostBytes) break;
      rmSync(path, { force: true });
      total -= size;
    }
    this.total = total;
  }
}

/** What cannot be removed is evicted some day, as what is used no more. */
function removed(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // As said.
  }
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
