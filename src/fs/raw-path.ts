import { realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CbrError, fromLatin1, toLatin1 } from '../core/index.js';
import { decodeRaw, isAscii } from './raw-text.js';

/** An absolute path of raw bytes as latin1 text, one character per byte, without '.', '..', '//' or a '/' at its end. */
export type RawPath = string & { readonly fsBrand: 'RawPath' };

/** What node:fs takes. Node encodes strings as UTF-8, so only ASCII may be given as a string. */
export type NodePath = string | Buffer;

/**
 * The raw path of what a user wrote, made absolute against the working folder; '..' leads where the system would go. Rejects
 * (usage) a path with a NUL.
 */
export function rawPath(userPath: string): RawPath {
  if (userPath === '') throw new CbrError('usage', 'an empty path names nothing', { hint: 'Give a path.' });
  if (userPath.includes('\0')) {
    throw new CbrError('usage', `a path cannot contain a NUL: ${JSON.stringify(userPath)}`);
  }
  const raw = (text: string): string => toLatin1(Buffer.from(text, 'utf8'));
  return resolved(raw(process.cwd()), raw(userPath));
}

/** As `rawPath` for a path in a snapshot, which says nothing of this disk. */
export function storedRaw(userPath: string): RawPath {
  return rawPath(resolve('/', userPath));
}

/** As `rawPath` for a path of raw bytes, made absolute against `folder`. Rejects (usage) an empty one and one with a NUL. */
export function absoluteRaw(path: string, folder: RawPath): RawPath {
  if (path === '') throw new CbrError('usage', 'an empty path names nothing');
  if (path.includes('\0')) throw new CbrError('usage', `a path cannot contain a NUL: ${displayPath(path)}`);
  return resolved(folder, path);
}

function hasParents(path: string): boolean {
  return /(?:^|\/)\.\.(?:\/|$)/.test(path);
}

/** Behind a symlink '..' is the folder above the one it leads to; elsewhere the name in front of it just goes. */
function resolved(folder: string, path: string): RawPath {
  if (!hasParents(path)) return resolve(folder, path) as RawPath;
  let at = path.startsWith('/') ? '/' : folder;
  for (const name of path.split('/')) {
    if (name !== '..') at = resolve(at, name);
    else {
      const above = dirname(realOf(at));
      at = realOf(dirname(at)) === above ? dirname(at) : above;
    }
  }
  return at as RawPath;
}

/** Of what is not there, the path itself. */
function realOf(path: string): string {
  try {
    return toLatin1(realpathSync.native(toNodePath(path), 'buffer'));
  } catch {
    return path;
  }
}

/** The path of the entry `name` (raw bytes, not checked) of a folder. */
export function joinRaw(folder: RawPath, name: string): RawPath {
  return (folder === '/' ? `/${name}` : `${folder}/${name}`) as RawPath;
}

/** The form in which a raw path reaches node:fs unchanged. */
export function toNodePath(raw: string): NodePath {
  return isAscii(raw) ? raw : fromLatin1(raw);
}

/** The last name of a path; '' for the root. */
export function baseName(path: RawPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The folder that holds a path; the root is its own. */
export function parentPath(path: RawPath): RawPath {
  return (path.slice(0, path.lastIndexOf('/')) || '/') as RawPath;
}

/**
 * What must not reach a terminal or a log as it is: control characters (C1 too), line and paragraph separators, and the
 * controls that reorder what is displayed; also a backslash that would read as one of our escapes.
 */
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]|\\(?=x[0-9a-f]{2})/gu;

const escapeByte = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;

/**
 * Raw bytes for people: UTF-8 where it is valid, everything else and all control characters as `\x1b`. Different bytes
 * always display differently.
 */
export function displayPath(raw: string): string {
  // A backslash before a stray byte is not followed by "x" yet; marking strays by lone surrogates keeps the two apart.
  const text = decodeRaw(raw, (byte) => String.fromCharCode(0xdc00 + byte));
  return text
    .replace(UNSAFE, (unsafe) => Array.from(Buffer.from(unsafe, 'utf8'), escapeByte).join(''))
    .replace(/[\udc80-\udcff]/gu, (stray) => escapeByte(stray.charCodeAt(0) - 0xdc00));
}
