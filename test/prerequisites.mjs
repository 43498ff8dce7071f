/**
 * Checks that the programs which the tests call exist. As root on Debian it installs the missing ones; elsewhere it names
 * them and exits 1, so that no test is ever left out for want of a tool. Says nothing when all is there.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian package -> the programs that the tests use from it. */
const NEEDED = {
  rsync: ['rsync'],
  git: ['git'],
  bsdutils: ['script'],
  'perl-base': ['perl'],
  attr: ['getfattr', 'setfattr'],
  acl: ['getfacl', 'setfacl'],
  e2fsprogs: ['lsattr', 'chattr'],
  mount: ['mount', 'umount'],
  'util-linux': ['unshare'],
  tar: ['tar'],
  'libarchive-tools': ['bsdtar'],
  unzip: ['unzip'],
  zstd: ['zstd'],
  python3: ['python3'],
};

const folders = [
  ...(process.env.PATH ?? '').split(delimiter),
  '/usr/sbin',
  '/sbin',
  '/usr/bin',
  '/bin',
].filter(Boolean);

/** @param {string} program */
function isInstalled(program) {
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function missingPrograms() {
  return Object.entries(NEEDED)
    .map(([name, programs]) => ({ name, programs: programs.filter((program) => !isInstalled(program)) }))
    .filter(({ programs }) => programs.length > 0);
}

/** @param {string[]} args */
function aptGet(...args) {
  const run = spawnSync('apt-get', ['-qq', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return run.status === 0;
}

let missing = missingPrograms();
if (missing.length > 0 && process.getuid?.() === 0 && isInstalled('apt-get')) {
  const packages = missing.map(({ name }) => name);
  console.log(`The tests need ${packages.join(', ')}: installing.`);
  // Stale package lists may still suffice, so a failed update alone is no reason to stop.
  aptGet('update');
  aptGet('install', '-y', '--no-install-recommends', ...packages);
  missing = missingPrograms();
}
if (missing.length > 0) {
  console.error('The tests need programs that are not installed:');
  for (const { name, programs } of missing) console.error(`  ${programs.join(', ')}  (package ${name})`);
  const packages = missing.map(({ name }) => name).join(' ');
  console.error(`On Debian or Ubuntu: sudo apt-get install -y --no-install-recommends ${packages}`);
  console.error(
    `Elsewhere install the packages of the same names. On systems other than Linux the tests do not run.`,
  );
  process.exitCode = 1;
}
