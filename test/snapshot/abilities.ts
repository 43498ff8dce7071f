import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRoot, removeTree } from './scratch-repository.js';
import { runScript } from './source-tree.js';

/** What this user may do on this machine and file system: generated trees hold all of it, and nothing else. */
export interface Abilities {
  readonly owners: boolean;
  readonly devices: boolean;
  readonly xattrs: boolean;
  /** Values above 4 KiB: ext4 keeps them only where it was made for it. */
  readonly largeXattrs: boolean;
  /** Of symlinks and devices too, by root alone. */
  readonly trustedXattrs: boolean;
  readonly acls: boolean;
  readonly flags: boolean;
  /** Flags that ext4 has beside those of tmpfs. */
  readonly diskFlags: boolean;
  /** Append-only and immutable files. */
  readonly lockingFlags: boolean;
  readonly linkedSymlinks: boolean;
  readonly mounts: boolean;
  /** Block devices out of files. */
  readonly loops: boolean;
}

const PROBES: readonly (readonly [keyof Abilities, string])[] = [
  ['owners', 'chown 12345:23456 file'],
  ['devices', 'mknod device c 1 3'],
  ['xattrs', 'setfattr -n user.probe -v 0x01 file'],
  ['largeXattrs', `setfattr -n user.large -v 0x${'ab'.repeat(6000)} file`],
  ['trustedXattrs', 'ln -s nowhere bearer && setfattr -h -n trusted.probe -v 0x01 bearer'],
  ['acls', 'setfacl -m u:12345:rw file'],
  ['flags', 'chattr +dA file'],
  ['diskFlags', 'chattr +Ssu file && mkdir folder && chattr +DT folder'],
  ['lockingFlags', 'touch locked && chattr +i locked && chattr -i locked'],
  ['linkedSymlinks', 'ln -s nowhere link && ln -P link second'],
  ['mounts', 'mkdir m && mount -t tmpfs none m && umount m'],
  [
    'loops',
    'head -c 65536 /dev/zero > image && loop=$(losetup --find --show image) && head -c 512 $loop && losetup --detach $loop',
  ],
];

/** Tries everything in a scratch folder below `parent`. */
export function probeAbilities(parent = tmpdir()): Abilities {
  const folder = mkdtempSync(join(parent, 'cbr-probe-'));
  try {
    runScript(folder, ['touch file']);
    const found = PROBES.map(([name, script]) => [name, isPossible(folder, script)] as const);
    return Object.fromEntries(found) as unknown as Abilities;
  } finally {
    removeTree(folder);
  }
}

function isPossible(folder: string, script: string): boolean {
  try {
    runScript(folder, [script]);
    return true;
  } catch {
    return false;
  }
}

/** Says what the trees of a test file do not hold here; nothing is left out in silence. */
export function tellMissing(abilities: Abilities, about: string): void {
  const missing = PROBES.map(([name]) => name).filter((name) => !abilities[name]);
  if (missing.length === 0) return;
  const user = isRoot ? 'root' : 'an ordinary user';
  process.stderr.write(`${about}, as ${user}: this machine does not allow ${missing.join(', ')}.\n`);
}
