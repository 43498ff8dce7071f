import { closeSync } from 'node:fs';
import {
  inodeFlags,
  type Owners,
  openSource,
  openSourceFolder,
  type Problem,
  type RawPath,
  readLink,
  readXattrs,
  readXattrsOfPath,
  type StatTable,
  type Xattr,
} from '../../fs/index.js';
import type { StoreTreeChunk } from '../content-list.js';
import type { ChunkReference, Content, Entry, ExtendedAttribute } from '../entry.js';
import type { FileNotes } from '../intake/tasks.js';

/** Attribute values above this are chunks of their own, so that trees stay small. */
const MAX_INLINE_XATTR = 4096;
/** And what is above this in all: one entry must fit in a chunk. */
const MAX_INLINE_XATTRS = 2 ** 20;

export interface SourceEntryContext {
  readonly owners: Owners;
  readonly storeTreeChunk: StoreTreeChunk;
  readonly problem: (problem: Problem) => void;
}

/**
 * The entry of one row with all fields that its type may have. One literal with every field makes all entries alike to the
 * engine: built from conditional parts they took a third of the main thread's time.
 */
function entryOf(
  name: string,
  stats: StatTable,
  row: number,
  its: SourceEntryContext,
  notes: FileNotes,
  rest: Pick<Entry, 'size' | 'content' | 'linkGroup' | 'linkTarget' | 'device' | 'tree'>,
): Entry {
  const uid = stats.uid(row);
  const gid = stats.gid(row);
  if (notes.problems !== undefined) for (const problem of notes.problems) its.problem(problem);
  return {
    name,
    type: stats.type(row)!,
    mode: stats.mode(row),
    uid,
    gid,
    user: its.owners.userName(uid),
    group: its.owners.groupName(gid),
    mtime: { seconds: stats.mtimeSeconds(row), nanoseconds: stats.mtimeNanoseconds(row) },
    birthTime: stats.hasBirthTime(row)
      ? { seconds: stats.birthSeconds(row), nanoseconds: stats.birthNanoseconds(row) }
      : undefined,
    flags: notes.flags === 0 ? undefined : notes.flags,
    xattrs: attributes(notes.xattrs, its),
    size: rest.size,
    content: rest.content,
    linkGroup: rest.linkGroup,
    linkTarget: rest.linkTarget,
    device: rest.device,
    tree: rest.tree,
  };
}

function attributes(
  xattrs: readonly Xattr[] | undefined,
  its: SourceEntryContext,
): readonly ExtendedAttribute[] | undefined {
  if (xattrs === undefined || xattrs.length === 0) return undefined;
  let inline = 0;
  return xattrs.map(({ name, value }) => {
    inline += value.byteLength;
    const isLarge =
      value.byteLength > MAX_INLINE_XATTR || (inline > MAX_INLINE_XATTRS && value.byteLength > 0);
    return { name, value: isLarge ? its.storeTreeChunk(value) : value };
  });
}

/** The entry of a file whose content was taken in. */
export function fileEntry(
  name: string,
  stats: StatTable,
  row: number,
  content: Content,
  size: number,
  linkGroup: string | undefined,
  notes: FileNotes,
  its: SourceEntryContext,
): Entry {
  return entryOf(name, stats, row, its, notes, { size, content, linkGroup });
}

/** What is said of a file whose content is not read, its row becoming the only one of `into`. Throws FileError (source). */
export function fileNotes(path: RawPath, into: StatTable): FileNotes {
  const problems: Problem[] = [];
  into.clear();
  const fd = openSource(path, into, 'none');
  try {
    return { xattrs: readXattrs(fd, path, problems), flags: inodeFlags(fd, path, problems), problems };
  } finally {
    closeSync(fd);
  }
}

/** The entry of a directory, whose own attributes are read here. */
export function folderEntry(
  name: string,
  stats: StatTable,
  row: number,
  path: RawPath,
  tree: ChunkReference,
  its: SourceEntryContext,
): Entry {
  return entryOf(name, stats, row, its, folderNotes(path), { tree });
}

function folderNotes(path: RawPath): FileNotes {
  const problems: Problem[] = [];
  let fd: number;
  try {
    fd = openSourceFolder(path, 'none');
  } catch {
    // Listed a moment ago, so its entries are known; without leave to open it, what can be read by path must do.
    const xattrs = readXattrsOfPath(path, problems, 'none');
    return { xattrs, problems };
  }
  try {
    const xattrs = readXattrs(fd, path, problems);
    return { xattrs, flags: inodeFlags(fd, path, problems), problems };
  } finally {
    closeSync(fd);
  }
}

/** The entry of a symlink, a fifo, a socket or a device. Throws FileError when it vanished or cannot be read. */
export function otherEntry(
  name: string,
  stats: StatTable,
  row: number,
  path: RawPath,
  linkGroup: string | undefined,
  its: SourceEntryContext,
): Entry {
  const problems: Problem[] = [];
  const xattrs = readXattrsOfPath(path, problems, 'none');
  const type = stats.type(row);
  const isDevice = type === 'character device' || type === 'block device';
  return entryOf(
    name,
    stats,
    row,
    its,
    { xattrs, problems },
    {
      linkGroup,
      linkTarget: type === 'symlink' ? readLink(path, 'none') : undefined,
      device: isDevice ? { major: stats.rdevMajor(row), minor: stats.rdevMinor(row) } : undefined,
    },
  );
}
