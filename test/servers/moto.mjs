// @ts-check
/** moto, which plays an S3 store in memory and checks no signatures: where it lies, and how it is started. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from './server-group.mjs';

/** Debian's: the packages that moto needs are installed for this one. */
export const PYTHON = '/usr/bin/python3';

/** Where test/prerequisites.mjs unpacks moto where the system has none that is new enough. */
export const MOTO_FOLDER = join(import.meta.dirname, '../../.cache/moto');

const OLDEST = 5;
const UNPACKED = join(MOTO_FOLDER, 'usr/lib/python3/dist-packages');

/** The environment in which Python finds the unpacked one first. */
function environment() {
  return existsSync(join(UNPACKED, 'moto')) ? { PYTHONPATH: UNPACKED } : {};
}

/** Why moto cannot be started; undefined when it can. */
export function motoFault() {
  const program = `import moto.server, moto.s3.responses; print(moto.__version__)`;
  const run = spawnSync(PYTHON, ['-c', program], {
    env: { ...process.env, ...environment() },
    encoding: 'utf8',
  });
  if (run.error !== undefined) return run.error.message;
  if (run.status !== 0) return run.stderr.trim().split('\n').at(-1) ?? 'it does not load';
  const version = run.stdout.trim();
  return Number.parseInt(version, 10) >= OLDEST ? undefined : `version ${version} is too old`;
}

/**
 * Starts it; ready when this resolves.
 * @param {import('./server-group.mjs').ServerGroup} group
 * @returns {Promise<import('./store-servers.mjs').StoreServer>}
 */
export async function runMoto(group) {
  const [port = 0] = await freePorts(1);
  const args = ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)];
  const server = group.start('moto', PYTHON, args, environment());
  await group.untilListening('moto', server, port);
  const owner = { accessKeyId: 'OWNERKEY', secretAccessKey: 'owner-secret-key' };
  return { name: 'moto', endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', owner };
}
