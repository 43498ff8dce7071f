import { CHUNK_ID_BYTES, type ChunkId, LIMITS, MessagePackReader } from '../../core/index.js';
import { ENTRY_TYPES, type EntryType } from '../../fs/index.js';
import { type ChunkReference, type ContentItem, readItems, readReference } from '../content-items.js';
import {
  FIELD,
  FIRST_OPTIONAL_FIELD,
  LAST_OPTIONAL_FIELD,
  MAX_INLINE_ITEMS,
  MAX_XATTR_VALUE,
  MAX_XATTRS,
} from '../entry.js';

/** Is told of what a tree page names, in the order of the page. */
export interface NamedByTree {
  page(below: ChunkReference, level: number): void;
  tree(root: ChunkReference): void;
  attribute(value: ChunkReference): void;
  /** `size`: that of the file. */
  list(root: ChunkReference, size: number): void;
  content(item: ContentItem): void;
}

/**
 * What one page of a tree names, from untrusted bytes, several times quicker than reading its entries: a walk through many
 * snapshots does little else. Passes over metadata, and rejects what may name chunks and is not understood. Pages below must
 * be below `mostLevel`.
 */
export function readTreeReferences(plain: Uint8Array, mostLevel: number, named: NamedByTree): void {
  const reader = new MessagePackReader(plain, 'tree');
  if (reader.array() !== 2) reader.fail('a tree page expected');
  const level = reader.int(0, 8);
  if (level > mostLevel) reader.fail('pages are nested wrongly');
  const count = reader.array();
  for (let i = 0; i < count; i++) {
    if (level === 0) {
      readEntryReferences(reader, named);
      continue;
    }
    if (reader.array() !== 2) reader.fail('a page reference expected');
    reader.pass();
    named.page(readReference(reader), level - 1);
  }
  reader.end();
}

function readEntryReferences(reader: MessagePackReader, named: NamedByTree): void {
  const count = reader.map();
  let last = -1;
  let type: EntryType | undefined;
  let size = 0;
  let ids: string | undefined;
  let hasContent = false;
  let hasList = false;
  let hasTree = false;
  for (let i = 0; i < count; i++) {
    const field = reader.int(0, LAST_OPTIONAL_FIELD);
    if (field <= last) reader.fail(`field ${field} out of order`);
    last = field;
    switch (field) {
      case FIELD.type:
        type = ENTRY_TYPES[reader.int(0, ENTRY_TYPES.length - 1)];
        break;
      case FIELD.xattrs:
        readAttributeReferences(reader, named);
        break;
      case FIELD.size:
        size = reader.int(0, Number.MAX_SAFE_INTEGER);
        break;
      case FIELD.chunkIds:
        ids = reader.latin1(MAX_INLINE_ITEMS * CHUNK_ID_BYTES);
        break;
      case FIELD.items:
        for (const item of readItems(reader, ids ?? '', MAX_INLINE_ITEMS)) named.content(item);
        hasContent = true;
        break;
      case FIELD.list:
        named.list(readReference(reader), size);
        hasContent = true;
        hasList = true;
        break;
      case FIELD.tree:
        named.tree(readReference(reader));
        hasTree = true;
        break;
      default:
        if (field > FIELD.tree && field < FIRST_OPTIONAL_FIELD) reader.fail(`field ${field} is not known`);
        reader.pass();
    }
  }
  if ((type === 'directory') !== hasTree) reader.fail('a tree where none belongs, or none where one does');
  if (hasList && ids !== undefined) reader.fail('content given twice');
  if (type === 'file') {
    if (!hasContent) readWholeContent(reader, ids, size, named);
  } else if (hasContent || ids !== undefined) reader.fail('content of what is no file');
}

/** The commonest content, one chunk of the size of the file, is written without its length. */
function readWholeContent(
  reader: MessagePackReader,
  ids: string | undefined,
  size: number,
  named: NamedByTree,
): void {
  if (ids === undefined) {
    if (size !== 0) reader.fail(`a file of ${size} bytes has no content`);
    return;
  }
  if (ids.length !== CHUNK_ID_BYTES || size < 1 || size > LIMITS.chunk)
    reader.fail('content does not match its size');
  named.content({ id: ids as ChunkId, length: size });
}

function readAttributeReferences(reader: MessagePackReader, named: NamedByTree): void {
  const count = reader.array();
  if (count > MAX_XATTRS) reader.fail(`${count} extended attributes`);
  for (let i = 0; i < count; i++) {
    if (reader.array() !== 2) reader.fail('an extended attribute expected');
    reader.pass();
    if (reader.isArray()) named.attribute(readReference(reader));
    else reader.bin(MAX_XATTR_VALUE);
  }
}
