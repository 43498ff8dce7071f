import type { ObjectKind } from '../../dist/backends/index.js';
import {
  CHUNK_ID_BYTES,
  type ChunkId,
  chunkIdAt,
  chunkIdHex,
  type ObjectDigest,
  type SessionId,
  toHex,
  toLatin1,
} from '../../dist/core/index.js';
import { openBlock } from '../../dist/repo/block.js';
import {
  decodeRecord,
  decodeSegment,
  type IndexSegment,
  type LeaseRecord,
  leaseRecord,
  markRecord,
  type OutcomeRecord,
  outcomeRecord,
} from '../../dist/repo/index.js';
import { blockOffsets, openWholePack } from '../../dist/repo/pack-reader.js';
import type { ModelRepository } from './model-repository.js';
import type { ModelChunk, ModelRoot, ModelTrees } from './model-trees.js';

/**
 * How a repository can be wrong: chunks are lost; things are left; a process failed; processes never end, or the repository
 * cannot be pruned or read any more though nobody else is there.
 */
export type ViolationKind = 'lost' | 'left' | 'failed' | 'stuck';

/** The repository is not what it must be. */
export class ViolationError extends Error {
  constructor(
    readonly kind: ViolationKind,
    message: string,
  ) {
    super(message);
  }
}

interface KnownSegment {
  readonly author: IndexSegment['author'];
  readonly packs: readonly ObjectDigest[];
  /** For every pack of its table the chunks that it places there. */
  readonly rows: readonly (readonly { readonly id: ChunkId; readonly place: string }[])[];
}

/** Where a pack holds which chunk, its bytes being right. */
type PackContent = ReadonlyMap<string, ChunkId>;

/** Sees all objects as they are and judges them by rules of its own, which share no code with what is judged. */
export class Oracle {
  readonly outcomes = new Map<SessionId, OutcomeRecord>();
  /** The root trees of all snapshots there ever were. */
  readonly everCommitted = new Map<SessionId, ChunkId>();
  readonly forgotten = new Set<SessionId>();
  readonly segments = new Map<ObjectDigest, KnownSegment>();
  readonly packs = new Map<ObjectDigest, PackContent>();
  readonly marks = new Map<string, ReadonlySet<string>>();
  readonly sessions = new Set<string>();
  /** Snapshots of which their writers were told that they are committed. */
  readonly reported = new Set<SessionId>();
  private readonly leases = new Map<
    number,
    { readonly record: LeaseRecord; readonly lists: ReadonlySet<string> }
  >();
  private readonly otherLeases = new Set<string>();
  private mayHaveLost = false;

  constructor(
    private readonly its: ModelRepository,
    private readonly trees: ModelTrees,
    private readonly decoded: DecodedObjects,
    /** On a store that silently overwrites readers use every segment. */
    private readonly readsEverySegment = false,
  ) {}

  readonly observe = (kind: ObjectKind, name: string, bytes: Uint8Array | undefined): void => {
    if (bytes === undefined) this.removed(kind, name);
    else this.written(kind, name, bytes);
  };

  private written(kind: ObjectKind, name: string, bytes: Uint8Array): void {
    const { records } = this.its;
    if (kind === 'snapshots') {
      const outcome = this.decoded.of(bytes, () => decodeRecord(kind, name, outcomeRecord, bytes, records));
      this.outcomes.set(name as SessionId, outcome);
      if (outcome.root !== undefined)
        this.everCommitted.set(name as SessionId, toLatin1(outcome.root.id) as ChunkId);
      this.mayHaveLost = true;
    } else if (kind === 'forgotten') this.forgotten.add(name as SessionId);
    else if (kind === 'index') {
      this.segments.set(
        name as ObjectDigest,
        this.decoded.of(bytes, () => knownSegment(decodeSegment(bytes, name, records.keys, records.zstd))),
      );
    } else if (kind === 'packs') {
      this.packs.set(
        name as ObjectDigest,
        this.decoded.of(bytes, () => this.contentOf(name, bytes)),
      );
    } else if (kind === 'marks') {
      const mark = this.decoded.of(bytes, () => decodeRecord(kind, name, markRecord, bytes, records));
      this.marks.set(name, new Set(mark.packs.map(toHex)));
    } else if (kind === 'sessions') this.sessions.add(name);
    else if (kind === 'leases') {
      const number = /^prune\/(\d+)$/.exec(name)?.[1];
      if (number === undefined) this.otherLeases.add(name);
      else {
        const record = this.decoded.of(bytes, () => decodeRecord(kind, name, leaseRecord, bytes, records));
        this.leases.set(Number(number), { record, lists: new Set(record.segments.map(toHex)) });
      }
    }
  }

  private removed(kind: ObjectKind, name: string): void {
    if (kind === 'snapshots') this.outcomes.delete(name as SessionId);
    else if (kind === 'forgotten') this.forgotten.delete(name as SessionId);
    else if (kind === 'index') this.segments.delete(name as ObjectDigest);
    else if (kind === 'packs') this.packs.delete(name as ObjectDigest);
    else if (kind === 'marks') this.marks.delete(name);
    else if (kind === 'sessions') this.sessions.delete(name);
    else if (kind === 'leases') {
      const number = /^prune\/(\d+)$/.exec(name)?.[1];
      if (number === undefined) this.otherLeases.delete(name);
      else this.leases.delete(Number(number));
    }
    if (
      kind === 'index' ||
      kind === 'packs' ||
      kind === 'snapshots' ||
      kind === 'forgotten' ||
      kind === 'leases'
    )
      this.mayHaveLost = true;
  }

  /** Opens every block of a pack and hashes what is in it. */
  private contentOf(name: string, bytes: Uint8Array): PackContent {
    const { keys, algorithms } = this.its;
    const { pack, table } = openWholePack(bytes, name, keys, algorithms.zstd);
    const hasher = keys.chunkIds(pack.kind);
    const content = new Map<string, ChunkId>();
    const offsets = blockOffsets(table.blocks);
    let inPack = 0;
    for (const [block, { stored, chunks }] of table.blocks.entries()) {
      const at = offsets[block]!;
      const { plain } = openBlock(bytes.subarray(at, at + stored), block, pack, algorithms.zstd, name);
      let start = 0;
      for (let ordinal = 0; ordinal < chunks; ordinal++) {
        const end = start + table.lengths[inPack]!;
        const id = toLatin1(hasher.digest(plain.subarray(start, end))) as ChunkId;
        if (id !== chunkIdAt(table.ids, inPack * CHUNK_ID_BYTES))
          throw new ViolationError('lost', `packs/${name} holds another chunk than its table says`);
        content.set(`${block}:${ordinal}`, id);
        start = end;
        inPack++;
      }
    }
    return content;
  }

  /** Rules 5 and 6. */
  counts(name: ObjectDigest, { author }: KnownSegment): boolean {
    if (author.kind === 'prune') return this.leases.get(author.epoch + 1)?.lists.has(name) === true;
    if (this.forgotten.has(author.session)) return true;
    const outcome = this.outcomes.get(author.session);
    if (outcome === undefined) return false;
    return outcome.outcome === 'commit' || outcome.segments.some((each) => toHex(each) === name);
  }

  valid(): SessionId[] {
    const valid: SessionId[] = [];
    for (const [sid, { outcome }] of this.outcomes) {
      if (outcome === 'commit' && !this.forgotten.has(sid)) valid.push(sid);
    }
    return valid;
  }

  /** Whether another process took over the epoch that this one holds or held. */
  wasTakenOver(pid: number): boolean {
    return [...this.leases].some(
      ([number, { record }]) =>
        record.holder?.pid === pid && this.leases.get(number + 1)?.record.role === 'holder',
    );
  }

  rootOf(sid: SessionId): ModelRoot | undefined {
    const root = this.outcomes.get(sid)?.root;
    return root === undefined ? undefined : this.trees.withId(toLatin1(root.id) as ChunkId);
  }

  /** Those that a counting segment places where they are. */
  private stored(everySegment = this.readsEverySegment): Set<ChunkId> {
    const stored = new Set<ChunkId>();
    for (const [name, segment] of this.segments) {
      if (!everySegment && !this.counts(name, segment)) continue;
      for (const [i, pack] of segment.packs.entries()) {
        const content = this.packs.get(pack);
        if (content === undefined) continue;
        for (const { id, place } of segment.rows[i]!) if (content.get(place) === id) stored.add(id);
      }
    }
    return stored;
  }

  /** Throws when a valid snapshot lacks a chunk. Does nothing unless something happened since that could have lost one. */
  checkSnapshots(): void {
    if (!this.mayHaveLost) return;
    this.mayHaveLost = false;
    const stored = this.stored();
    for (const sid of this.valid()) {
      const lost = this.rootOf(sid)!.reached.filter(({ id }) => !stored.has(id));
      if (lost.length === 0) continue;
      const what = lost.map((chunk) => this.whereabouts(chunk)).join('; ');
      throw new ViolationError('lost', `snapshots/${sid} lacks ${lost.length} chunks: ${what}`);
    }
  }

  /** Throws when a snapshot has vanished that its writer was told is committed. */
  checkReported(): void {
    for (const sid of this.reported) {
      if (this.forgotten.has(sid) || this.outcomes.get(sid)?.outcome === 'commit') continue;
      throw new ViolationError('lost', `snapshots/${sid} was committed, and has been replaced`);
    }
  }

  /** Where a chunk is named that no counting segment names in a pack that exists. */
  private whereabouts({ kind, id }: ModelChunk): string {
    const places: string[] = [];
    for (const [name, segment] of this.segments) {
      for (const [i, pack] of segment.packs.entries()) {
        if (!segment.rows[i]!.some((row) => row.id === id)) continue;
        const { author } = segment;
        const by =
          author.kind === 'prune' ? `prune ${author.epoch}` : `session ${author.session.slice(0, 8)}`;
        const counts = this.counts(name, segment) ? 'counts' : 'does not count';
        const there = this.packs.has(pack) ? '' : ', gone';
        places.push(`index/${name.slice(0, 8)} of ${by} ${counts}: packs/${pack.slice(0, 8)}${there}`);
      }
    }
    return `${kind} ${chunkIdHex(id).slice(0, 8)} in ${places.join(', ') || 'no segment'}`;
  }

  /** Throws when something is left that nothing needs. */
  checkNoGarbage(): void {
    const left = this.garbage();
    if (left.length > 0) throw new ViolationError('left', `left at the end: ${left.join('; ')}`);
  }

  /** What nothing needs in a repository that nobody uses, and that was pruned without leaving any waste. */
  garbage(): string[] {
    const left: string[] = [];
    for (const name of this.sessions) left.push(`sessions/${name}`);
    for (const name of this.marks.keys()) left.push(`marks/${name}`);
    for (const name of this.otherLeases) left.push(`leases/${name}`);
    const named = new Set<ObjectDigest>();
    for (const [name, segment] of this.segments) {
      if (!this.counts(name, segment)) left.push(`index/${name}, which does not count`);
      for (const pack of segment.packs) {
        named.add(pack);
        if (!this.packs.has(pack)) left.push(`index/${name}, which names packs/${pack}, which is gone`);
      }
    }
    const reached = new Set(this.valid().flatMap((sid) => this.rootOf(sid)!.reached.map(({ id }) => id)));
    for (const [name, content] of this.packs) {
      const unused = [...content.values()].filter((id) => !reached.has(id)).length;
      if (!named.has(name)) left.push(`packs/${name}, which no segment names`);
      if (unused > 0) left.push(`packs/${name}, ${unused} of ${content.size} chunks unused`);
    }
    return left;
  }
}

/** Decodes each stored object once: they never change, and schedules start from the same ones. */
export class DecodedObjects {
  private readonly known = new WeakMap<Uint8Array, unknown>();

  of<T>(bytes: Uint8Array, decode: () => T): T {
    const found = this.known.get(bytes);
    if (found !== undefined) return found as T;
    const value = decode();
    this.known.set(bytes, value);
    return value;
  }
}

function knownSegment({ author, packs, chunks }: IndexSegment): KnownSegment {
  const rows = packs.map((): { id: ChunkId; place: string }[] => []);
  for (let row = 0; row < chunks.count; row++) {
    const place = `${chunks.blocks[row]!}:${chunks.ordinals[row]!}`;
    rows[chunks.packs[row]!]!.push({ id: chunkIdAt(chunks.ids, row * CHUNK_ID_BYTES), place });
  }
  return { author, packs: packs.map(({ name }) => name), rows };
}
