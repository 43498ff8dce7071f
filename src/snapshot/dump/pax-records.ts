import { isAscii, isUtf8 } from 'node:buffer';
import { fromLatin1, toLatin1 } from '../../core/index.js';
import type { Entry, TimeStamp } from '../entry.js';
import { aclText } from './acl-text.js';
import type { ArchiveEntry } from './archive-writer.js';
import { TAR_LIMITS } from './tar-header.js';

/** What a tar header cannot say, as records of a pax header (POSIX.1-2017, "pax Extended Header"). */

/** Keyword and value, raw bytes as latin1. */
type PaxRecord = readonly [keyword: string, value: string];

const ACL_KEYWORDS: Readonly<Record<string, string>> = {
  'system.posix_acl_access': 'SCHILY.acl.access',
  'system.posix_acl_default': 'SCHILY.acl.default',
};

/**
 * The records that an entry needs, one behind the other; empty when its header says all. `path` and `linkName` as the
 * header has them.
 */
export function paxRecords(
  { entry, hardLink }: ArchiveEntry,
  path: string,
  linkName: string,
  size: number,
): string {
  const names: PaxRecord[] = [];
  if (needsRecord(path, TAR_LIMITS.name)) names.push(['path', path]);
  if (needsRecord(linkName, TAR_LIMITS.name)) names.push(['linkpath', linkName]);
  const user = rawOwner(entry.user);
  const group = rawOwner(entry.group);
  if (needsRecord(user, TAR_LIMITS.owner - 1)) names.push(['uname', user]);
  if (needsRecord(group, TAR_LIMITS.owner - 1)) names.push(['gname', group]);
  // Values are UTF-8 unless this is said first.
  const isBinary = names.some(([, value]) => !isUtf8(fromLatin1(value)));
  const records: PaxRecord[] = isBinary ? [['hdrcharset', 'BINARY'], ...names] : names;
  if (size > TAR_LIMITS.size) records.push(['size', String(size)]);
  if (entry.uid > TAR_LIMITS.number) records.push(['uid', String(entry.uid)]);
  if (entry.gid > TAR_LIMITS.number) records.push(['gid', String(entry.gid)]);
  const { mtime } = entry;
  if (mtime.nanoseconds !== 0 || mtime.seconds < 0 || mtime.seconds > TAR_LIMITS.size) {
    records.push(['mtime', decimalSeconds(mtime)]);
  }
  // Further names share what the first one has.
  if (hardLink === undefined) records.push(...attributeRecords(entry));
  return records.map(encodeRecord).join('');
}

/** Names in UTF-8 are told twice, for readers that take a header for another encoding. */
function needsRecord(raw: string, most: number): boolean {
  const bytes = fromLatin1(raw);
  return raw.length > most || (!isAscii(bytes) && isUtf8(bytes));
}

/** Owners are kept as text; here as the bytes of its UTF-8. */
export function rawOwner(name: string | undefined): string {
  return name === undefined ? '' : toLatin1(Buffer.from(name, 'utf8'));
}

function attributeRecords({ xattrs = [] }: Entry): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (const { name, value } of xattrs) {
    if (!(value instanceof Uint8Array)) continue;
    // As GNU tar does it: an '=' would end the keyword.
    const escaped = name.replaceAll('%', '%25').replaceAll('=', '%3D');
    records.push([`SCHILY.xattr.${escaped}`, toLatin1(value)]);
    const keyword = ACL_KEYWORDS[name];
    const text = keyword === undefined ? undefined : aclText(value);
    if (keyword !== undefined && text !== undefined) records.push([keyword, text]);
  }
  return records;
}

/** The fraction counts away from zero. */
export function decimalSeconds({ seconds, nanoseconds }: TimeStamp): string {
  const isBefore = seconds < 0 && nanoseconds > 0;
  const whole = isBefore ? -(seconds + 1) : Math.abs(seconds);
  const fraction = isBefore ? 1_000_000_000 - nanoseconds : nanoseconds;
  const digits = String(fraction).padStart(9, '0').replace(/0+$/, '');
  return `${seconds < 0 ? '-' : ''}${whole}${digits === '' ? '' : `.${digits}`}`;
}

/** `27 path=...\n`: the length counts itself. */
function encodeRecord([keyword, value]: PaxRecord): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}
