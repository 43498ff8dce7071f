import { linkSync, symlinkSync } from 'node:fs';
import { errnoOf } from '../core/index.js';
import { removeInheritedAclAt } from './default-acl.js';
import type { DeviceNumber } from './entry-metadata.js';
import { TYPE_MODES } from './entry-type.js';
import { nativeError } from './file-error.js';
import { cString, native } from './native.js';
import { toNodePath } from './raw-path.js';
import { failure, type TargetFolder } from './target-folder.js';

/** Creates a symlink with a raw target; false if something has that name. Throws FileError (target). */
export function makeSymlink(folder: TargetFolder, name: string, target: string): boolean {
  return make(folder, name, 'create the symlink', (path) => symlinkSync(toNodePath(target), path));
}

/** Gives an existing entry a second name; false if something has that name. Throws FileError (target). */
export function hardLink(folder: TargetFolder, name: string, to: TargetFolder, newName: string): boolean {
  const existing = folder.path(name);
  return make(to, newName, 'create the hard link', (path) => linkSync(existing, path));
}

/**
 * Creates a fifo, socket or device file for its owner only; false if something has that name. Throws FileError (target):
 * device files are for root, and none of these can be made on machines without native calls.
 */
export function makeSpecial(
  folder: TargetFolder,
  name: string,
  type: 'fifo' | 'socket' | 'character device' | 'block device',
  device: DeviceNumber = { major: 0, minor: 0 },
): boolean {
  const calls = native();
  const action = `create the ${type}`;
  if (calls === undefined) throw failure('not possible on this machine', action, folder, name);
  const path = folder.rawPath(name);
  const made = make(folder, name, action, () => {
    const mode = TYPE_MODES[type] | 0o600;
    if (calls.mknodat(folder.fd, cString(name), mode, deviceOf(device)) === 0) return;
    throw nativeError('mknodat', calls.errno());
  });
  if (made && folder.passesAcl) removeInheritedAclAt(path);
  return made;
}

function make(
  folder: TargetFolder,
  name: string,
  action: string,
  create: (path: string | Buffer) => void,
): boolean {
  const path = folder.path(name);
  try {
    create(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw failure(error, action, folder, name);
  }
}

/** dev_t as the C library packs it: 12 bits of major above 8 of minor, the higher bits of both further up. */
function deviceOf({ major, minor }: DeviceNumber): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (
    ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
  );
}
