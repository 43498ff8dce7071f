import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { type ChunkId, chunkIdAt, LIMITS } from '../../dist/core/index.js';
import type { ContentItem, Entry } from '../../dist/snapshot/entry.js';
import type { AboutSnapshot } from '../../dist/snapshot/snapshot-record.js';
import { noise } from './parts.js';

/** What snapshots are made of, generated and by example. */

export function idOf(label: number | string): ChunkId {
  return chunkIdAt(createHash('sha256').update(String(label)).digest());
}

/** Chunks in memory, by id. `bytes` counts what was stored. */
export function memoryStore() {
  const chunks = new Map<string, Uint8Array>();
  return {
    chunks,
    store: (plain: Uint8Array) => {
      if (chunks.size > 100_000) throw new Error('it stores without end');
      const id = chunkIdAt(createHash('sha256').update(plain).digest());
      chunks.set(id, Uint8Array.from(plain));
      return { id, length: plain.byteLength };
    },
    read: async ({ id, length }: { id: ChunkId; length: number }) => {
      const found = chunks.get(id);
      expect(found?.byteLength).toBe(length);
      return found!;
    },
  };
}

const u32 = fc.nat({ max: 0xffffffff });
const rawName = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));
const time = fc.record({ seconds: fc.maxSafeInteger(), nanoseconds: fc.nat({ max: 999_999_999 }) });
const reference = fc.record({ id: fc.nat().map(idOf), length: fc.integer({ min: 1, max: LIMITS.chunk }) });
const item: fc.Arbitrary<ContentItem> = fc.oneof(
  reference,
  fc.integer({ min: 1, max: 2 ** 40 }).map((hole) => ({ hole })),
);
const xattr = fc.record({ name: rawName, value: fc.oneof(fc.uint8Array({ maxLength: 50 }), reference) });

const optionalFields = {
  user: fc.string({ unit: 'grapheme', maxLength: 10 }),
  group: fc.string({ maxLength: 10 }),
  birthTime: time,
  flags: u32,
  xattrs: fc.array(xattr, { minLength: 1, maxLength: 4 }),
  linkGroup: fc
    .uint8Array({ minLength: 8, maxLength: 8 })
    .map((bytes) => Buffer.from(bytes).toString('latin1')),
};
const required = { name: rawName, mode: fc.nat({ max: 0o7777 }), uid: u32, gid: u32, mtime: time };
const requiredKeys = ['name', 'mode', 'uid', 'gid', 'mtime'] as const;

export const sizeOf = (items: readonly ContentItem[]): number =>
  items.reduce((sum, each) => sum + (each.id === undefined ? each.hole : each.length), 0);

const kinds = fc.oneof(
  fc.array(item, { maxLength: 64 }).map((items) => ({
    type: 'file' as const,
    size: sizeOf(items),
    content: { kind: 'items' as const, items },
  })),
  fc.tuple(reference, fc.maxSafeNat()).map(([root, size]) => ({
    type: 'file' as const,
    size,
    content: { kind: 'list' as const, root },
  })),
  reference.map((tree) => ({ type: 'directory' as const, tree })),
  rawName.map((linkTarget) => ({ type: 'symlink' as const, linkTarget })),
  fc.constantFrom('fifo' as const, 'socket' as const).map((type) => ({ type })),
  fc
    .tuple(fc.constantFrom('character device' as const, 'block device' as const), u32, u32)
    .map(([type, major, minor]) => ({ type, device: { major, minor } })),
);

export const entries: fc.Arbitrary<Entry> = fc
  .tuple(fc.record({ ...required, ...optionalFields }, { requiredKeys: [...requiredKeys] }), kinds)
  .map(([common, kind]) => ({ ...common, ...kind }));

export const FILE: Entry = {
  name: 'f',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  size: 0,
  content: { kind: 'items', items: [] },
};

/** A file of so many bytes, one chunk. */
export function file(name: string, size = 10): Entry {
  return { ...FILE, name, size, content: { kind: 'items', items: [{ id: idOf(name), length: size }] } };
}

export const ABOUT: AboutSnapshot = {
  seconds: 1_700_000_000,
  nanoseconds: 5,
  zoneOffset: -90,
  host: 'here',
  user: 'ann',
  paths: ['/home/ann', '/srv/\xff'],
  level: 'incr',
  job: 'nightly',
  tags: ['a', 'b'],
  comment: 'before the move',
  parent: noise(16, 'parent'),
  program: 'cbr 0.1.0',
  statistics: {
    files: 1,
    folders: 2,
    others: 3,
    newFiles: 4,
    changedFiles: 5,
    unchangedFiles: 6,
    sourceBytes: 2 ** 40,
    newBytes: 8,
    storedBytes: 9,
    milliseconds: 10,
  },
  errors: [{ path: '/srv/\xfe', reason: 'permission denied' }],
};

export function outcomeWith(about: Uint8Array) {
  return {
    outcome: 'commit' as const,
    root: { id: noise(32, 'root'), length: 5 },
    segments: [],
    seen: [],
    about,
  };
}
