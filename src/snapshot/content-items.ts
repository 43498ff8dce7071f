import {
  CHUNK_ID_BYTES,
  type ChunkId,
  LIMITS,
  type MessagePackReader,
  type MessagePackWriter,
} from '../core/index.js';

/** Content as entries and content lists name it (docs/format.md, "Entry"): chunks with their lengths, and holes. */

/** A chunk of content, or a hole: bytes that were never written. */
export type ContentItem =
  | { readonly id: ChunkId; readonly length: number }
  | { readonly id?: undefined; readonly hole: number };

/** Where a chunk is named with its plain length: trees, pages of lists, large attribute values. */
export interface ChunkReference {
  readonly id: ChunkId;
  readonly length: number;
}

export function writeReference(writer: MessagePackWriter, reference: ChunkReference): void {
  writer.array(2).latin1(reference.id).int(reference.length);
}

export function readReference(reader: MessagePackReader): ChunkReference {
  if (reader.array() !== 2) reader.fail('a chunk reference expected');
  const id = readId(reader);
  return { id, length: reader.int(1, LIMITS.chunk) };
}

function readId(reader: MessagePackReader): ChunkId {
  const id = reader.latin1(CHUNK_ID_BYTES);
  if (id.length !== CHUNK_ID_BYTES) reader.fail('a chunk id expected');
  return id as ChunkId;
}

/** The chunk ids of content items, one behind the other. */
export function idsOf(items: readonly ContentItem[]): string {
  let ids = '';
  for (const item of items) if (item.id !== undefined) ids += item.id;
  return ids;
}

/** Content items beside their ids: a positive number is the length of the next chunk, a negative one a hole. */
export function writeItems(writer: MessagePackWriter, items: readonly ContentItem[]): void {
  writer.array(items.length);
  for (const item of items) writer.int(item.id === undefined ? -item.hole : item.length);
}

export function readItems(reader: MessagePackReader, ids: string, most: number): ContentItem[] {
  const count = reader.array();
  if (count > most) reader.fail(`${count} content items, at most ${most} allowed`);
  const items: ContentItem[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const length = reader.int(-Number.MAX_SAFE_INTEGER, LIMITS.chunk);
    if (length === 0) reader.fail('a content item of no bytes');
    if (length < 0) items.push({ hole: -length });
    else {
      const id = ids.slice(at, at + CHUNK_ID_BYTES) as ChunkId;
      at += CHUNK_ID_BYTES;
      if (id.length !== CHUNK_ID_BYTES) reader.fail('fewer ids than chunks');
      items.push({ id, length });
    }
  }
  if (at !== ids.length) reader.fail('more ids than chunks');
  return items;
}

export function itemBytes(item: ContentItem): number {
  return item.id === undefined ? item.hole : item.length;
}
