import { createHash } from 'node:crypto';
import { MessagePackReader, type MessagePackWriter } from '../../core/index.js';
import { ENTRY_TYPES, type EntryType } from '../../fs/index.js';
import type { Content, Entry, TimeStamp } from '../entry.js';
import { idsOf, writeItems } from '../entry.js';
import { encodeEntry } from '../tree.js';

/** What the path index keeps of an entry: enough to show it, and to tell one version from another. */
export interface PathState {
  readonly type: EntryType;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: TimeStamp;
  /** Files: bytes. */
  readonly size: number | undefined;
  /** 16 raw bytes that are the same for the same content of a file, target of a symlink or device; '' for other types. */
  readonly content: string;
  /** 8 raw bytes that are the same when all else is: names of the owners, birth time, flags, attributes, link group. */
  readonly rest: string;
}

const CONTENT_BYTES = 16;
const REST_BYTES = 8;

export function stateOf(entry: Entry, writer: MessagePackWriter): PathState {
  const { type, mode, uid, gid, mtime, size } = entry;
  return {
    type,
    mode,
    uid,
    gid,
    mtime,
    size,
    content: contentIdentity(entry, writer),
    rest: restIdentity(entry, writer),
  };
}

function digest(bytes: Uint8Array, length: number): string {
  return createHash('sha256').update(bytes).digest().toString('latin1', 0, length);
}

function contentIdentity({ content, size, linkTarget, device }: Entry, writer: MessagePackWriter): string {
  if (content !== undefined) return fileIdentity(content, size ?? 0, writer);
  writer.reset();
  if (linkTarget !== undefined) writer.latin1(linkTarget);
  else if (device !== undefined) writer.int(device.major).int(device.minor);
  else return '';
  return digest(writer.finish(), CONTENT_BYTES);
}

function fileIdentity(content: Content, size: number, writer: MessagePackWriter): string {
  if (content.kind === 'list') return content.root.id.slice(0, CONTENT_BYTES);
  const [first, second] = content.items;
  // The commonest by far, and hashed already.
  if (first?.id !== undefined && second === undefined) return first.id.slice(0, CONTENT_BYTES);
  writer.reset();
  writer.int(size).latin1(idsOf(content.items));
  writeItems(writer, content.items);
  return digest(writer.finish(), CONTENT_BYTES);
}

function restIdentity(entry: Entry, writer: MessagePackWriter): string {
  const { user, group, birthTime, flags, xattrs, linkGroup } = entry;
  const rest: Entry = {
    ...{ name: '', type: 'fifo', mode: 0, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } },
    ...{ user, group, birthTime, flags, xattrs, linkGroup },
  };
  return digest(encodeEntry(rest, writer).bytes, REST_BYTES);
}

/** Stands in the place of the type when there is no entry any more. */
const GONE = ENTRY_TYPES.length;

/** The bytes of a state, or of none: the path is gone. */
export function encodeState(state: PathState | undefined, writer: MessagePackWriter): Buffer {
  writer.reset();
  if (state === undefined) return writer.int(GONE).finish();
  const { type, mode, uid, gid, mtime, size, content, rest } = state;
  writer.int(ENTRY_TYPES.indexOf(type)).int(mode).int(uid).int(gid);
  writer.int(mtime.seconds).int(mtime.nanoseconds);
  writer.latin1(content).latin1(rest);
  if (size !== undefined) writer.int(size);
  return writer.finish();
}

/** Rejects with FormatError what `encodeState` did not write. */
export function decodeState(bytes: Uint8Array): PathState | undefined {
  const reader = new MessagePackReader(bytes, 'path index');
  const type = ENTRY_TYPES[reader.int(0, GONE)];
  if (type === undefined) {
    reader.end();
    return undefined;
  }
  const [mode, uid, gid] = [reader.int(0, 0o7777), reader.int(0, 0xffffffff), reader.int(0, 0xffffffff)];
  const most = Number.MAX_SAFE_INTEGER;
  const mtime = { seconds: reader.int(-most, most), nanoseconds: reader.int(0, 999_999_999) };
  const [content, rest] = [reader.latin1(CONTENT_BYTES), reader.latin1(REST_BYTES)];
  const size = type === 'file' ? reader.int(0, most) : undefined;
  reader.end();
  return { type, mode, uid, gid, mtime, size, content, rest };
}

/** Whether nothing that the index keeps differs. */
export function isSameState(a: PathState | undefined, b: PathState | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.type === b.type &&
    a.content === b.content &&
    a.rest === b.rest &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.size === b.size &&
    a.mtime.seconds === b.mtime.seconds &&
    a.mtime.nanoseconds === b.mtime.nanoseconds
  );
}
