import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ascii,
  bodyOf,
  chunksOfPack,
  encryptedCipher,
  headerOf,
  masterKey,
  need,
  objectsOf,
  type PackChunks,
  PLAIN_CIPHER,
  type Plain,
  payloadOf,
  sha256,
  unpack,
} from './independent-objects.js';

/**
 * A second implementation of the reading half of docs/format.md, written from that page: it shares no line with src/, is
 * slow, trusts nothing and keeps everything in memory. The headings are those of the page.
 */

// Records

const RECORD_KINDS: Readonly<Record<string, number>> = { snapshots: 3, leases: 7 };

/** One opened repository. */
export interface Opened {
  readonly config: Plain;
  readonly snapshots: readonly FoundSnapshot[];
  /** Packs that counting segments name, and the length of every chunk in them by its id. */
  readonly packs: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Ids of the chunks that snapshots reach. */
  readonly reached: ReadonlySet<string>;
}

export interface FoundSnapshot {
  readonly id: string;
  readonly about: Plain;
  /** Every entry below the root by its path (latin1, without a leading slash). */
  readonly entries: ReadonlyMap<string, FoundEntry>;
}

export interface FoundEntry {
  readonly type: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number };
  /** By name in latin1. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** Files. */
  readonly content: Buffer | undefined;
  /** Ranges of the content that are holes: start and length. */
  readonly holes: readonly (readonly [number, number])[];
  readonly linkTarget: Buffer | undefined;
  readonly linkGroup: string | undefined;
}

export function openIndependently(folder: string, password: string | undefined): Opened {
  const { config, mac, name, record } = readConfig(folder);
  const repository = config.repository as Buffer;
  need((password !== undefined) === config.encrypted, 'a password if and only if it is encrypted');
  const cipher =
    password === undefined
      ? PLAIN_CIPHER
      : encryptedCipher(masterKey(folder, repository, password), repository);
  need(cipher.configMac(Buffer.concat([name, record])).equals(mac), 'the MAC of the config');

  const readRecord = (kind: string, name: string, object: Buffer): Plain => {
    const header = headerOf(object, 'CBRR');
    need(header.kind === RECORD_KINDS[kind], 'kind of the record');
    const context = [header.bytes, repository, ascii(`${kind}/${name}`)];
    const sort = kind === 'leases' ? 'control' : 'record';
    return unpack(payloadOf(cipher.open(sort, header, 0, context, bodyOf(object))).plain) as Plain;
  };

  // What counts
  const outcomes = new Map<string, Plain>();
  for (const [sid, object] of objectsOf(folder, 'snapshots'))
    outcomes.set(sid, readRecord('snapshots', sid, object));
  const forgotten = new Set(objectsOf(folder, 'forgotten').keys());
  const leases = new Map<string, Plain>();
  for (const [name, object] of objectsOf(folder, 'leases')) {
    if (name.startsWith('prune/')) leases.set(name, readRecord('leases', name, object));
  }
  const names = (record: Plain | undefined, segment: string): boolean =>
    ((record?.segments ?? []) as Buffer[]).some((each) => each.toString('hex') === segment);

  // Index segment
  const packs = new Map<string, PackChunks>();
  const chunks = { data: new Map<string, Buffer>(), tree: new Map<string, Buffer>() };
  for (const [name, object] of objectsOf(folder, 'index')) {
    need(sha256(object).toString('hex') === name, 'its name is its SHA-256');
    const header = headerOf(object, 'CBRI');
    const segment = unpack(
      payloadOf(cipher.open('index', header, 0, [header.bytes], object.subarray(56))).plain,
    ) as Plain;
    const sid = (segment.session as Buffer | undefined)?.toString('hex');
    const outcome = sid === undefined ? undefined : outcomes.get(sid);
    const counts =
      sid === undefined
        ? names(leases.get(`prune/${(segment.epoch as number) + 1}`), name)
        : forgotten.has(sid) || outcome?.outcome === 'commit' || names(outcome, name);
    if (!counts) continue;
    const listed = segment.packs as { name: Buffer; kind: 'data' | 'tree'; size: number }[];
    for (const { name: packName, kind, size } of listed) {
      const hex = packName.toString('hex');
      const stored = readFileSync(join(folder, 'packs', hex.slice(0, 2), hex));
      need(stored.length === size, 'the size of a pack');
      if (!packs.has(hex)) packs.set(hex, chunksOfPack(hex, stored, cipher));
      need(packs.get(hex)!.kind === kind, 'the kind of a pack');
    }
    const column = (field: string): Buffer => segment[field] as Buffer;
    for (let row = 0; row < (segment.count as number); row++) {
      const id = column('ids').toString('hex', 32 * row, 32 * row + 32);
      const pack = packs.get(listed[column('pack').readUInt32LE(4 * row)]!.name.toString('hex'))!;
      const chunk = pack.chunks.get(id);
      need(
        chunk !== undefined && chunk.length === column('length').readUInt32LE(4 * row),
        'a row of the index',
      );
      chunks[pack.kind].set(id, chunk);
    }
  }

  const reached = new Set<string>();
  const chunk = (kind: 'data' | 'tree', id: Buffer, length: number): Buffer => {
    const found = chunks[kind].get(id.toString('hex'));
    need(found !== undefined && found.length === length, `a ${kind} chunk in a counting segment`);
    reached.add(id.toString('hex'));
    return found;
  };
  const snapshots: FoundSnapshot[] = [];
  for (const [id, outcome] of outcomes) {
    if (outcome.outcome !== 'commit' || forgotten.has(id)) continue;
    const entries = new Map<string, FoundEntry>();
    const root = outcome.root as { id: Buffer; length: number };
    walkTree([root.id, root.length], '', chunk, entries);
    snapshots.push({ id, about: outcome.about as Plain, entries });
  }
  const lengths = new Map(
    [...packs].map(([name, pack]) => [
      name,
      new Map([...pack.chunks].map(([id, { length }]) => [id, length])),
    ]),
  );
  return { config, snapshots, packs: lengths, reached };
}

function readConfig(folder: string): { config: Plain; mac: Buffer; name: Buffer; record: Buffer } {
  const numbers = [...objectsOf(folder, 'config').keys()].map(Number).sort((a, b) => b - a);
  const object = readFileSync(join(folder, 'config', String(numbers[0])));
  const header = headerOf(object, 'CBRR');
  need(header.kind === 1 && header.scheme === 0, 'kind and scheme of the config');
  const { config: record, mac } = unpack(bodyOf(object)) as { config: Buffer; mac: Buffer };
  return { config: unpack(record) as Plain, mac, name: Buffer.from(`config/${numbers[0]}`), record };
}

// Tree

type Reference = readonly [id: Buffer, length: number];
type ReadChunk = (kind: 'data' | 'tree', id: Buffer, length: number) => Buffer;

function walkTree(at: Reference, path: string, chunk: ReadChunk, into: Map<string, FoundEntry>): void {
  const [level, parts] = unpack(chunk('tree', ...at)) as [number, unknown[]];
  if (level > 0) {
    for (const [, below] of parts as [Buffer, Reference][]) walkTree(below, path, chunk, into);
    return;
  }
  for (const fields of parts as Record<number, unknown>[]) {
    const name = (fields[0] as Buffer).toString('latin1');
    const full = path === '' ? name : `${path}/${name}`;
    into.set(full, entryOf(fields, chunk));
    if (fields[21] !== undefined) walkTree(fields[21] as Reference, full, chunk, into);
  }
}

// Entry

function entryOf(fields: Record<number, unknown>, chunk: ReadChunk): FoundEntry {
  const xattrs = new Map<string, Buffer>();
  for (const [name, value] of (fields[12] ?? []) as [Buffer, Buffer | Reference][]) {
    xattrs.set(
      name.toString('latin1'),
      Buffer.isBuffer(value) ? value : chunk('tree', ...(value as Reference)),
    );
  }
  const { content, holes } = fields[1] === 0 ? contentOf(fields, chunk) : { content: undefined, holes: [] };
  return {
    type: fields[1] as number,
    mode: fields[2] as number,
    uid: fields[3] as number,
    gid: fields[4] as number,
    mtime: { seconds: fields[7] as number, nanoseconds: fields[8] as number },
    xattrs,
    content,
    holes,
    linkTarget: fields[18] as Buffer | undefined,
    linkGroup: (fields[17] as Buffer | undefined)?.toString('hex'),
  };
}

function contentOf(
  fields: Record<number, unknown>,
  chunk: ReadChunk,
): { content: Buffer; holes: [number, number][] } {
  const size = fields[13] as number;
  const parts: Buffer[] = [];
  const holes: [number, number][] = [];
  let at = 0;
  const take = (ids: Buffer, items: readonly number[]): void => {
    let next = 0;
    for (const item of items) {
      if (item < 0) holes.push([at, -item]);
      parts.push(item < 0 ? Buffer.alloc(-item) : chunk('data', ids.subarray(next, next + 32), item));
      if (item > 0) next += 32;
      at += Math.abs(item);
    }
    need(next === ids.length, 'as many ids as chunks');
  };
  const takeList = (reference: Reference): void => {
    const page = unpack(chunk('tree', ...reference)) as [number, unknown, number[]];
    if (page[0] === 0) {
      take(page[1] as Buffer, page[2]);
      return;
    }
    for (const [below, bytes] of page[1] as [Reference, number][]) {
      const before = at;
      takeList(below);
      need(at - before === bytes, 'the bytes below a page');
    }
  };
  if (fields[16] !== undefined) takeList(fields[16] as Reference);
  else if (fields[15] !== undefined) take(fields[14] as Buffer, fields[15] as number[]);
  else if (fields[14] !== undefined) take(fields[14] as Buffer, [size]);
  need(at === size, 'items that add up to the size');
  return { content: Buffer.concat(parts), holes };
}
