import { closeSync } from 'node:fs';
import {
  inodeFlags,
  type Owners,
  openSource,
  openSourceFolder,
  type Problem,
  type RawPath,
  readLink,
  readXattrsOfPath,
  type StatTable,
} from '../../fs/index.js';
import type { Entry } from '../entry.js';

/**
 * An entry as it is on the disk, without its content or tree. What cannot be read of it becomes a problem, and is taken to
 * be as it was `before`. Throws FileError (source) for a symlink that cannot be read.
 */
export function diskEntry(
  name: string,
  stats: StatTable,
  row: number,
  path: RawPath,
  before: Entry | undefined,
  owners: Owners,
  problems: Problem[],
): Entry {
  const type = stats.type(row)!;
  const found: Problem[] = [];
  const xattrs = readXattrsOfPath(path, found, 'none');
  const uid = stats.uid(row);
  const gid = stats.gid(row);
  problems.push(...found);
  return {
    name,
    type,
    mode: stats.mode(row),
    uid,
    gid,
    user: owners.userName(uid),
    group: owners.groupName(gid),
    mtime: { seconds: stats.mtimeSeconds(row), nanoseconds: stats.mtimeNanoseconds(row) },
    ...(stats.hasBirthTime(row)
      ? { birthTime: { seconds: stats.birthSeconds(row), nanoseconds: stats.birthNanoseconds(row) } }
      : {}),
    flags: flagsOf(type, path, before),
    xattrs: found.length === 0 ? xattrs : before?.xattrs,
    ...(type === 'file' ? { size: stats.size(row) } : {}),
    ...(type === 'symlink' ? { linkTarget: readLink(path, 'none') } : {}),
    ...(type === 'character device' || type === 'block device'
      ? { device: { major: stats.rdevMajor(row), minor: stats.rdevMinor(row) } }
      : {}),
  };
}

/** Only what can be opened tells them; who may not open it cannot have changed them. */
function flagsOf(type: Entry['type'], path: RawPath, before: Entry | undefined): number | undefined {
  if (type !== 'file' && type !== 'directory') return undefined;
  let fd: number;
  try {
    fd = type === 'file' ? openSource(path, undefined, 'none') : openSourceFolder(path, 'none');
  } catch {
    return before?.flags;
  }
  try {
    return inodeFlags(fd, path, []);
  } finally {
    closeSync(fd);
  }
}
