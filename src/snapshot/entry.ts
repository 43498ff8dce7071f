import {
  CHUNK_ID_BYTES,
  type ChunkId,
  LIMITS,
  type MessagePackReader,
  type MessagePackWriter,
} from '../core/index.js';
import { ENTRY_TYPES, type EntryType } from '../fs/index.js';
import {
  type ChunkReference,
  type ContentItem,
  idsOf,
  itemBytes,
  readItems,
  readReference,
  writeItems,
  writeReference,
} from './content-items.js';

export * from './content-items.js';

/** One name in a tree and all that restore can set (docs/format.md, "Entry"). */

export type Content =
  | { readonly kind: 'items'; readonly items: readonly ContentItem[] }
  /** Pages in tree packs: too many items for an entry. */
  | { readonly kind: 'list'; readonly root: ChunkReference };

export interface TimeStamp {
  /** Since 1970, negative before. */
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface ExtendedAttribute {
  /** Raw bytes as latin1 text. */
  readonly name: string;
  readonly value: Uint8Array | ChunkReference;
}

export interface Entry {
  /** Raw bytes as latin1 text. */
  readonly name: string;
  readonly type: EntryType;
  /** Permission bits with setuid, setgid and sticky: mode & 07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly mtime: TimeStamp;
  readonly birthTime?: TimeStamp | undefined;
  /** Inode flags that chattr can set. */
  readonly flags?: number | undefined;
  readonly xattrs?: readonly ExtendedAttribute[] | undefined;
  /** Files: bytes. */
  readonly size?: number | undefined;
  readonly content?: Content | undefined;
  /** Files with several names: 8 bytes as latin1 text, the same for all names of one inode. */
  readonly linkGroup?: string | undefined;
  /** Symlinks: raw bytes as latin1 text. */
  readonly linkTarget?: string | undefined;
  /** Devices. */
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
  /** Directories. */
  readonly tree?: ChunkReference | undefined;
}

/** Field numbers, in the order in which they are written. */
export const FIELD = Object.freeze({
  name: 0,
  type: 1,
  mode: 2,
  uid: 3,
  gid: 4,
  user: 5,
  group: 6,
  mtimeSeconds: 7,
  mtimeNanoseconds: 8,
  birthSeconds: 9,
  birthNanoseconds: 10,
  flags: 11,
  xattrs: 12,
  size: 13,
  chunkIds: 14,
  items: 15,
  list: 16,
  linkGroup: 17,
  linkTarget: 18,
  deviceMajor: 19,
  deviceMinor: 20,
  tree: 21,
});

/** What later versions may say of an entry: who does not know it passes over it. Nothing in it names a chunk. */
export const FIRST_OPTIONAL_FIELD = 64;
export const LAST_OPTIONAL_FIELD = 127;

/** Items an entry holds itself; longer contents go into list pages. */
export const MAX_INLINE_ITEMS = 64;
/** Linux lists at most 64 KiB of names, each of two bytes at least. */
export const MAX_XATTRS = 32_768;
export const MAX_XATTR_VALUE = 64 * 1024;
const ROOT_SECONDS = Number.MAX_SAFE_INTEGER;

/** The commonest content, one chunk of the size of the file, is written without its length. */
function isWhole(items: readonly ContentItem[], size: number | undefined): boolean {
  return items.length === 1 && items[0]!.id !== undefined && items[0]!.length === size;
}

function countFields(entry: Entry): number {
  const items = entry.content?.kind === 'items' ? entry.content.items : undefined;
  return (
    7 +
    (entry.user === undefined ? 0 : 1) +
    (entry.group === undefined ? 0 : 1) +
    (entry.birthTime === undefined ? 0 : 2) +
    (entry.flags === undefined ? 0 : 1) +
    (entry.xattrs === undefined ? 0 : 1) +
    (entry.size === undefined ? 0 : 1) +
    (items === undefined || items.length === 0 ? 0 : isWhole(items, entry.size) ? 1 : 2) +
    (entry.content?.kind === 'list' ? 1 : 0) +
    (entry.linkGroup === undefined ? 0 : 1) +
    (entry.linkTarget === undefined ? 0 : 1) +
    (entry.device === undefined ? 0 : 2) +
    (entry.tree === undefined ? 0 : 1)
  );
}

export function writeEntry(writer: MessagePackWriter, entry: Entry): void {
  writer.map(countFields(entry));
  writer.int(FIELD.name).latin1(entry.name);
  writer.int(FIELD.type).int(ENTRY_TYPES.indexOf(entry.type));
  writer.int(FIELD.mode).int(entry.mode);
  writer.int(FIELD.uid).int(entry.uid);
  writer.int(FIELD.gid).int(entry.gid);
  if (entry.user !== undefined) writer.int(FIELD.user).str(entry.user);
  if (entry.group !== undefined) writer.int(FIELD.group).str(entry.group);
  writer.int(FIELD.mtimeSeconds).int(entry.mtime.seconds);
  writer.int(FIELD.mtimeNanoseconds).int(entry.mtime.nanoseconds);
  if (entry.birthTime !== undefined) {
    writer.int(FIELD.birthSeconds).int(entry.birthTime.seconds);
    writer.int(FIELD.birthNanoseconds).int(entry.birthTime.nanoseconds);
  }
  if (entry.flags !== undefined) writer.int(FIELD.flags).int(entry.flags);
  if (entry.xattrs !== undefined) {
    writer.int(FIELD.xattrs).array(entry.xattrs.length);
    for (const { name, value } of entry.xattrs) {
      writer.array(2).latin1(name);
      if (value instanceof Uint8Array) writer.bin(value);
      else writeReference(writer, value);
    }
  }
  if (entry.size !== undefined) writer.int(FIELD.size).int(entry.size);
  writeContent(writer, entry);
  if (entry.linkGroup !== undefined) writer.int(FIELD.linkGroup).latin1(entry.linkGroup);
  if (entry.linkTarget !== undefined) writer.int(FIELD.linkTarget).latin1(entry.linkTarget);
  if (entry.device !== undefined) {
    writer.int(FIELD.deviceMajor).int(entry.device.major);
    writer.int(FIELD.deviceMinor).int(entry.device.minor);
  }
  if (entry.tree !== undefined) {
    writer.int(FIELD.tree);
    writeReference(writer, entry.tree);
  }
}

function writeContent(writer: MessagePackWriter, entry: Entry): void {
  const { content } = entry;
  if (content === undefined) return;
  if (content.kind === 'list') {
    writer.int(FIELD.list);
    writeReference(writer, content.root);
    return;
  }
  const { items } = content;
  if (items.length === 0) return;
  writer.int(FIELD.chunkIds);
  if (isWhole(items, entry.size)) {
    writer.latin1(items[0]!.id as string);
    return;
  }
  writer.latin1(idsOf(items)).int(FIELD.items);
  writeItems(writer, items);
}

/** An entry while it is read. All its fields exist from the start: objects of one shape are several times cheaper. */
type Draft = { -readonly [K in keyof Required<Entry>]: Entry[K] | undefined };

function newDraft(): Draft {
  return {
    name: undefined,
    type: undefined,
    mode: undefined,
    uid: undefined,
    gid: undefined,
    user: undefined,
    group: undefined,
    mtime: undefined,
    birthTime: undefined,
    flags: undefined,
    xattrs: undefined,
    size: undefined,
    content: undefined,
    linkGroup: undefined,
    linkTarget: undefined,
    device: undefined,
    tree: undefined,
  };
}

/**
 * Reads one entry from untrusted bytes. Rejects unknown or misplaced fields; names are checked where they are used to
 * write (src/fs), so that a forged one can still be shown.
 */
export function readEntry(reader: MessagePackReader): Entry {
  const count = reader.map();
  const entry = newDraft();
  let mtimeSeconds: number | undefined;
  let birthSeconds: number | undefined;
  let major: number | undefined;
  let ids: string | undefined;
  let last = -1;
  for (let i = 0; i < count; i++) {
    const field = reader.int(0, LAST_OPTIONAL_FIELD);
    if (field <= last) reader.fail(`field ${field} out of order`);
    last = field;
    switch (field) {
      case FIELD.name:
        entry.name = reader.latin1(LIMITS.name);
        break;
      case FIELD.type:
        entry.type = ENTRY_TYPES[reader.int(0, ENTRY_TYPES.length - 1)]!;
        break;
      case FIELD.mode:
        entry.mode = reader.int(0, 0o7777);
        break;
      case FIELD.uid:
        entry.uid = reader.int(0, 0xffffffff);
        break;
      case FIELD.gid:
        entry.gid = reader.int(0, 0xffffffff);
        break;
      case FIELD.user:
        entry.user = reader.str();
        break;
      case FIELD.group:
        entry.group = reader.str();
        break;
      case FIELD.mtimeSeconds:
        mtimeSeconds = reader.int(-ROOT_SECONDS, ROOT_SECONDS);
        break;
      case FIELD.mtimeNanoseconds:
        entry.mtime = {
          seconds: mtimeSeconds ?? reader.fail('nanoseconds alone'),
          nanoseconds: reader.int(0, 999_999_999),
        };
        break;
      case FIELD.birthSeconds:
        birthSeconds = reader.int(-ROOT_SECONDS, ROOT_SECONDS);
        break;
      case FIELD.birthNanoseconds:
        entry.birthTime = {
          seconds: birthSeconds ?? reader.fail('nanoseconds alone'),
          nanoseconds: reader.int(0, 999_999_999),
        };
        break;
      case FIELD.flags:
        entry.flags = reader.int(0, 0xffffffff);
        break;
      case FIELD.xattrs:
        entry.xattrs = readXattrs(reader);
        break;
      case FIELD.size:
        entry.size = reader.int(0, Number.MAX_SAFE_INTEGER);
        break;
      case FIELD.chunkIds:
        ids = reader.latin1(MAX_INLINE_ITEMS * CHUNK_ID_BYTES);
        break;
      case FIELD.items:
        entry.content = { kind: 'items', items: readItems(reader, ids ?? '', MAX_INLINE_ITEMS) };
        break;
      case FIELD.list:
        entry.content = { kind: 'list', root: readReference(reader) };
        break;
      case FIELD.linkGroup:
        entry.linkGroup = reader.binOf(8).toString('latin1');
        break;
      case FIELD.linkTarget:
        entry.linkTarget = reader.latin1(LIMITS.name);
        break;
      case FIELD.deviceMajor:
        major = reader.int(0, 0xffffffff);
        break;
      case FIELD.deviceMinor:
        entry.device = {
          major: major ?? reader.fail('device number alone'),
          minor: reader.int(0, 0xffffffff),
        };
        break;
      case FIELD.tree:
        entry.tree = readReference(reader);
        break;
      default:
        if (field < FIRST_OPTIONAL_FIELD) reader.fail(`field ${field} is not known`);
        reader.skip();
    }
  }
  return complete(entry, ids, reader);
}

function readXattrs(reader: MessagePackReader): ExtendedAttribute[] {
  const count = reader.array();
  if (count > MAX_XATTRS) reader.fail(`${count} extended attributes`);
  return Array.from({ length: count }, () => {
    if (reader.array() !== 2) reader.fail('an extended attribute expected');
    const name = reader.latin1(255);
    return {
      name,
      value: reader.isArray() ? readReference(reader) : Uint8Array.from(reader.bin(MAX_XATTR_VALUE)),
    };
  });
}

function complete(entry: Draft, ids: string | undefined, reader: MessagePackReader): Entry {
  const { name, type, mode, uid, gid, mtime } = entry;
  if (name === undefined || type === undefined || mode === undefined || mtime === undefined) {
    return reader.fail('an entry lacks a required field');
  }
  if (uid === undefined || gid === undefined) return reader.fail('an entry lacks its owner');
  if (type === 'file') {
    if (entry.size === undefined) return reader.fail('a file lacks its size');
    if (entry.content === undefined)
      entry.content = { kind: 'items', items: wholeContent(ids, entry.size, reader) };
    else checkContent(entry.content, ids, entry.size, reader);
  } else if (entry.content !== undefined || ids !== undefined) return reader.fail(`content of a ${type}`);
  if ((type === 'directory') !== (entry.tree !== undefined))
    return reader.fail('a tree where none belongs, or none where one does');
  if (type === 'symlink' && entry.linkTarget === undefined) return reader.fail('a symlink lacks its target');
  const isDevice = type === 'character device' || type === 'block device';
  if (isDevice !== (entry.device !== undefined)) return reader.fail('a device number missing or misplaced');
  return entry as Entry;
}

function checkContent(
  content: Content,
  ids: string | undefined,
  size: number,
  reader: MessagePackReader,
): void {
  if (content.kind === 'list') {
    if (ids !== undefined) reader.fail('content given twice');
    return;
  }
  if (content.items.reduce((sum, item) => sum + itemBytes(item), 0) !== size)
    reader.fail('content does not match its size');
}

function wholeContent(ids: string | undefined, size: number, reader: MessagePackReader): ContentItem[] {
  if (ids === undefined) {
    if (size !== 0) reader.fail(`a file of ${size} bytes has no content`);
    return [];
  }
  if (ids.length !== CHUNK_ID_BYTES || size < 1 || size > LIMITS.chunk)
    reader.fail('content does not match its size');
  return [{ id: ids as ChunkId, length: size }];
}
