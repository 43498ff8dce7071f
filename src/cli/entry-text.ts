import { toHex } from '../core/index.js';
import { displayPath, type EntryType } from '../fs/index.js';
import type { Entry, ListedEntry } from '../snapshot/index.js';
import { displayText, rawField } from './raw-names.js';
import { sizeText } from './sizes.js';
import { isoTime, timeText } from './times.js';

/** Entries of a snapshot as `cbr ls` shows them. */

const TYPE_LETTERS: Readonly<Record<EntryType, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  fifo: 'p',
  socket: 's',
  'character device': 'c',
  'block device': 'b',
};

const SETUID = 0o4000;
const SETGID = 0o2000;
const STICKY = 0o1000;

/** `drwxr-sr-x`, as ls(1) writes it. */
export function modeText(type: EntryType, mode: number): string {
  const three = (shift: number, special: number, letter: string): string => {
    const bits = mode >> shift;
    const execute = (bits & 1) !== 0;
    const last = mode & special ? (execute ? letter : letter.toUpperCase()) : execute ? 'x' : '-';
    return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${last}`;
  };
  return `${TYPE_LETTERS[type]}${three(6, SETUID, 's')}${three(3, SETGID, 's')}${three(0, STICKY, 't')}`;
}

function sizeCell({ type, size, device }: Entry): string {
  if (device !== undefined) return `${device.major}, ${device.minor}`;
  return type === 'file' ? sizeText(size ?? 0) : '-';
}

/** Like ls -l: fixed widths, since the entries are printed as they are found. `+`: there are extended attributes. */
export function longLine(entry: Entry, name: string): string {
  const { user, group, uid, gid, linkTarget } = entry;
  const cells = [
    modeText(entry.type, entry.mode) + (entry.xattrs === undefined || entry.xattrs.length === 0 ? ' ' : '+'),
    displayText(user ?? String(uid)).padEnd(8),
    displayText(group ?? String(gid)).padEnd(8),
    sizeCell(entry).padStart(9),
    timeText(entry.mtime),
    linkTarget === undefined ? displayPath(name) : `${displayPath(name)} -> ${displayPath(linkTarget)}`,
  ];
  return cells.join(' ');
}

/** The item of docs/json.md; `long` adds what is rarely asked for. */
export function entryFields({ path, entry }: ListedEntry, long: boolean): Readonly<Record<string, unknown>> {
  return {
    ...rawField('path', path),
    kind: entry.type,
    size: entry.type === 'file' ? entry.size : undefined,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    user: entry.user,
    group: entry.group,
    mtime: isoTime(entry.mtime),
    ...(entry.linkTarget === undefined ? {} : rawField('linkTarget', entry.linkTarget)),
    device: entry.device,
    ...(long ? longFields(entry) : {}),
  };
}

function longFields({ linkGroup, xattrs, flags, birthTime }: Entry): Readonly<Record<string, unknown>> {
  return {
    hardLink: linkGroup === undefined ? undefined : toHex(Buffer.from(linkGroup, 'latin1')),
    xattrs: xattrs?.map(({ name }) => displayPath(name)),
    flags,
    birthTime: birthTime === undefined ? undefined : isoTime(birthTime),
  };
}
