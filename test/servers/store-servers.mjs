// @ts-check
/** Object stores for tests and benchmarks: real servers on the loopback address. */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

/**
 * @typedef {{accessKeyId: string, secretAccessKey: string}} StoreKey
 * @typedef {{
 *   readonly name: string,
 *   readonly endpoint: string,
 *   readonly region: string,
 *   readonly owner: StoreKey,
 *   readonly admin?: readonly string[],
 * }} StoreServer  A server that runs. `owner` may make buckets. `admin`: the command that manages users, where there are any.
 * @typedef {StoreServer & {stop: () => Promise<void>}} StartedServer
 */

/** A RADOS Gateway; ready after some 12 s. */
export function startCephGateway() {
  return start('ceph-gateway');
}

/** moto; ready after a second. It checks no signatures, so every key is good. */
export function startMoto() {
  return start('moto');
}

/**
 * @param {string} kind
 * @returns {Promise<StartedServer>}
 */
async function start(kind) {
  const keeper = spawn(process.execPath, [join(import.meta.dirname, 'keeper.mjs'), kind], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A session of its own: what is typed at the terminal goes to the tests, which then end it.
    detached: true,
  });
  let complaint = '';
  keeper.stderr.setEncoding('utf8').on('data', (text) => {
    complaint += text;
  });
  const ended = once(keeper, 'close');
  keeper.stdin.on('error', () => {});
  const stop = async () => {
    keeper.stdin.end();
    await ended;
  };
  const line = await Promise.race([
    once(createInterface(keeper.stdout), 'line').then(([text]) => String(text)),
    ended.then(() => undefined),
  ]);
  if (line === undefined) throw new Error(`${kind} did not start: ${complaint.trim()}`);
  /** @type {StoreServer} */
  const server = JSON.parse(line);
  return { ...server, stop };
}

/**
 * A client for a server, as simple as can be: path style, no checksums beyond what the operation asks for.
 * @param {StoreServer} server
 * @param {StoreKey} [key]
 */
export function storeClient(server, key = server.owner) {
  return new S3Client({
    endpoint: server.endpoint,
    region: server.region,
    credentials: key,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

/**
 * Makes a bucket of a name that was never used before.
 * @param {StoreServer} server
 * @param {StoreKey} [key] whose it is
 * @param {{objectLock?: boolean}} [options]
 * @returns {Promise<string>} its name
 */
export async function newBucket(server, key = server.owner, { objectLock = false } = {}) {
  const bucket = `cbr-${randomBytes(8).toString('hex')}`;
  const client = storeClient(server, key);
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: objectLock }));
  } finally {
    client.destroy();
  }
  return bucket;
}

/**
 * Makes a user of the gateway, who may do nothing in the buckets of others until a policy says so. Of a server without
 * users, a key like any other.
 * @param {StoreServer} server
 * @returns {Promise<StoreKey & {userId: string}>}
 */
export async function newUser(server) {
  const userId = `user-${randomBytes(6).toString('hex')}`;
  const key = {
    accessKeyId: randomBytes(10).toString('hex').toUpperCase(),
    secretAccessKey: randomBytes(20).toString('hex'),
  };
  await administer(
    server,
    ...['user', 'create', '--uid', userId, '--display-name', userId],
    ...['--access-key', key.accessKeyId, '--secret-key', key.secretAccessKey],
  );
  return { userId, ...key };
}

/**
 * Runs the gateway's own command (`quota set --uid ...`, `user suspend --uid ...`); nothing on a server that has none.
 * @param {StoreServer} server
 * @param {...string} args
 * @returns {Promise<string>} what it printed
 */
export async function administer(server, ...args) {
  const [program, ...common] = server.admin ?? [];
  if (program === undefined) return '';
  const { stdout } = await promisify(execFile)(program, [...common, ...args], { timeout: 60_000 });
  return stdout;
}
