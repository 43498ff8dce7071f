import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  type Backend,
  checkNewLocalBackend,
  createLocalBackend,
  openLocalBackend,
} from '../../dist/backends/index.js';
import { type MirrorOptions, type MirrorReport, mirror } from '../../dist/repo/index.js';
import { SMALL } from './check-subject.js';
import { QUICK } from './places.js';
import { forget, writeFiles } from './prune-subject.js';
import { Scratch, scratchRepository } from './scratch-repository.js';

/** Mirrors of folders, with whatever is put around their media. */

export interface Around {
  readonly source?: (medium: Backend) => Backend;
  readonly target?: (medium: Backend) => Backend;
}

export async function mirrorTo(
  from: string,
  to: string,
  changes: Partial<MirrorOptions> = {},
  { source = (medium) => medium, target = (medium) => medium }: Around = {},
): Promise<MirrorReport> {
  const openTarget = async (): Promise<Backend> => {
    const medium = await openLocalBackend(to).catch(() => undefined);
    if (medium !== undefined) for await (const _ of medium.list('config')) return target(medium);
    await checkNewLocalBackend(to);
    return target(await createLocalBackend(to));
  };
  const options: MirrorOptions = {
    signal: new AbortController().signal,
    dryRun: false,
    keepGone: 0,
    stagingFolder: mkdtempSync(join(QUICK, 'cbr-staging-')),
    now: () => 1_800_000_000_000,
    ...changes,
  };
  try {
    return await mirror(source(await openLocalBackend(from)), openTarget, options);
  } finally {
    rmSync(options.stagingFolder, { recursive: true });
  }
}

/** A mirror as a repository of its own, with caches of its own. */
export class Mirror extends Scratch {
  constructor(existing?: string) {
    super();
    if (existing !== undefined) cpSync(existing, this.repo, { recursive: true, preserveTimestamps: true });
  }
}

/** One that is removed when the test is over. */
export function newMirror(existing?: string): Mirror {
  const made = new Mirror(existing);
  onTestFinished(() => made.remove());
  return made;
}

/** The content of every object by its path, but for what a mirror does not take along. */
export function objectsOf(repo: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const path of readdirSync(repo, { recursive: true, encoding: 'utf8' }).sort()) {
    if (/^(sessions|marks|parity|tmp|reserve|leases\/prune-alive)(\/|$)/.test(path)) continue;
    if (statSync(join(repo, path)).isFile()) found.set(path, readFileSync(join(repo, path), 'latin1'));
  }
  return found;
}

/** `medium`, with some of its calls made otherwise. */
export function altered(medium: Backend, changes: Partial<Backend>): Backend {
  return {
    location: medium.location,
    concurrency: medium.concurrency,
    capabilities: medium.capabilities,
    ...(medium.stagingFolder === undefined ? {} : { stagingFolder: medium.stagingFolder }),
    list: (...call) => medium.list(...call),
    stat: (...call) => medium.stat(...call),
    read: (...call) => medium.read(...call),
    write: (...call) => medium.write(...call),
    remove: (...call) => medium.remove(...call),
    removeMany: (...call) => medium.removeMany(...call),
    close: () => medium.close(),
    ...changes,
  };
}

/** A repository with two snapshots, the first of which has much that the second has not. */
export async function filled(changes: Parameters<Scratch['init']>[0] = {}): Promise<Scratch> {
  const its = await scratchRepository({ ...SMALL, ...changes });
  writeFiles(its, 'steady', 1, 8, 20_000);
  writeFiles(its, 'passing', 2, 30, 20_000);
  await its.take({ threads: 1 });
  writeFiles(its, 'passing', 3, 30, 20_000);
  await its.take({ threads: 1 });
  return its;
}

export async function forgetFirst(its: Scratch): Promise<void> {
  const [first] = await its.snapshots();
  await forget(its, first!.id);
}
