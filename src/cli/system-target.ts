import { homedir, userInfo } from 'node:os';
import { CbrError } from '../core/index.js';
import { displayPath, identityOfFolder, type RawPath, rawPath, realPath } from '../fs/index.js';

/** Folders that hold the system and what all users share: themselves, not what is below them. */
const SHARED = [
  '/',
  '/home',
  '/media',
  '/mnt',
  '/opt',
  '/root',
  '/run',
  '/srv',
  '/tmp',
  '/usr',
  '/usr/local',
  '/var',
];

/** Folders that hold nothing but the system, with all that is below them. */
const SYSTEM = [
  ...['/bin', '/boot', '/dev', '/etc', '/lib', '/lib32', '/lib64', '/libx32', '/proc', '/sbin', '/sys'],
  ...[
    '/usr/bin',
    '/usr/include',
    '/usr/lib',
    '/usr/lib32',
    '/usr/lib64',
    '/usr/libexec',
    '/usr/sbin',
    '/usr/share',
  ],
];

/** Below a system folder, and nevertheless a place for files of users. */
const FREE = ['/dev/shm'];

/**
 * Rejects (usage) a target in which a restore could break the machine, or litter the home folder of its user: what is named
 * above, and the home folder itself. Symlinks, `..` and mounts lead nobody past this.
 */
export function refuseSystemTarget(target: string): void {
  const named = rawPath(target);
  const real = realPath(named);
  const identity = identityOfFolder(real);
  const homes = [homedir(), userInfo().homedir].filter((home) => home.startsWith('/'));
  const isItself = [...SHARED, ...SYSTEM, ...homes].some((folder) => isSame(real, identity, folder));
  if (isItself || (isBelow(real, SYSTEM) && !isBelow(real, FREE))) {
    const isHome = homes.some((folder) => isSame(real, identity, folder));
    const what = isHome ? 'the home folder itself' : 'a system folder';
    throw new CbrError('usage', `the target is ${what}: ${displayPath(named)}`, {
      hint: 'Restore into a folder of its own, or say --allow-system-target.',
    });
  }
}

function isSame(real: RawPath, identity: string | undefined, folder: string): boolean {
  const path = realPath(rawPath(folder));
  return real === path || (identity !== undefined && identity === identityOfFolder(path));
}

function isBelow(real: RawPath, folders: readonly string[]): boolean {
  return folders.some((folder) => {
    const path = realPath(rawPath(folder));
    return real === path || (path !== '/' && real.startsWith(`${path}/`));
  });
}
