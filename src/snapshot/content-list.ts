import { CHUNK_ID_BYTES, FormatError, MessagePackReader, MessagePackWriter } from '../core/index.js';
import {
  type ChunkReference,
  type Content,
  type ContentItem,
  idsOf,
  itemBytes,
  MAX_INLINE_ITEMS,
  readItems,
  readReference,
  writeItems,
  writeReference,
} from './entry.js';

/** Content of large files in list pages (docs/format.md, "Content list"), so that any offset is reached in few reads. */

const MIN_PAGE_ITEMS = 256;
export const MAX_PAGE_ITEMS = 4096;
/** A page ends behind an item whose id has these low bits zero, so that a change in the middle leaves most pages alike. */
const CUT_MASK = 0x3ff;

/** A page of the level below, with the bytes of content it stands for. */
interface PageReference extends ChunkReference {
  readonly bytes: number;
}

export type ListPage =
  | { readonly level: 0; readonly items: readonly ContentItem[] }
  | { readonly level: number; readonly pages: readonly PageReference[] };

/** Stores one chunk in a tree pack and says how to find it again. */
export type StoreTreeChunk = (plain: Uint8Array) => ChunkReference;

function endsPage(count: number, id: string | undefined): boolean {
  if (count >= MAX_PAGE_ITEMS) return true;
  if (count < MIN_PAGE_ITEMS || id === undefined) return false;
  const low = (id.charCodeAt(CHUNK_ID_BYTES - 2) << 8) | id.charCodeAt(CHUNK_ID_BYTES - 1);
  return (low & CUT_MASK) === 0;
}

/** Takes the items of one file in order and stores full pages as it goes. */
export class ContentListBuilder {
  private items: ContentItem[] = [];
  private itemsBytes = 0;
  private readonly levels: PageReference[][] = [];
  private paged = false;

  constructor(private readonly store: StoreTreeChunk) {}

  add(item: ContentItem): void {
    this.items.push(item);
    this.itemsBytes += itemBytes(item);
    if (endsPage(this.items.length, item.id)) this.closeItems();
  }

  finish(): Content {
    if (!this.paged && this.items.length <= MAX_INLINE_ITEMS) return { kind: 'items', items: this.items };
    return { kind: 'list', root: this.finishList() };
  }

  /** As `finish`, in pages however few items there are; at least one. */
  finishList(): ChunkReference {
    if (this.items.length > 0) this.closeItems();
    for (let level = 0; ; level++) {
      const pages = this.levels[level]!;
      const isTop = this.levels.length === level + 1;
      if (isTop && pages.length === 1) return { id: pages[0]!.id, length: pages[0]!.length };
      if (pages.length > 0) this.closeLevel(level);
    }
  }

  private closeItems(): void {
    const writer = new MessagePackWriter(40 * this.items.length);
    writer.array(3).int(0).latin1(idsOf(this.items));
    writeItems(writer, this.items);
    this.put(0, writer.finish(), this.itemsBytes);
    this.items = [];
    this.itemsBytes = 0;
  }

  private closeLevel(level: number): void {
    const pages = this.levels[level]!;
    const writer = new MessagePackWriter(48 * pages.length);
    writer
      .array(2)
      .int(level + 1)
      .array(pages.length);
    let bytes = 0;
    for (const page of pages) {
      writer.array(2);
      writeReference(writer, page);
      writer.int(page.bytes);
      bytes += page.bytes;
    }
    this.levels[level] = [];
    this.put(level + 1, writer.finish(), bytes);
  }

  private put(level: number, plain: Buffer, bytes: number): void {
    this.paged = true;
    const page = { ...this.store(plain), bytes };
    while (this.levels.length <= level) this.levels.push([]);
    this.levels[level]!.push(page);
    if (endsPage(this.levels[level]!.length, page.id)) this.closeLevel(level);
  }
}

/** Reads one page from untrusted bytes. */
export function readListPage(plain: Uint8Array, subject: string): ListPage {
  const reader = new MessagePackReader(plain, subject);
  const fields = reader.array();
  const level = reader.int(0, 8);
  if (fields !== (level === 0 ? 3 : 2)) reader.fail('a content list page expected');
  let page: ListPage;
  if (level === 0) {
    const ids = reader.latin1(MAX_PAGE_ITEMS * CHUNK_ID_BYTES);
    const items = readItems(reader, ids, MAX_PAGE_ITEMS);
    if (items.length === 0) reader.fail('a page of no items');
    page = { level: 0, items };
  } else {
    const count = reader.array();
    if (count < 1 || count > MAX_PAGE_ITEMS) reader.fail(`${count} pages`);
    const pages = Array.from({ length: count }, () => {
      if (reader.array() !== 2) reader.fail('a page reference expected');
      return { ...readReference(reader), bytes: reader.int(1, Number.MAX_SAFE_INTEGER) };
    });
    page = { level, pages };
  }
  reader.end();
  return page;
}

/** Reads a chunk out of a tree pack. */
export type ReadTreeChunk = (reference: ChunkReference) => Promise<Uint8Array>;

/**
 * The items of a content of `size` bytes in order, page by page. Rejects when pages are missing, damaged, nested wrongly or
 * do not hold `size` bytes: at the end when it is less, at once when it is more, for forged pages that name each other would
 * go on for ever.
 */
export async function* contentItems(
  content: Content,
  size: number,
  read: ReadTreeChunk,
): AsyncGenerator<readonly ContentItem[]> {
  if (content.kind === 'items') {
    yield content.items;
    return;
  }
  let left = size;
  for await (const items of listItems(content.root, read, 8)) {
    for (const item of items) left -= itemBytes(item);
    if (left < 0) throw new FormatError(`content list: it holds more than the ${size} bytes of its file`);
    yield items;
  }
  if (left > 0) throw new FormatError(`content list: it holds ${left} bytes less than its file`);
}

async function* listItems(
  reference: ChunkReference,
  read: ReadTreeChunk,
  mostLevel: number,
): AsyncGenerator<readonly ContentItem[]> {
  const page = readListPage(await read(reference), 'content list');
  if (page.level > mostLevel) throw new FormatError('content list: pages are nested wrongly');
  if ('items' in page) yield page.items;
  else for (const below of page.pages) yield* listItems(below, read, page.level - 1);
}
