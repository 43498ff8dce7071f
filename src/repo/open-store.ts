import { join } from 'node:path';
import {
  type Backend,
  checkNewBackend,
  createBackend,
  type MediumOptions,
  openBackend,
  parseLocation,
} from '../backends/index.js';
import { CbrError } from '../core/index.js';
import { withSecondRead } from './second-read.js';

/** What it takes to reach a medium. */
export interface StoreAccess {
  readonly location: string;
  /** Folder under which each repository has its cache. */
  readonly cacheRoot: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly report: Report;
  /** How the medium is to be used, beside what its location says. */
  readonly medium?: Pick<MediumOptions, 'inherited' | 'typed' | 'discs'>;
  /** Puts wrappers around the medium: fault injection, traffic counts. */
  readonly wrapBackend?: (medium: Backend) => Backend;
}

/** Takes whole sentences for the user; `verbose` ones are for those who asked for them. */
export type Report = (message: string, weight: 'notice' | 'verbose') => void;

/** The medium of a repository alone, for what needs no key; who opens it closes it. Rejects as `openBackend` does. */
export async function openStore(options: StoreAccess): Promise<Backend> {
  return wrapped(await openBackend(parseLocation(options.location), mediumOptions(options)), options);
}

/** As `openStore`, and makes the medium where there is no repository. Rejects as `checkNewBackend` does. */
export async function openOrMakeStore(options: StoreAccess): Promise<Backend> {
  const backend = await openStore(options).catch((error: unknown) => {
    if (error instanceof CbrError && error.code === 'no-repository') return undefined;
    throw error;
  });
  if (backend !== undefined) {
    for await (const _ of backend.list('config')) return backend;
    await backend.close();
  }
  const location = parseLocation(options.location);
  await checkNewBackend(location, mediumOptions(options));
  return wrapped(await createBackend(location, mediumOptions(options)), options);
}

export function mediumOptions({ medium, cacheRoot, now, report }: StoreAccess): MediumOptions {
  return { ...medium, stagingFolder: join(cacheRoot, 'staging'), now, report };
}

export function wrapped(medium: Backend, { wrapBackend }: StoreAccess): Backend {
  const its = wrapBackend === undefined ? medium : wrapBackend(medium);
  return its.isRemote === true ? withSecondRead(its) : its;
}
