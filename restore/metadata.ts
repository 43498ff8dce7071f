import { chmodSync, lchownSync, lstatSync, lutimesSync, utimesSync } from 'node:fs';
import type { Entry } from './entry.js';
import { messageOf } from './failure.js';
import type { TargetPath } from './target.js';

/** Owner, rights and time of what was made, as far as Node can set them. */

const SET_ID = 0o6000;
const NANOSECONDS = 1_000_000_000n;
/** Node keeps times to the microsecond, in numbers that are exact to a quarter of one. */
const AS_NODE_KEEPS_THEM = 2_000n;

/** `lacks` is told what could not be kept. */
export function setMetadata(path: TargetPath, entry: Entry, lacks: (what: string) => void): void {
  if (entry.attributes.length > 0) lacks('extended attributes and ACLs, for which Node has no means');
  if (entry.flags !== 0) lacks('flags of the inode (chattr), for which Node has no means');
  const isOurs = setOwner(path, entry, lacks);
  if (entry.type !== 'symlink') setMode(path, entry, isOurs, lacks);
  setTime(path, entry, lacks);
}

/** Whether it belongs to whom it belonged. */
function setOwner(path: TargetPath, { uid, gid }: Entry, lacks: (what: string) => void): boolean {
  const ownUid = process.geteuid?.();
  if (ownUid === undefined) {
    lacks('owners, which are kept on Unix only');
    return false;
  }
  if (ownUid !== 0) {
    const stats = lstatSync(path);
    const isOurs = stats.uid === uid && stats.gid === gid;
    if (!isOurs) lacks('owners, which only root can give');
    return isOurs;
  }
  try {
    lchownSync(path, uid, gid);
    return true;
  } catch (error) {
    lacks(`owners: ${withoutPath(error)}`);
    return false;
  }
}

/** Whoever is not the owner that was meant does not get to run it with the rights of another one. */
function setMode(path: TargetPath, entry: Entry, isOurs: boolean, lacks: (what: string) => void): void {
  if (process.platform === 'win32') {
    lacks('rights (chmod), which are kept on Unix only');
    return;
  }
  const mode = withoutMask(entry);
  try {
    chmodSync(path, isOurs ? mode : mode & ~SET_ID);
    if (!isOurs && (mode & SET_ID) !== 0) lacks('setuid and setgid, since the owner is another one');
  } catch (error) {
    lacks(`rights: ${withoutPath(error)}`);
  }
}

const ACL = 'system.posix_acl_access';
const GROUP_TAG = 0x04;

/**
 * Where there was an ACL, the group bits of the mode are its mask, which may allow more than the group has. Without the ACL the group
 * gets what it had, and not what others had that the ACL named.
 */
export function withoutMask({ mode, attributes }: Pick<Entry, 'mode' | 'attributes'>): number {
  const acl = attributes.find(({ name }) => name.toString('latin1') === ACL)?.value;
  if (acl === undefined) return mode;
  if (!Buffer.isBuffer(acl)) return mode & ~0o070;
  for (let at = 4; at + 8 <= acl.length; at += 8) {
    if (acl.readUInt16LE(at) !== GROUP_TAG) continue;
    return (mode & ~0o070) | (mode & ((acl.readUInt16LE(at + 2) & 7) << 3));
  }
  return mode & ~0o070;
}

function setTime(path: TargetPath, entry: Entry, lacks: (what: string) => void): void {
  const set = entry.type === 'symlink' ? lutimesSync : utimesSync;
  const wanted = BigInt(entry.seconds) * NANOSECONDS + BigInt(entry.nanoseconds);
  const missedBy = (time: string): bigint => {
    set(path, time, time);
    const missed = lstatSync(path, { bigint: true }).mtimeNs - wanted;
    return missed < 0n ? -missed : missed;
  };
  try {
    // As text: of numbers below zero, times before 1970, Node makes the present.
    if (missedBy(String(entry.seconds + entry.nanoseconds / 1e9)) <= AS_NODE_KEEPS_THEM) return;
    if (missedBy(String(entry.seconds)) <= NANOSECONDS) lacks('fractions of a second in times');
    else lacks('times that are out of the range of this system');
  } catch (error) {
    lacks(`times: ${withoutPath(error)}`);
  }
}

/** The reason alone, so that those alike can be counted. */
export function withoutPath(error: unknown): string {
  return messageOf(error).replace(/, [a-z]+ '[\s\S]*$/, '');
}
