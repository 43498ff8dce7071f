import { readdirSync } from 'node:fs';
import { nativeError } from './file-error.js';
import { descriptorPath, hasDescriptorPaths } from './long-path.js';
import { type Native, native } from './native.js';
import { once } from './once.js';
import { type RawPath, toNodePath } from './raw-path.js';

// struct linux_dirent64: inode and offset (8 bytes each), length of the record (2), type (1), name, zero
const RECORD_LENGTH = 16;
const NAME = 19;

const scratch = once(() => Buffer.allocUnsafeSlow(65_536));

/**
 * The raw names in a folder that is open as `fd` at its start, sorted by their bytes. `path` serves where neither the
 * descriptor itself nor /proc can be used. Throws what node:fs throws.
 */
export function folderNames(fd: number, path: RawPath): string[] {
  const calls = native();
  if (calls !== undefined) return namesByNative(calls, fd).sort();
  const place = hasDescriptorPaths() ? descriptorPath(fd) : path;
  return readdirSync(toNodePath(place), 'latin1').sort();
}

function namesByNative(calls: Native, fd: number): string[] {
  const buffer = scratch();
  const names: string[] = [];
  for (;;) {
    const filled = calls.getdents64(fd, buffer, buffer.length);
    if (filled < 0) throw nativeError('getdents64', calls.errno());
    if (filled === 0) return names;
    for (let at = 0; at < filled; at += buffer.readUInt16LE(at + RECORD_LENGTH)) {
      const name = buffer.toString('latin1', at + NAME, buffer.indexOf(0, at + NAME));
      if (name !== '.' && name !== '..') names.push(name);
    }
  }
}
