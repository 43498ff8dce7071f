// @ts-check
/** Newer Debian packages without touching the system's: nothing is installed and its sources stay as they are. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const MIRROR = 'http://deb.debian.org/debian';

/**
 * Unpacks packages of another release of Debian into a folder, which is made anew.
 * @param {string} folder
 * @param {string} suite such as `sid`
 * @param {readonly string[]} packages without what they depend on
 * @returns {string | undefined} why it failed, in a line; undefined when it did not
 */
export function unpackDebs(folder, suite, packages) {
  const work = mkdtempSync(join(tmpdir(), 'cbr-debs-'));
  try {
    for (const each of ['etc/apt.conf.d', 'etc/preferences.d', 'lists/partial', 'archives/partial', 'debs']) {
      mkdirSync(join(work, each), { recursive: true });
    }
    writeFileSync(join(work, 'etc/sources.list'), `deb [signed-by=${KEYRING}] ${mirror()} ${suite} main\n`);
    const options = [
      `Dir::Etc=${work}/etc`,
      `Dir::Etc::sourcelist=${work}/etc/sources.list`,
      'Dir::Etc::sourceparts=-',
      // Those of the system: they say how its mirror is reached.
      'Dir::Etc::parts=/etc/apt/apt.conf.d',
      `Dir::State::lists=${work}/lists`,
      `Dir::Cache=${work}`,
      'APT::Sandbox::User=root',
      'Acquire::Languages=none',
    ].flatMap((option) => ['-o', option]);
    const debs = join(work, 'debs');
    const failure =
      run(debs, 'apt-get', ...options, '-qq', 'update') ??
      run(debs, 'apt-get', ...options, '-qq', 'download', ...packages);
    if (failure !== undefined) return failure;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const deb of readdirSync(debs)) {
      const broken = run(debs, 'dpkg-deb', '-x', deb, folder);
      if (broken !== undefined) return broken;
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The mirror that the system uses. */
function mirror() {
  for (const path of ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']) {
    if (!existsSync(path)) continue;
    const found = /^(?:URIs:\s*|deb\s+(?:\[[^\]]*\]\s*)?)(https?:\S+)/m.exec(readFileSync(path, 'utf8'))?.[1];
    if (found !== undefined) return found;
  }
  return MIRROR;
}

/**
 * @param {string} cwd
 * @param {string} program
 * @param {...string} args
 * @returns {string | undefined} why it failed
 */
function run(cwd, program, ...args) {
  const { status, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (error !== undefined) return error.message;
  return status === 0 ? undefined : (stderr.trim().split('\n').at(-1) ?? `${program} failed`);
}
