import type { Chunks, Reference } from './chunks.js';
import { type Content, checkItems, type Entry, parseEntry, parseItems, parseReference } from './entry.js';
import { Damage, OutOfReach, rethrowUnlessDamage } from './failure.js';
import { bytesOf, intOf, listOf } from './fields.js';
import { decode, type Value } from './msgpack.js';

/** Trees and content lists, page by page: docs/format.md, "Tree" and "Content list". */

const MOST_LEVELS = 8;
const MOST_ITEMS = 4096;

/** A page that cannot be had: the entries from that name on to the next one are lost. */
export interface LostPage {
  readonly lost: Damage | OutOfReach;
  readonly page: Reference;
  /** Name of its first entry; absent for a whole tree. */
  readonly from: Buffer | undefined;
}

export interface Walked {
  readonly entry: Entry;
  /** It is in a page of which `wasLost` said so. */
  readonly isNew: boolean;
}

/** The entries of a directory in their order; a lost page does not end it. `wasLost` is asked once for each page. */
export function* entriesOf(
  chunks: Chunks,
  tree: Reference,
  wasLost: (page: Reference) => boolean = () => false,
): Generator<Walked | LostPage> {
  yield* entriesOfPage(
    chunks,
    { page: tree, from: undefined, until: undefined, below: MOST_LEVELS + 1, isNew: false },
    wasLost,
  );
}

interface PageToRead {
  readonly page: Reference;
  readonly from: Buffer | undefined;
  /** Name that the next page begins with: no name comes twice. */
  readonly until: Buffer | undefined;
  readonly below: number;
  readonly isNew: boolean;
}

function* entriesOfPage(
  chunks: Chunks,
  { page, from, until, below, isNew: isInNew }: PageToRead,
  wasLost: (page: Reference) => boolean,
): Generator<Walked | LostPage> {
  const isNew = wasLost(page) || isInNew;
  let parsed: TreePage;
  try {
    parsed = parseTreePage(chunks.read('tree', page), below, from, until);
  } catch (error) {
    yield { lost: lossOf(error), page, from };
    return;
  }
  for (const entry of parsed.entries) yield { entry, isNew };
  for (const [i, { reference, first }] of parsed.parts.entries()) {
    const next = parsed.parts[i + 1]?.first ?? until;
    const part = { page: reference, from: first, until: next, below: parsed.level, isNew };
    yield* entriesOfPage(chunks, part, wasLost);
  }
}

interface TreePage {
  readonly level: number;
  readonly entries: readonly Entry[];
  readonly parts: readonly { readonly first: Buffer; readonly reference: Reference }[];
}

/**
 * Throws Damage for what is no page of a level lower than `below` that begins with the name `from` and ends before `until`, if they are
 * given.
 */
export function parseTreePage(bytes: Buffer, below: number, from?: Buffer, until?: Buffer): TreePage {
  const [levelValue, listed] = listOf(decode(bytes), 2, 'a tree');
  const level = intOf(levelValue, 0, below - 1, 'the level of a tree');
  const list = listOf(listed, Number.MAX_SAFE_INTEGER, 'a tree');
  const entries = level === 0 ? list.map(parseEntry) : [];
  const parts = level === 0 ? [] : list.map(parsePart);
  const names = level === 0 ? entries.map(({ name }) => name) : parts.map(({ first }) => first);
  const isSorted = names.every((name, i) => i === 0 || (names[i - 1] ?? name).compare(name) < 0);
  const beginsRight = from === undefined || names[0]?.equals(from) === true;
  const endsRight = until === undefined || (names.at(-1)?.compare(until) ?? -1) < 0;
  if (!isSorted || !beginsRight || !endsRight || (level > 0 && parts.length === 0))
    throw new Damage('a tree out of order');
  return { level, entries, parts };
}

function parsePart(value: Value): { first: Buffer; reference: Reference } {
  const [first, reference] = listOf(value, 2, 'a part of a tree');
  return { first: bytesOf(first, 0, 65_535, 'a part of a tree'), reference: parseReference(reference) };
}

/** A chunk of a file and where it begins. */
export interface Piece extends Reference {
  readonly offset: number;
}

/** The chunks of a file in their order; what lies between them is holes. Throws OutOfReach and Damage. */
export function* piecesOf(chunks: Chunks, content: Content): Generator<Piece> {
  if (content.list === undefined) yield* piecesOfItems(content.ids, content.items, 0);
  else yield* piecesOfPage(chunks, content.list, 0, content.size, MOST_LEVELS + 1);
}

function* piecesOfItems(ids: Buffer, items: readonly number[], begin: number): Generator<Piece> {
  let offset = begin;
  let at = 0;
  for (const item of items) {
    if (item > 0) {
      yield { id: ids.subarray(at, at + 32), length: item, offset };
      at += 32;
    }
    offset += Math.abs(item);
  }
}

function* piecesOfPage(
  chunks: Chunks,
  reference: Reference,
  begin: number,
  bytes: number,
  below: number,
): Generator<Piece> {
  const page = parseContentPage(chunks.read('tree', reference), bytes, below);
  yield* piecesOfItems(page.ids, page.items, begin);
  let offset = begin;
  for (const part of page.parts) {
    yield* piecesOfPage(chunks, part.reference, offset, part.bytes, page.level);
    offset += part.bytes;
  }
}

interface ContentPage {
  readonly level: number;
  readonly ids: Buffer;
  readonly items: readonly number[];
  readonly parts: readonly { readonly reference: Reference; readonly bytes: number }[];
}

/** Throws Damage for what is no page of a level lower than `below` that stands for so many bytes. */
export function parseContentPage(encoded: Buffer, bytes: number, below: number): ContentPage {
  const page = listOf(decode(encoded), 3, 'a content list');
  const level = intOf(page[0], 0, below - 1, 'the level of a content list');
  if (page.length !== (level === 0 ? 3 : 2)) throw new Damage('a content list of another length');
  if (level === 0) {
    const ids = bytesOf(page[1], 0, 32 * MOST_ITEMS, 'the ids of a content list');
    const items = parseItems(page[2], MOST_ITEMS);
    checkItems(ids, items, bytes);
    return { level, ids, items, parts: [] };
  }
  const parts = listOf(page[1], MOST_ITEMS, 'a content list').map((value) => {
    const [reference, part] = listOf(value, 2, 'a part of a content list');
    return {
      reference: parseReference(reference),
      bytes: intOf(part, 1, Number.MAX_SAFE_INTEGER, 'a part of a content list'),
    };
  });
  const sum = parts.reduce((total, part) => total + part.bytes, 0);
  if (sum !== bytes) throw new Damage('a content list that does not add up');
  return { level, ids: Buffer.alloc(0), items: [], parts };
}

/** What was thrown, if it says something of what is stored; other errors go on. */
export function lossOf(error: unknown): Damage | OutOfReach {
  if (error instanceof OutOfReach) return error;
  rethrowUnlessDamage(error);
  return error;
}
