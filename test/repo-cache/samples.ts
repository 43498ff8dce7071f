import { createHash } from 'node:crypto';
import {
  type ChunkId,
  chunkIdAt,
  type ObjectDigest,
  ownIdentity,
  type SessionId,
} from '../../dist/core/index.js';
import { type CacheOptions, openCache, type RepositoryCache } from '../../dist/repo/cache/index.js';
import type { Author, IndexSegment, PackSummary } from '../../dist/repo/index-segment.js';

export const REPOSITORY = Buffer.alloc(16, 7);

export function digest(label: string): ObjectDigest {
  return createHash('sha256').update(label).digest('hex') as ObjectDigest;
}

export function chunkId(label: string | number): ChunkId {
  return chunkIdAt(createHash('sha256').update(`chunk ${label}`).digest());
}

export function session(label: string): SessionId {
  return digest(label).slice(0, 32) as SessionId;
}

export interface SamplePack {
  readonly name: ObjectDigest;
  /** The chunks of its blocks. */
  readonly blocks: readonly (readonly ChunkId[])[];
}

export function summaryOf({ name, blocks }: SamplePack): PackSummary {
  return {
    name,
    kind: 'data',
    size: 1000 + blocks.length,
    blocks: blocks.map((ids) => ({ stored: 100 * ids.length, plain: 200 * ids.length, chunks: ids.length })),
  };
}

/** The segment that lists the given packs. */
export function segmentOf(packs: readonly SamplePack[], author: Author): IndexSegment {
  const rows = packs.flatMap(({ blocks }, pack) =>
    blocks.flatMap((ids, block) => ids.map((id, ordinal) => ({ id, pack, block, ordinal }))),
  );
  rows.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  return {
    author,
    packs: packs.map(summaryOf),
    chunks: {
      count: rows.length,
      ids: Buffer.concat(rows.map(({ id }) => Buffer.from(id, 'latin1'))),
      packs: Uint32Array.from(rows, (row) => row.pack),
      blocks: Uint16Array.from(rows, (row) => row.block),
      ordinals: Uint16Array.from(rows, (row) => row.ordinal),
      lengths: Uint32Array.from(rows, () => 200),
    },
  };
}

/** A pack of `count` chunks named after it, in blocks of 16. */
export function plainPack(label: string, count: number): SamplePack {
  const ids = Array.from({ length: count }, (_, i) => chunkId(`${label}.${i}`));
  const blocks = Array.from({ length: Math.ceil(count / 16) }, (_, i) => ids.slice(16 * i, 16 * i + 16));
  return { name: digest(label), blocks };
}

/** `packs` packs named after the segment, and what lists them. */
export function plainSegment(label: string, packs: number, chunksPerPack: number) {
  const content = Array.from({ length: packs }, (_, i) => plainPack(`${label}.${i}`, chunksPerPack));
  const segment = segmentOf(content, { kind: 'session', session: session(label) });
  return { name: digest(`segment ${label}`), segment, packs: content };
}

/** Opens the cache at `folder`, adding what it reports to `said`. */
export function open(
  folder: string,
  said: string[] = [],
  changes: Partial<CacheOptions> = {},
): Promise<RepositoryCache> {
  return openCache({
    folder,
    location: '/somewhere',
    repositoryId: REPOSITORY,
    encrypted: true,
    identity: ownIdentity('here'),
    now: () => Date.now(),
    report: (message, weight) => {
      if (weight === 'notice') said.push(message);
    },
    ...changes,
  });
}

/** A generator of numbers in [0, 1) that depends on the seed alone (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
