/** The programs compared: what each one runs for the same piece of work, everything else at its defaults. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { CBR } from './cbr-json.mjs';

const PASSWORD = 'correct horse battery staple';

/**
 * The commands of one tool on one repository. `snapshot` is run as 'first' and as 'second'; `restore` restores the second.
 * or the snapshot named (cbr and restic; `list` tells the names, as JSON).
 * `settle` is run on a copy of repository and cache before anything is measured.
 * Those of retention (prune.mjs) are there for the tools that it compares.
 * @typedef {import('./measure.mjs').Command} Command
 * @typedef {{init: Command, snapshot: (name: string) => Command, restore: (target: string, snapshot?: string) => Command, check: Command,
 *   settle?: Command, list?: Command, forget?: (keep: number) => Command, prune?: Command, forgetAndPrune?: (keep: number) => Command,
 *   pruneDryRun?: Command, rawStats?: Command}} Commands
 * @typedef {{name: string, version: string, commands: (place: string, source: string) => Commands}} Tool
 */

/** @returns {Tool} */
export function cbr() {
  const version = execFileSync(process.execPath, [CBR, '--version'], { encoding: 'utf8' }).trim();
  return {
    name: 'cbr',
    version: version.replace(/^cbr /, ''),
    commands: (place, source) => {
      const env = {
        ...cleanEnvironment(),
        CBR_REPO: join(place, 'repository'),
        CBR_CACHE_DIR: join(place, 'cache'),
        CBR_PASSWORD: PASSWORD,
      };
      const command = (...args) => ({ file: process.execPath, args: [CBR, ...args], env });
      return {
        init: command('init'),
        snapshot: () => command('snapshot', source, '--json', '--no-progress'),
        restore: (target, snapshot = 'latest') => command('restore', snapshot, '--target', target),
        check: command('check', '--read-data'),
        // A cache that was copied is taken for changed, and built anew: not in what is measured.
        settle: command('stats', '--json'),
        list: command('snapshots', '--json'),
        forget: (keep) => command('forget', '--keep-last', String(keep)),
        prune: command('prune', '--json', '--no-progress'),
        forgetAndPrune: (keep) => command('forget', '--keep-last', String(keep), '--prune'),
        pruneDryRun: command('prune', '--dry-run', '--json', '--no-progress'),
      };
    },
  };
}

/** @param {string} file @returns {Tool} */
function restic(file) {
  return {
    name: 'restic',
    version: execFileSync(file, ['version'], { encoding: 'utf8' }).split(' ')[1] ?? '?',
    commands: (place, source) => {
      const env = {
        ...cleanEnvironment(),
        RESTIC_REPOSITORY: join(place, 'repository'),
        RESTIC_CACHE_DIR: join(place, 'cache'),
        RESTIC_PASSWORD: PASSWORD,
      };
      const command = (...args) => ({ file, args, env });
      return {
        init: command('init'),
        snapshot: () => command('backup', source),
        restore: (target, snapshot = 'latest') => command('restore', snapshot, '--target', target),
        check: command('check', '--read-data'),
        settle: command('snapshots', '--json'),
        list: command('snapshots', '--json'),
        forget: (keep) => command('forget', '--keep-last', String(keep)),
        prune: command('prune'),
        forgetAndPrune: (keep) => command('forget', '--keep-last', String(keep), '--prune'),
        rawStats: command('stats', '--mode', 'raw-data', '--json'),
      };
    },
  };
}

/** @param {string} file @returns {Tool} */
function borg(file) {
  return {
    name: 'borg',
    version: `${execFileSync(file, ['--version'], { encoding: 'utf8' }).trim().split(' ')[1] ?? '?'} (zstd,3)`,
    commands: (place, source) => {
      const env = {
        ...cleanEnvironment(),
        BORG_REPO: join(place, 'repository'),
        BORG_BASE_DIR: join(place, 'cache'),
        BORG_PASSPHRASE: PASSWORD,
      };
      const command = (...args) => ({ file, args, env });
      return {
        init: command('init', '--encryption', 'repokey'),
        snapshot: (name) => command('create', '--compression', 'zstd,3', `::${name}`, source),
        restore: (target) => ({ ...command('extract', '::second'), cwd: target }),
        check: command('check', '--verify-data'),
      };
    },
  };
}

/** The environment without what would configure one of the tools. */
function cleanEnvironment() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(CBR|RESTIC|BORG)_/.test(name)),
  );
}

const MAKERS = { restic, borg };
export const PEER_NAMES = Object.keys(MAKERS);

/** Where a peer is: $RESTIC or $BORG, the PATH, /opt/peers. @param {string} name */
export function locate(name) {
  const candidates = [
    process.env[name.toUpperCase()],
    ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name)),
    join('/opt/peers/usr/bin', name),
  ];
  return candidates.find((path) => path !== undefined && existsSync(path));
}

/**
 * The peer, or undefined when it is not installed.
 * @param {string} name @returns {Tool | undefined}
 */
export function peer(name) {
  const file = locate(name);
  return file === undefined ? undefined : MAKERS[name](file);
}
