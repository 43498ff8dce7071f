import { FormatError, LIMITS, MessagePackReader, MessagePackWriter } from '../core/index.js';
import type { ReadTreeChunk, StoreTreeChunk } from './content-list.js';
import {
  type ChunkReference,
  type Entry,
  readEntry,
  readReference,
  writeEntry,
  writeReference,
} from './entry.js';

/** The entries of one directory as chunks (docs/format.md, "Tree"): one page, or pages of pages for very many entries. */

/** Directories of up to this many entries are one page. */
const MAX_SINGLE_PAGE = 1024;
const MAX_PAGE_BYTES = 4 * 2 ** 20;
/** A page of a larger one begins at names whose hash has these bits zero: every 512th on average. */
const CUT_MASK = 0x1ff;
/** No page is cut before it has so many: whatever names someone plants, each level is far smaller than the one below. */
const MIN_PAGE_ENTRIES = 64;

/** An entry with its encoded bytes; what is unchanged is copied without being decoded. */
export interface EncodedEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface PageReference extends ChunkReference {
  readonly first: string;
}

/** FNV-1a over the raw bytes of a name: where pages are cut depends on names only. */
function nameHash(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function pageOf(level: number, parts: readonly Uint8Array[], bytes: number): Buffer {
  const writer = new MessagePackWriter(bytes + 16);
  writer.array(2).int(level).array(parts.length);
  for (const part of parts) writer.raw(part);
  return writer.finish();
}

/** Groups of parts for the pages of one level. */
function cut<T extends { readonly name: string; readonly bytes: Uint8Array }>(
  parts: readonly T[],
  level: number,
): T[][] {
  const pages: T[][] = [];
  let page: T[] = [];
  let bytes = 0;
  for (const part of parts) {
    const cutsHere =
      page.length >= MIN_PAGE_ENTRIES && ((nameHash(part.name) >>> (9 * level)) & CUT_MASK) === 0;
    if (cutsHere || (page.length > 0 && bytes + part.bytes.byteLength > MAX_PAGE_BYTES)) {
      pages.push(page);
      page = [];
      bytes = 0;
    }
    page.push(part);
    bytes += part.bytes.byteLength;
  }
  if (page.length > 0 || parts.length === 0) pages.push(page);
  return pages;
}

function sizeOf(parts: readonly { readonly bytes: Uint8Array }[]): number {
  return parts.reduce((sum, part) => sum + part.bytes.byteLength, 0);
}

/** Stores the entries of a directory, sorted by raw name bytes, and returns where its tree begins. */
export function storeTree(entries: readonly EncodedEntry[], store: StoreTreeChunk): ChunkReference {
  const total = sizeOf(entries);
  if (entries.length <= MAX_SINGLE_PAGE && total <= MAX_PAGE_BYTES) {
    return store(
      pageOf(
        0,
        entries.map((entry) => entry.bytes),
        total,
      ),
    );
  }
  let parts: readonly EncodedEntry[] = entries;
  for (let level = 0; ; level++) {
    const groups = level > 0 && parts.length <= MAX_SINGLE_PAGE ? [parts] : cut(parts, level);
    const pages = groups.map((group) => ({
      first: group[0]!.name,
      ...store(
        pageOf(
          level,
          group.map((part) => part.bytes),
          sizeOf(group),
        ),
      ),
    }));
    if (pages.length === 1) return { id: pages[0]!.id, length: pages[0]!.length };
    parts = pages.map((page) => ({ name: page.first, bytes: encodePageReference(page) }));
  }
}

function encodePageReference(page: PageReference): Buffer {
  const writer = new MessagePackWriter(64 + page.first.length);
  writer.array(2).latin1(page.first);
  writeReference(writer, page);
  return writer.finish();
}

export function encodeEntry(entry: Entry, writer = new MessagePackWriter(256)): EncodedEntry {
  writer.reset();
  writeEntry(writer, entry);
  return { name: entry.name, bytes: writer.finish() };
}

export type TreePage<E = EncodedEntry> =
  | { readonly level: 0; readonly entries: readonly E[] }
  | { readonly level: number; readonly pages: readonly PageReference[] };

/** Reads one page from untrusted bytes, entries by `takeEntry`; they must be sorted and unique. */
function readPage<E extends { readonly name: string }>(
  plain: Uint8Array,
  subject: string,
  takeEntry: (reader: MessagePackReader) => E,
): TreePage<E> {
  const reader = new MessagePackReader(plain, subject);
  if (reader.array() !== 2) reader.fail('a tree page expected');
  const level = reader.int(0, 8);
  const count = reader.array();
  let last: string | undefined;
  const inOrder = (name: string): string => {
    if (last !== undefined && name <= last) reader.fail('names are not sorted');
    last = name;
    return name;
  };
  if (level === 0) {
    const entries: E[] = [];
    for (let i = 0; i < count; i++) {
      const entry = takeEntry(reader);
      inOrder(entry.name);
      entries.push(entry);
    }
    reader.end();
    return { level: 0, entries };
  }
  const pages: PageReference[] = [];
  for (let i = 0; i < count; i++) {
    if (reader.array() !== 2) reader.fail('a page reference expected');
    pages.push({ first: inOrder(reader.latin1(LIMITS.name)), ...readReference(reader) });
  }
  reader.end();
  return { level, pages };
}

function takeEncoded(reader: MessagePackReader): EncodedEntry {
  const bytes = reader.skip();
  const nameReader = new MessagePackReader(bytes, reader.subject);
  nameReader.map();
  if (nameReader.int(0, 0xff) !== 0) nameReader.fail('an entry begins with its name');
  return { name: nameReader.latin1(LIMITS.name), bytes };
}

/** A page with its entries as they are stored. */
export function readTreePage(plain: Uint8Array, subject: string): TreePage {
  return readPage(plain, subject, takeEncoded);
}

/** A page with its entries decoded. */
export function readDecodedPage(plain: Uint8Array, subject: string): TreePage<Entry> {
  return readPage(plain, subject, readEntry);
}

/** The entries of a directory in order, undecoded, one page after another. Rejects when one is missing or damaged. */
export async function* treePages(
  root: ChunkReference,
  read: ReadTreeChunk,
  mostLevel = 8,
): AsyncGenerator<readonly EncodedEntry[]> {
  const page = readTreePage(await read(root), 'tree');
  if (page.level > mostLevel) throw new FormatError('tree: pages are nested wrongly');
  if ('entries' in page) yield page.entries;
  else for (const below of page.pages) yield* treePages(below, read, page.level - 1);
}

export function decodeEntry(encoded: EncodedEntry): Entry {
  const reader = new MessagePackReader(encoded.bytes, 'tree entry');
  const entry = readEntry(reader);
  reader.end();
  return entry;
}

/** All entries of a directory, decoded. */
export async function readTree(root: ChunkReference, read: ReadTreeChunk): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const page of treePages(root, read)) for (const each of page) entries.push(decodeEntry(each));
  return entries;
}

/** The entry of one name, or undefined. Reads only the pages on the way to it. */
export async function findEntry(
  root: ChunkReference,
  name: string,
  read: ReadTreeChunk,
): Promise<Entry | undefined> {
  let at = root;
  for (let mostLevel = 8; ; ) {
    const page = readTreePage(await read(at), 'tree');
    if (page.level > mostLevel) throw new FormatError('tree: pages are nested wrongly');
    mostLevel = page.level - 1;
    if ('entries' in page) {
      const found = page.entries.find((entry) => entry.name === name);
      return found === undefined ? undefined : decodeEntry(found);
    }
    const below = page.pages.findLast((each) => each.first <= name);
    if (below === undefined) return undefined;
    at = below;
  }
}
