import { homedir, userInfo } from 'node:os';
import { CbrError } from '../core/index.js';
import { displayPath, identityOfFolder, parentPath, type RawPath, rawPath, realPath } from '../fs/index.js';

const ALL = Number.POSITIVE_INFINITY;

/** Folders of the system by how many levels below them are its own too; the nearest one above a target decides. */
const SYSTEM: readonly (readonly [levels: number, folders: readonly string[]])[] = [
  // Nothing but the system.
  [ALL, ['/bin', '/boot', '/dev', '/efi', '/etc', '/lib', '/lib32', '/lib64', '/libx32', '/lost+found']],
  [ALL, ['/proc', '/run', '/sbin', '/sys', '/usr']],
  // In the folders of these, others have theirs: /var/lib/jenkins, /usr/local/share/fonts.
  [1, ['/usr/local', '/var']],
  // All users share them, and what is in them is theirs.
  [0, ['/', '/home', '/media', '/mnt', '/opt', '/root', '/srv', '/tmp']],
  [0, ['/dev/shm', '/run/media', '/run/user', '/var/tmp']],
];

interface KnownFolder {
  readonly path: RawPath;
  readonly identity: string | undefined;
  readonly levels: number;
}

/**
 * Rejects (usage) a target in which a restore could break the machine, or litter the home folder of its user: what is named
 * above, and the home folder itself. Symlinks, `..` and mounts of these folders elsewhere lead nobody past this.
 */
export function refuseSystemTarget(target: string): void {
  const named = rawPath(target);
  const real = realPath(named);
  const homes = [homedir(), userInfo().homedir].filter((home) => home.startsWith('/'));
  const isHome = homes.map((home) => knownFolder(home, 0)).some(isAt(real));
  if (!isHome && !isSystem(real)) return;
  const what = isHome ? 'the home folder itself' : 'a system folder';
  throw new CbrError('usage', `the target is ${what}: ${displayPath(named)}`, {
    hint: 'Restore into a folder of its own, or say --allow-system-target.',
  });
}

function isSystem(real: RawPath): boolean {
  const known = SYSTEM.flatMap(([levels, folders]) => folders.map((folder) => knownFolder(folder, levels)));
  let at = real;
  for (let depth = 0; ; depth++) {
    const here = known.filter(isAt(at));
    // One folder under two names, as where /var/tmp leads to /tmp: the stricter rule counts.
    if (here.length > 0) return depth <= Math.max(...here.map(({ levels }) => levels));
    if (at === '/') return false;
    at = parentPath(at);
  }
}

function knownFolder(folder: string, levels: number): KnownFolder {
  const path = realPath(rawPath(folder));
  return { path, identity: identityOfFolder(path), levels };
}

/** Whether a known folder is at a path: by its identity, and by its name where it cannot be looked at. */
function isAt(path: RawPath): (known: KnownFolder) => boolean {
  const identity = identityOfFolder(path);
  return (known) => known.path === path || (identity !== undefined && identity === known.identity);
}
