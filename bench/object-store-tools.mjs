/** cbr and restic on a bucket: what each one runs for the same piece of work. */
import { join } from 'node:path';
import { CBR } from './cbr-json.mjs';
import { locate } from './tools.mjs';

const PASSWORD = 'correct horse battery staple';

/**
 * @typedef {import('./measure.mjs').Command} Command
 * @typedef {{endpoint: string, bucket: string, key: {accessKeyId: string, secretAccessKey: string}, place: string}} Place
 *   `place`: a folder for the cache
 * @typedef {{init: Command, snapshot: (source: string) => Command, restore: (target: string) => Command,
 *   restoreOne: (path: string, target: string) => Command, check: Command, snapshots: Command, forget: Command, prune: Command}} StoreCommands
 * @typedef {{name: string, commands: (place: Place) => StoreCommands}} StoreTool
 */

/** @returns {StoreTool[]} */
export function storeTools() {
  const restic = locate('restic');
  if (restic === undefined) throw new Error('restic is not installed: set RESTIC, or put it into PATH');
  return [
    { name: 'cbr', commands: cbrCommands },
    { name: 'restic', commands: (place) => resticCommands(restic, place) },
  ];
}

/** @param {Place} place @returns {StoreCommands} */
function cbrCommands({ endpoint, bucket, key, place }) {
  const env = {
    ...environment(key),
    CBR_REPO: `s3:${endpoint}/${bucket}/repository`,
    CBR_CACHE_DIR: join(place, 'cache'),
    CBR_PASSWORD: PASSWORD,
  };
  /** @param {string[]} args */
  const command = (...args) => ({ file: process.execPath, args: [CBR, ...args], env });
  return {
    init: command('init'),
    snapshot: (source) => command('snapshot', source),
    restore: (target) => command('restore', 'latest', '--target', target),
    restoreOne: (path, target) => command('restore', `latest:${path}`, '--target', target),
    snapshots: command('snapshots'),
    check: command('check'),
    forget: command('forget', '--keep-last', '1', '--group-by', 'none'),
    prune: command('prune'),
  };
}

/** @param {string} file @param {Place} place @returns {StoreCommands} */
function resticCommands(file, { endpoint, bucket, key, place }) {
  const env = {
    ...environment(key),
    RESTIC_REPOSITORY: `s3:${endpoint}/${bucket}/repository`,
    RESTIC_CACHE_DIR: join(place, 'cache'),
    RESTIC_PASSWORD: PASSWORD,
    RESTIC_PACK_SIZE: '32',
  };
  /** @param {string[]} args */
  const command = (...args) => ({ file, args, env });
  return {
    init: command('init'),
    snapshot: (source) => command('backup', source),
    restore: (target) => command('restore', 'latest', '--target', target),
    restoreOne: (path, target) => command('restore', 'latest', '--include', path, '--target', target),
    snapshots: command('snapshots'),
    check: command('check'),
    forget: command('forget', '--keep-last', '1', '--group-by', ''),
    prune: command('prune', '--max-unused', '0'),
  };
}

/** @param {{accessKeyId: string, secretAccessKey: string}} key */
function environment({ accessKeyId, secretAccessKey }) {
  const others = Object.entries(process.env).filter(([name]) => !/^(CBR|RESTIC|AWS)_/.test(name));
  return {
    ...Object.fromEntries(others),
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: 'us-east-1',
  };
}
