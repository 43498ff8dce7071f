/**
 * Checks that the programs which the tests call exist. As root on Debian it installs the missing ones; elsewhere it names
 * them and exits 1, so that no test is ever left out for want of a tool. Says nothing when all is there.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { installNode, OTHER_VERSIONS } from './restore-reader/node-versions.mjs';
import { MOTO_FOLDER, motoFault, PYTHON } from './servers/moto.mjs';
import { unpackDebs } from './servers/unpack-debs.mjs';

/** Debian package -> the programs that the tests use from it, or files by their whole path. */
const NEEDED = {
  rsync: ['rsync'],
  git: ['git'],
  bsdutils: ['script'],
  'perl-base': ['perl'],
  attr: ['getfattr', 'setfattr'],
  acl: ['getfacl', 'setfacl'],
  e2fsprogs: ['lsattr', 'chattr'],
  mount: ['mount', 'umount', 'losetup'],
  'util-linux': ['unshare', 'setpriv'],
  tar: ['tar'],
  'libarchive-tools': ['bsdtar'],
  xorriso: ['xorriso'],
  genisoimage: ['genisoimage', 'isoinfo'],
  'p7zip-full': ['7z'],
  unzip: ['unzip'],
  zstd: ['zstd'],
  openssl: ['openssl'],
  python3: ['python3', PYTHON],
  'ceph-mon': ['ceph-mon'],
  'ceph-osd': ['ceph-osd'],
  'ceph-base': ['monmaptool'],
  'ceph-common': ['ceph', 'ceph-authtool'],
  radosgw: ['radosgw', 'radosgw-admin'],
  ...modules({
    flask: 'flask',
    'flask-cors': 'flask_cors',
    boto3: 'boto3',
    responses: 'responses',
    xmltodict: 'xmltodict.py',
    yaml: 'yaml',
    jinja2: 'jinja2',
    cryptography: 'cryptography',
  }),
};

/**
 * The modules of Debian's Python that moto needs, by the packages `python3-<name>`.
 * @param {Record<string, string>} names
 */
function modules(names) {
  const folder = '/usr/lib/python3/dist-packages';
  return Object.fromEntries(
    Object.entries(names).map(([name, module]) => [`python3-${name}`, [`${folder}/${module}`]]),
  );
}

const folders = [
  ...(process.env.PATH ?? '').split(delimiter),
  '/usr/sbin',
  '/sbin',
  '/usr/bin',
  '/bin',
].filter(Boolean);

/** @param {string} program */
function isInstalled(program) {
  if (program.startsWith('/')) return isThere(program, constants.R_OK);
  return folders.some((folder) => isThere(join(folder, program), constants.X_OK));
}

/**
 * @param {string} path
 * @param {number} mode
 */
function isThere(path, mode) {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
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

// Not among the above: Debian 12 has only a version that is too old. It is unpacked into this checkout, for anybody.
let fault = missing.length > 0 ? undefined : motoFault();
if (fault !== undefined && isInstalled('apt-get') && isInstalled('dpkg-deb')) {
  console.log('The tests need moto 5 (python3-moto of Debian sid): unpacking it into .cache/moto.');
  const failure = unpackDebs(MOTO_FOLDER, 'sid', ['python3-moto']);
  fault = failure ?? motoFault();
}
if (fault !== undefined) {
  console.error(`The tests need moto 5, an S3 server in Python, and cannot start it: ${fault}`);
  console.error(
    `Install python3-moto (5 or newer) of Debian, or: ${PYTHON} -m pip install 'moto[s3,server]>=5'`,
  );
  process.exitCode = 1;
}

for (const version of OTHER_VERSIONS) {
  const failure = installNode(version);
  if (failure === undefined) continue;
  console.error(
    `The tests need Node ${version} too, and it cannot be put into .cache/node-${version}: ${failure}`,
  );
  process.exitCode = 1;
}
