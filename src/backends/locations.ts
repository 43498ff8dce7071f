import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CbrError, messageOf } from '../core/index.js';
import { appendOnly } from './append-only.js';
import type { Backend } from './backend.js';
import { type DiscLocation, parseDiscLocation } from './disc-location.js';
import { checkNewLocalBackend, createLocalBackend, openLocalBackend } from './local-folder.js';
import type { S3Settings } from './s3/open-s3.js';
import { parseS3Location, type S3Location } from './s3/s3-location.js';
import type { StoreOptions } from './store-options.js';

/** A repository in a folder. `path` is absolute. */
export interface LocalLocation {
  readonly kind: 'local';
  readonly path: string;
  /** In one form for each place: it names what this machine keeps of the repository. */
  readonly text: string;
}

/** Where a repository lies. */
export type Location = LocalLocation | S3Location | DiscLocation;

/** What reads and writes repositories on discs: it knows of images and sets, of which nothing is known here. */
export interface DiscMedium {
  /** Rejects as `openBackend`. */
  open(location: DiscLocation, options: MediumOptions): Promise<Backend>;
  /** Rejects as `createBackend`. */
  create(location: DiscLocation, options: MediumOptions): Promise<Backend>;
  /** Rejects as `checkNewBackend`. */
  checkNew(location: DiscLocation, options: MediumOptions): Promise<void>;
}

/** How a medium is to be used. */
export interface MediumOptions {
  /** What the environment says, and what the command line says: the location itself comes in between. */
  readonly inherited?: StoreOptions;
  readonly typed?: StoreOptions;
  /** A folder for what is staged on its way to a medium that is no file system. */
  readonly stagingFolder: string;
  /** Milliseconds since 1970; without it nobody knows how far the store's clock is off. */
  readonly now?: () => number;
  /** Without it nothing on discs can be opened. */
  readonly discs?: DiscMedium;
  /** Takes whole sentences: what was made, what failed and is repeated. */
  readonly report?: (message: string, weight: 'notice' | 'verbose') => void;
}

/**
 * Reads what a user names as a repository: a path, an absolute `file:` url, or what `parseS3Location` and
 * `parseDiscLocation` take. Rejects with CbrError 'usage' what is
 * neither; a path that looks like a url is written with `./` in front.
 */
export function parseLocation(text: string): Location {
  if (text === '') throw unusable(text, 'it is empty', 'name the folder of the repository');
  if (text.includes('\0')) throw unusable(text, 'it holds a NUL character', 'name a folder');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return localLocation(resolve(text));
  if (scheme === 's3') return parseS3Location(text);
  if (scheme === 'disc') return parseDiscLocation(text);
  if (scheme !== 'file') {
    throw unusable(
      text,
      `${scheme}: is not supported by this version`,
      `use a folder, s3:https://HOST/BUCKET/PREFIX or disc:FOLDER; for a folder that is really named so write ./${text}`,
    );
  }
  if (!text.startsWith('/', 'file:'.length)) {
    throw unusable(text, 'a file: url needs an absolute path', 'write file:///path/to/repository');
  }
  try {
    return localLocation(fileURLToPath(text));
  } catch (error) {
    throw unusable(text, messageOf(error), 'write file:///path/to/repository');
  }
}

function unusable(text: string, reason: string, hint: string): CbrError {
  return new CbrError('usage', `${JSON.stringify(text)} is no location of a repository: ${reason}`, { hint });
}

function localLocation(path: string): LocalLocation {
  return { kind: 'local', path, text: path };
}

/** Opens the repository's medium; rejects as `openLocalBackend` and `openS3Backend`. */
export async function openBackend(location: Location, options: MediumOptions): Promise<Backend> {
  const its = storeOptions(location, options);
  if (location.kind === 'local') return restricted(await openLocalBackend(location.path), its);
  if (location.kind === 'disc') return restricted(await discs(options).open(location, options), its);
  const { openS3Backend } = await loadS3();
  return restricted(await openS3Backend(location, its, s3Settings(options)), its);
}

function discs({ discs: medium }: MediumOptions): DiscMedium {
  if (medium !== undefined) return medium;
  throw new CbrError('usage', 'disc: is not supported here', { hint: 'Use the program cbr.' });
}

function restricted(backend: Backend, options: StoreOptions): Backend {
  return options.appendOnly === true ? appendOnly(backend) : backend;
}

/** Whether a medium can be made there, without making it; rejects as `checkNewLocalBackend` and `checkNewS3Backend`. */
export async function checkNewBackend(location: Location, options: MediumOptions): Promise<void> {
  if (location.kind === 'local') return checkNewLocalBackend(location.path);
  if (location.kind === 'disc') return discs(options).checkNew(location, options);
  const { checkNewS3Backend } = await loadS3();
  return checkNewS3Backend(location, storeOptions(location, options), s3Settings(options));
}

/** Makes the repository's medium, also the bucket; rejects as `createLocalBackend` and `openS3Backend`. */
export async function createBackend(location: Location, options: MediumOptions): Promise<Backend> {
  const its = storeOptions(location, options);
  if (location.kind === 'local') return restricted(await createLocalBackend(location.path), its);
  if (location.kind === 'disc') return restricted(await discs(options).create(location, options), its);
  const { makeBucket, openS3Backend } = await loadS3();
  if (await makeBucket(location, its, s3Settings(options))) {
    options.report?.(`Made the bucket ${location.bucket}.`, 'notice');
  }
  return restricted(await openS3Backend(location, its, s3Settings(options)), its);
}

/** Loading what speaks S3 takes a quarter of a second, which others need not pay. */
async function loadS3(): Promise<typeof import('./s3/open-s3.js')> {
  return import('./s3/open-s3.js');
}

function storeOptions(location: Location, { inherited, typed }: MediumOptions): StoreOptions {
  return { ...inherited, ...(location.kind === 's3' ? location.options : {}), ...typed };
}

function s3Settings({ stagingFolder, now, report }: MediumOptions): S3Settings {
  return {
    stagingFolder,
    ...(now === undefined ? {} : { now }),
    ...(report === undefined ? {} : { report: (message: string) => report(message, 'verbose') }),
  };
}
