import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { errnoOf, isAlive, ownIdentity, type ProcessIdentity } from '../core/index.js';
import { localFailure } from './local-errors.js';

/** What /proc says does not change while the process lives; every small write would pay for asking again. */
const owner = ((identity?: ProcessIdentity) => () => {
  identity ??= ownIdentity(hostname());
  return identity;
})();

/** Separates the parts of a staged file's name; cannot occur in any of them. */
const SEPARATOR = '~';

/**
 * A path for a new staged file in `folder`. Its name tells its owner, so that whoever finds it later can prove that the
 * owner has ended, and is random, so that it is not in use.
 */
export function newStagingPath(folder: string): string {
  const { host, machine = '', bootId = '', pidNamespace = '', pid, startTime = '' } = owner();
  const name = encodeURIComponent(host).replaceAll(SEPARATOR, '%7E');
  const parts = [name, machine, bootId, pidNamespace, pid, startTime];
  return join(folder, [...parts, randomBytes(8).toString('hex')].join(SEPARATOR));
}

function ownerOf(name: string): ProcessIdentity | undefined {
  const [host, machine, boot, namespace, pid, start, random, ...rest] = name.split(SEPARATOR);
  if (host === undefined || machine === undefined || boot === undefined || namespace === undefined)
    return undefined;
  if (start === undefined || random === undefined || rest.length > 0) return undefined;
  if (!/^[1-9]\d*$/.test(pid ?? '')) return undefined;
  try {
    return {
      host: decodeURIComponent(host),
      pid: Number(pid),
      ...(machine === '' ? {} : { machine }),
      ...(boot === '' ? {} : { bootId: boot }),
      ...(namespace === '' ? {} : { pidNamespace: Number(namespace) }),
      ...(start === '' ? {} : { startTime: Number(start) }),
    };
  } catch {
    return undefined; // not percent-encoded by newStagingPath: not ours
  }
}

/** As `removeStaleTemporaries`, removing nothing: the paths of those files. */
export async function staleTemporaries(
  folder: string,
  olderThanMs: number,
  nowMs: number,
): Promise<string[]> {
  const observer = owner();
  const stale: string[] = [];
  try {
    for (const name of await readdir(folder)) {
      const maker = ownerOf(name);
      if (maker === undefined || isAlive(maker, observer) !== 'dead') continue;
      const path = join(folder, name);
      const found = await stat(path).catch(ifAbsent);
      if (found === undefined || nowMs - found.mtimeMs < olderThanMs) continue;
      stale.push(path);
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw localFailure(`cannot clean ${folder}`, error);
  }
  return stale;
}

/**
 * Removes from `folder` the staged files of runs that have ended: those whose owner provably ended on this host and that
 * were last written at least `olderThanMs` before `nowMs` (milliseconds since 1970). Files of other hosts, of running
 * processes and of unknown makers stay. Yields the number of files removed; a missing folder has none.
 */
export async function removeStaleTemporaries(
  folder: string,
  olderThanMs: number,
  nowMs: number,
): Promise<number> {
  const stale = await staleTemporaries(folder, olderThanMs, nowMs);
  try {
    for (const path of stale) await rm(path, { force: true });
  } catch (error) {
    throw localFailure(`cannot clean ${folder}`, error);
  }
  return stale.length;
}

function ifAbsent(error: unknown): undefined {
  if (errnoOf(error) !== 'ENOENT') throw error;
}
