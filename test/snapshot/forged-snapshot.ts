import { newStagingPath } from '../../dist/backends/index.js';
import { chunkIdAt, chunkIdBytes, MessagePackWriter, type SessionId } from '../../dist/core/index.js';
import {
  beginSession,
  knownChunks,
  loadRepository,
  PackStore,
  PackWriter,
  type Repository,
} from '../../dist/repo/index.js';
import { writeReference } from '../../dist/snapshot/content-items.js';
import { ContentListBuilder } from '../../dist/snapshot/content-list.js';
import type { ChunkReference, ContentItem, Entry } from '../../dist/snapshot/index.js';
import { encodeAbout } from '../../dist/snapshot/snapshot-record.js';
import { encodeEntry, storeTree } from '../../dist/snapshot/tree.js';

/** Commits a snapshot of entries that no file system can have, as a broken or hostile writer would. */

export interface Forged {
  /** Raw. */
  readonly name: string;
  readonly type: 'file' | 'symlink' | 'fifo' | 'directory';
  readonly size?: number;
  /** The content: one hole of so many bytes. */
  readonly hole?: number;
  /** The content: chunks that nobody stored, or that are longer or shorter than this says. */
  readonly chunks?: readonly ContentItem[];
  /** The content stands in a content list, as that of files of more than 64 chunks does. */
  readonly isListed?: boolean;
  /** 8 bytes as latin1. */
  readonly linkGroup?: string;
  readonly xattrs?: Entry['xattrs'];
  /** Of a symlink; raw. */
  readonly to?: string;
  /** Of a directory; two may have one name. */
  readonly children?: readonly Forged[];
  /** Of a directory, instead of children: what is on each of its pages, whether or not they follow each other. */
  readonly pages?: readonly (readonly Forged[])[];
}

type StoreChunk = (plain: Uint8Array) => ChunkReference;

function treeOf(entries: readonly Forged[], put: StoreChunk): ChunkReference {
  const sorted = [...entries].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const encoded = sorted.map((each) => encodeEntry(entryOf(each, put)));
  return storeTree(encoded, put);
}

/** A page that refers to these, each with the name of its first entry. */
function treeOfPages(pages: readonly (readonly Forged[])[], put: StoreChunk): ChunkReference {
  const writer = new MessagePackWriter(1024).array(2).int(1).array(pages.length);
  for (const page of pages) writeReference(writer.array(2).latin1(page[0]!.name), treeOf(page, put));
  return put(writer.finish());
}

function entryOf(forged: Forged, put: StoreChunk): Entry {
  const { name, type, size, hole, chunks, isListed, linkGroup, to, children, pages, xattrs } = forged;
  const mtime = { seconds: 1, nanoseconds: 0 };
  const common = { name, mode: 0o644, uid: 0, gid: 0, mtime, linkGroup, xattrs };
  if (type === 'symlink') return { ...common, type, linkTarget: to ?? 'anywhere' };
  if (type === 'directory') {
    const tree = pages === undefined ? treeOf(children ?? [], put) : treeOfPages(pages, put);
    return { ...common, type, mode: 0o755, tree };
  }
  if (type === 'fifo') return { ...common, type };
  const items = chunks ?? (hole === undefined ? [] : [{ hole }]);
  if (isListed !== true) return { ...common, type, size: size ?? 0, content: { kind: 'items', items } };
  const list = new ContentListBuilder(put);
  for (const item of items) list.add(item);
  return { ...common, type, size: size ?? 0, content: list.finish() };
}

/** `depth` folders called `d`, one in the other, around the entries. Returns the snapshot's id. */
export async function forgedSnapshot(
  repository: Repository,
  entries: readonly Forged[],
  depth = 0,
  host = 'forger',
): Promise<SessionId> {
  const { backend, records, keys, algorithms, config, cache } = repository;
  const session = await beginSession(repository);
  const { sync } = await loadRepository(repository);
  const store = new PackStore({
    backend,
    records,
    known: knownChunks(cache, sync.unreliable),
    author: { kind: 'session', session: session.id },
    clock: () => 0,
  });
  const writer = new PackWriter({
    kind: 'tree',
    keys,
    algorithms,
    compressionLevel: 1,
    pad: false,
    blockBytes: config.blockBytes,
    packBytes: config.packBytes,
    verify: true,
    stagingPath: () => newStagingPath(backend.stagingFolder!),
  });
  const ids = keys.chunkIds('tree');
  const put = (plain: Uint8Array): ChunkReference => {
    const digest = ids.digest(plain);
    const id = chunkIdAt(digest);
    if (store.claim(id)) {
      const finished = writer.add(digest, plain);
      if (finished !== undefined) store.store(finished);
    }
    return { id, length: plain.byteLength };
  };
  let tree = treeOf(entries, put);
  for (let level = 0; level < depth; level++) {
    const folder: Entry = {
      name: 'd',
      type: 'directory',
      mode: 0o755,
      uid: 0,
      gid: 0,
      mtime: { seconds: 1, nanoseconds: 0 },
      tree,
    };
    tree = storeTree([encodeEntry(folder)], put);
    if (level % 1000 === 0) await store.room();
  }
  const finished = writer.finish();
  if (finished !== undefined) store.store(finished);
  const segments = await store.finish();
  const zero = {
    files: 0,
    folders: 0,
    others: 0,
    newFiles: 0,
    changedFiles: 0,
    unchangedFiles: 0,
    sourceBytes: 0,
    newBytes: 0,
    storedBytes: 0,
    milliseconds: 0,
  };
  await session.commit({
    root: { id: chunkIdBytes(tree.id), length: tree.length },
    segments: segments.map((name) => Buffer.from(name, 'hex')),
    seen: [],
    about: encodeAbout({
      seconds: 2_000_000_000,
      nanoseconds: 0,
      zoneOffset: 0,
      host,
      user: 'nobody',
      paths: ['/'],
      level: 'full',
      tags: [],
      program: 'forger',
      statistics: zero,
      errors: [],
    }),
  });
  return session.id;
}
