import type { Reference } from './chunks.js';
import { Damage } from './failure.js';
import { bytesOf, intOf, listOf, textOf } from './fields.js';
import { MapValue, type Value } from './msgpack.js';

/** One name of a folder: docs/format.md, "Entry". */

export const TYPES = [
  'file',
  'directory',
  'symlink',
  'fifo',
  'socket',
  'character device',
  'block device',
] as const;

export type EntryType = (typeof TYPES)[number];

export interface Entry {
  readonly name: Buffer;
  readonly type: EntryType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string | undefined;
  readonly groupName: string | undefined;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly flags: number;
  /** Values that are chunks are told by their references. */
  readonly attributes: readonly { readonly name: Buffer; readonly value: Buffer | Reference }[];
  readonly linkGroup: Buffer | undefined;
  /** Of files. */
  readonly content: Content | undefined;
  /** Of symlinks. */
  readonly target: Buffer | undefined;
  /** Of directories. */
  readonly tree: Reference | undefined;
}

export interface Content {
  readonly size: number;
  readonly ids: Buffer;
  /** Lengths of chunks, whose ids follow each other in `ids`, and of holes, which are negative. */
  readonly items: readonly number[];
  /** Instead of both, for many items. */
  readonly list: Reference | undefined;
}

const MOST_CHUNK_BYTES = 8 * 2 ** 20;
const MOST_U32 = 2 ** 32 - 1;
const LAST_FIELD = 21;
const RESERVED = { from: 64, to: 127 };

/** Throws Damage for what is no entry. Names that must not be restored are decoded like others. */
export function parseEntry(value: Value): Entry {
  const fields = fieldsOf(value);
  const int = (field: number, most: number): number =>
    intOf(fields.get(field), 0, most, `field ${field} of an entry`);
  const type = TYPES[int(1, TYPES.length - 1)];
  if (type === undefined) throw new Damage('an entry of an unknown type');
  const optionalText = (field: number): string | undefined =>
    fields.has(field) ? textOf(fields.get(field), 2 ** 20, `field ${field} of an entry`) : undefined;
  checkFields(fields, type);
  return {
    name: bytesOf(fields.get(0), 0, 65_535, 'the name of an entry'),
    type,
    mode: int(2, 0o7777),
    uid: int(3, MOST_U32),
    gid: int(4, MOST_U32),
    userName: optionalText(5),
    groupName: optionalText(6),
    seconds: intOf(fields.get(7), Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 'the time of an entry'),
    nanoseconds: int(8, 999_999_999),
    flags: fields.has(11) ? int(11, MOST_U32) : 0,
    attributes: fields.has(12) ? listOf(fields.get(12), 32_768, 'attributes').map(parseAttribute) : [],
    linkGroup: fields.has(17) ? bytesOf(fields.get(17), 8, 8, 'a hard-link group') : undefined,
    content: type === 'file' ? parseContent(fields) : undefined,
    target: type === 'symlink' ? bytesOf(fields.get(18), 0, 65_535, 'a link target') : undefined,
    tree: type === 'directory' ? parseReference(fields.get(21)) : undefined,
  };
}

function fieldsOf(value: Value): ReadonlyMap<number, Value> {
  if (!(value instanceof MapValue)) throw new Damage('an entry is not a map');
  const fields = new Map<number, Value>();
  let previous = -1;
  for (const [key, each] of value.pairs) {
    const isKnown =
      typeof key === 'number' &&
      key > previous &&
      (key <= LAST_FIELD || (key >= RESERVED.from && key <= RESERVED.to));
    if (!isKnown) throw new Damage('an entry with a field that is unknown or misplaced');
    fields.set(key, each);
    previous = key;
  }
  return fields;
}

/** Fields that belong together, and to types of entries. */
function checkFields(fields: ReadonlyMap<number, Value>, type: EntryType): void {
  const isDevice = type === 'character device' || type === 'block device';
  const only = (field: number, isHere: boolean): boolean => isHere || !fields.has(field);
  const isRight =
    fields.has(9) === fields.has(10) &&
    fields.has(19) === isDevice &&
    fields.has(20) === isDevice &&
    [13, 14, 15, 16].every((field) => only(field, type === 'file')) &&
    only(18, type === 'symlink') &&
    only(21, type === 'directory');
  if (!isRight) throw new Damage('an entry with fields that do not belong together');
}

function parseContent(fields: ReadonlyMap<number, Value>): Content {
  const size = intOf(fields.get(13), 0, Number.MAX_SAFE_INTEGER, 'the size of a file');
  const none = Buffer.alloc(0);
  if (fields.has(16)) {
    if (fields.has(14) || fields.has(15)) throw new Damage('a file with two contents');
    return { size, ids: none, items: [], list: parseReference(fields.get(16)) };
  }
  if (!fields.has(14)) {
    if (size !== 0 || fields.has(15)) throw new Damage('a file without its content');
    return { size, ids: none, items: [], list: undefined };
  }
  const ids = bytesOf(fields.get(14), 0, 32 * 64, 'the ids of a file');
  const items = fields.has(15) ? parseItems(fields.get(15), 64) : [size];
  checkItems(ids, items, size);
  return { size, ids, items, list: undefined };
}

/** Throws Damage unless it is a list of items. */
export function parseItems(value: Value | undefined, most: number): number[] {
  const items = listOf(value, most, 'the items of a file').map((item) =>
    intOf(item, Number.MIN_SAFE_INTEGER, MOST_CHUNK_BYTES, 'an item of a file'),
  );
  if (items.length === 0 || items.includes(0)) throw new Damage('a file with an item of nothing');
  return items;
}

/** Throws Damage unless there is an id for each chunk and the items add up. */
export function checkItems(ids: Buffer, items: readonly number[], size: number): void {
  const chunks = items.filter((item) => item > 0).length;
  const bytes = items.reduce((sum, item) => sum + Math.abs(item), 0);
  const isRight =
    items.every((item) => item <= MOST_CHUNK_BYTES) && ids.length === 32 * chunks && bytes === size;
  if (!isRight) throw new Damage('a file whose items do not add up');
}

/** Throws Damage for what is no reference. */
export function parseReference(value: Value | undefined): Reference {
  const [id, length] = listOf(value, 2, 'a reference');
  return {
    id: bytesOf(id, 32, 32, 'the id of a reference'),
    length: intOf(length, 1, MOST_CHUNK_BYTES, 'the length of a reference'),
  };
}

function parseAttribute(value: Value): { name: Buffer; value: Buffer | Reference } {
  const [name, content] = listOf(value, 2, 'an attribute');
  return {
    name: bytesOf(name, 0, 255, 'the name of an attribute'),
    value: Buffer.isBuffer(content) ? bytesOf(content, 0, 65_536, 'an attribute') : parseReference(content),
  };
}
