import { closeSync } from 'node:fs';
import {
  inodeFlags,
  type Owners,
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

export interface SourceEntryContext {
  readonly owners: Owners;
  readonly storeTreeChunk: StoreTreeChunk;
  readonly problem: (problem: Problem) => void;
}

/** What all types of entries have in common. */
export function commonEntry(
  name: string,
  stats: StatTable,
  row: number,
  its: SourceEntryContext,
): Omit<Entry, 'content' | 'tree'> {
  const uid = stats.uid(row);
  const gid = stats.gid(row);
  const user = its.owners.userName(uid);
  const group = its.owners.groupName(gid);
  return {
    name,
    type: stats.type(row)!,
    mode: stats.mode(row),
    uid,
    gid,
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
    mtime: { seconds: stats.mtimeSeconds(row), nanoseconds: stats.mtimeNanoseconds(row) },
    ...(stats.hasBirthTime(row)
      ? { birthTime: { seconds: stats.birthSeconds(row), nanoseconds: stats.birthNanoseconds(row) } }
      : {}),
  };
}

function attributes(
  xattrs: readonly Xattr[],
  its: SourceEntryContext,
): { xattrs?: readonly ExtendedAttribute[] } {
  if (xattrs.length === 0) return {};
  return {
    xattrs: xattrs.map(({ name, value }) => ({
      name,
      value: value.byteLength > MAX_INLINE_XATTR ? its.storeTreeChunk(value) : value,
    })),
  };
}

function noted(notes: FileNotes, its: SourceEntryContext): Pick<Entry, 'xattrs' | 'flags'> {
  for (const problem of notes.problems ?? []) its.problem(problem);
  return {
    ...(notes.flags === undefined || notes.flags === 0 ? {} : { flags: notes.flags }),
    ...attributes(notes.xattrs ?? [], its),
  };
}

export function fileEntry(
  common: Omit<Entry, 'content' | 'tree'>,
  content: Content,
  size: number,
  linkGroup: string | undefined,
  notes: FileNotes,
  its: SourceEntryContext,
): Entry {
  return {
    ...common,
    ...noted(notes, its),
    size,
    content,
    ...(linkGroup === undefined ? {} : { linkGroup }),
  };
}

/** The entry of a directory, whose own attributes are read here. */
export function folderEntry(
  common: Omit<Entry, 'content' | 'tree'>,
  path: RawPath,
  tree: ChunkReference,
  its: SourceEntryContext,
): Entry {
  return { ...common, ...noted(folderNotes(path), its), tree };
}

function folderNotes(path: RawPath): FileNotes {
  const problems: Problem[] = [];
  let fd: number;
  try {
    fd = openSourceFolder(path);
  } catch {
    // Listed a moment ago, so its entries are known; without leave to open it, what can be read by path must do.
    const xattrs = readXattrsOfPath(path, problems);
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
  common: Omit<Entry, 'content' | 'tree'>,
  path: RawPath,
  stats: StatTable,
  row: number,
  linkGroup: string | undefined,
  its: SourceEntryContext,
): Entry {
  const problems: Problem[] = [];
  const xattrs = readXattrsOfPath(path, problems);
  const isDevice = common.type === 'character device' || common.type === 'block device';
  return {
    ...common,
    ...noted({ xattrs, problems }, its),
    ...(linkGroup === undefined ? {} : { linkGroup }),
    ...(common.type === 'symlink' ? { linkTarget: readLink(path) } : {}),
    ...(isDevice ? { device: { major: stats.rdevMajor(row), minor: stats.rdevMinor(row) } } : {}),
  };
}
