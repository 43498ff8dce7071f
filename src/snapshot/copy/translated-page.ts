import { CHUNK_ID_BYTES, type ChunkId, MessagePackReader, MessagePackWriter } from '../../core/index.js';
import { type ChunkReference, readReference, writeReference } from '../content-items.js';
import { FIELD, LAST_OPTIONAL_FIELD, MAX_INLINE_ITEMS, MAX_XATTR_VALUE } from '../entry.js';

/** What the chunks that a page names are called elsewhere. */
export interface Translation {
  /** A page below, and the tree of a folder. */
  tree(reference: ChunkReference): ChunkReference;
  list(root: ChunkReference): ChunkReference;
  attribute(value: ChunkReference): ChunkReference;
  content(id: ChunkId): ChunkId;
}

/**
 * The same page of a tree with other names for its chunks, from the bytes of one whose references were read (see
 * `readTreeReferences`). All else stays as it is stored, also what only later versions understand.
 */
export function translatedPage(plain: Uint8Array, its: Translation): Buffer {
  const reader = new MessagePackReader(plain, 'tree');
  const writer = new MessagePackWriter(plain.byteLength + 256);
  writer.array(reader.array());
  const level = reader.int(0, 8);
  const count = reader.array();
  writer.int(level).array(count);
  for (let i = 0; i < count; i++) {
    if (level === 0) translateEntry(reader, writer, its);
    else {
      writer.array(reader.array()).raw(reader.skip());
      writeReference(writer, its.tree(readReference(reader)));
    }
  }
  reader.end();
  return writer.finish();
}

function translateEntry(reader: MessagePackReader, writer: MessagePackWriter, its: Translation): void {
  const count = reader.map();
  writer.map(count);
  for (let i = 0; i < count; i++) {
    const field = reader.int(0, LAST_OPTIONAL_FIELD);
    writer.int(field);
    switch (field) {
      case FIELD.xattrs:
        translateAttributes(reader, writer, its);
        break;
      case FIELD.chunkIds:
        writer.latin1(translatedIds(reader.latin1(MAX_INLINE_ITEMS * CHUNK_ID_BYTES), its));
        break;
      case FIELD.list:
        writeReference(writer, its.list(readReference(reader)));
        break;
      case FIELD.tree:
        writeReference(writer, its.tree(readReference(reader)));
        break;
      default:
        writer.raw(reader.skip());
    }
  }
}

function translatedIds(ids: string, its: Translation): string {
  let translated = '';
  for (let at = 0; at < ids.length; at += CHUNK_ID_BYTES)
    translated += its.content(ids.slice(at, at + CHUNK_ID_BYTES) as ChunkId);
  return translated;
}

function translateAttributes(reader: MessagePackReader, writer: MessagePackWriter, its: Translation): void {
  const count = reader.array();
  writer.array(count);
  for (let i = 0; i < count; i++) {
    writer.array(reader.array()).raw(reader.skip());
    if (reader.isArray()) writeReference(writer, its.attribute(readReference(reader)));
    else writer.bin(reader.bin(MAX_XATTR_VALUE));
  }
}
