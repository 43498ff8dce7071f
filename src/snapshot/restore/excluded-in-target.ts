import { closeSync, constants, openSync } from 'node:fs';
import { toLatin1 } from '../../core/index.js';
import {
  type EntryFilter,
  inodeFlags,
  missingAbilities,
  NODUMP_FLAG,
  type Problem,
  readXattrsOfPath,
  type SeenEntry,
  type TargetFolder,
} from '../../fs/index.js';

const WARY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Whether rules leave out an entry of the target, as they would if the snapshot had it; in doubt they do. */
export function excludedInTarget(
  filter: EntryFilter,
  folder: TargetFolder,
  name: string,
  path: string,
  { type, size }: SeenEntry,
): boolean {
  if (filter.excludedByPath(path, type === 'directory') !== undefined) return true;
  if (type === 'file' && filter.excludedBySize(size) !== undefined) return true;
  const { nodump, xattrs } = filter.rules;
  if (nodump !== undefined && (type === 'file' || type === 'directory')) {
    if (hasNodump(folder, name)) return true;
  }
  if (xattrs.length === 0) return false;
  const unread: Problem[] = [];
  const found = readXattrsOfPath(folder.rawPath(name), unread);
  if (unread.length > 0 || missingAbilities().length > 0) return true;
  return (
    filter.excludedByXattrs(found.map((each) => ({ name: each.name, value: toLatin1(each.value) }))) !==
    undefined
  );
}

function hasNodump(folder: TargetFolder, name: string): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(folder.path(name), WARY);
    return (inodeFlags(fd, folder.locate(name), []) & NODUMP_FLAG) !== 0;
  } catch {
    return true;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
