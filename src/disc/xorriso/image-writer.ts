import { randomBytes } from 'node:crypto';
import { mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { BackendError } from '../../core/index.js';
import { SECTOR_BYTES } from '../media.js';
import type { ProgramMark } from './program-file.js';
import { runXorriso } from './run-xorriso.js';

/** What is in a repository is its owner's, encrypted or not. */
const OWN_MODE = 0o600;

/** How often xorriso looks whether it is done. By itself it does once a second, which a small image waits for. */
const OFTEN: readonly string[] = ['-pacifier', 'interval=0.1'];

/** A file that goes into an image. */
export interface MappedFile {
  /** Where its bytes are, an absolute path. */
  readonly from: string;
  /** Where it stands in the image, without a leading slash. */
  readonly to: string;
}

export interface ImageOptions {
  /** At most 32 letters A to Z, digits and `_`. */
  readonly volumeId: string;
  /** Seconds since 1970: the time of all folders and of the image. */
  readonly time: number;
  /** A folder for the list of files. */
  readonly workFolder: string;
  readonly signal: AbortSignal;
  /** By which others can tell that xorriso writes. */
  readonly mark?: ProgramMark;
  /** Takes the share that is written, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/**
 * The exact length of the image that `writeImage` would write, in sectors. Nothing is written: for files that are not there yet, sparse ones
 * of their lengths do.
 */
export async function imageSectors(
  files: readonly MappedFile[],
  image: string,
  options: ImageOptions,
): Promise<number> {
  const what = `cannot tell the size of ${image}`;
  const said = await withCommands(files, options, (commands) =>
    runXorriso([...openingOf(image, options, ['-outdev']), ...commands, '-print_size', '-rollback_end'], {
      what,
      signal: options.signal,
    }),
  );
  const sectors = /^Image size +: +([0-9]+)s/m.exec(said)?.[1];
  if (sectors === undefined) throw new BackendError(`${what}: xorriso did not tell it`, false);
  return Number(sectors);
}

/**
 * Writes an image of one session, with Rock Ridge, Joliet and checksums that xorriso itself can check, as a new file that its owner alone may read. What
 * is in it everyone may read, whatever the modes of the sources are. Rejects as `runXorriso`; what was written by then is removed.
 */
export async function writeImage(
  files: readonly MappedFile[],
  image: string,
  options: ImageOptions,
): Promise<void> {
  await mkdir(dirname(image), { recursive: true });
  // Into a file that is there it would append a session.
  await rm(image, { force: true });
  try {
    // An empty one it takes as it is, with its mode.
    await (await open(image, 'wx', OWN_MODE)).close();
    await commit(files, image, ['-outdev'], options);
    const { size } = await stat(image);
    if (size % SECTOR_BYTES !== 0) throw new BackendError(`${image} is no whole number of sectors`, false);
  } catch (error) {
    await rm(image, { force: true });
    throw error;
  }
}

/** What one more session of an image changes. */
export interface SessionChange {
  /** New files, and those that take the place of others. */
  readonly files: readonly MappedFile[];
  /** Paths that the session does not show any more. */
  readonly removed: readonly string[];
}

/** The sector at which one more session of an image would begin, and at which the image would end with it. Nothing is written. */
export async function sessionSectors(
  change: SessionChange,
  image: string,
  options: ImageOptions,
): Promise<{ readonly start: number; readonly end: number }> {
  const what = `cannot tell the size of a session of ${image}`;
  const said = await withCommands(change.files, options, (commands) =>
    runXorriso(
      [
        ...openingOf(image, options, ['-dev']),
        '-toc',
        ...removing(change),
        ...commands,
        '-print_size',
        '-rollback_end',
      ],
      { what, signal: options.signal },
    ),
  );
  const start = /^Media nwa +: +([0-9]+)s/m.exec(said)?.[1];
  const sectors = /^Image size +: +([0-9]+)s/m.exec(said)?.[1];
  if (start === undefined || sectors === undefined)
    throw new BackendError(`${what}: xorriso did not tell it`, false);
  return { start: Number(start), end: Number(start) + Number(sectors) };
}

/**
 * Appends a session to an image that is there. Earlier sessions stay as they are: the descriptors that make the new one visible
 * are written last. Rejects as `runXorriso`.
 */
export async function appendSession(
  change: SessionChange,
  image: string,
  options: ImageOptions,
): Promise<void> {
  await commit(change.files, image, ['-dev'], options, removing(change));
}

function removing({ removed }: SessionChange): string[] {
  return removed.length === 0 ? [] : ['-rm', ...removed.map((path) => `/${path}`), '--'];
}

async function commit(
  files: readonly MappedFile[],
  image: string,
  device: Device,
  options: ImageOptions,
  before: readonly string[] = [],
): Promise<void> {
  const { onProgress, mark, signal } = options;
  await withCommands(files, options, (commands) =>
    runXorriso([...openingOf(image, options, device), ...before, ...commands, '-commit', '-end'], {
      what: `cannot write ${image}`,
      signal,
      ...(mark === undefined ? {} : { mark }),
      ...(onProgress === undefined ? {} : { onLine: progressLines(onProgress) }),
    }),
  );
}

/** `-outdev` takes what is there for blank or refuses it, `-dev` reads it first. */
type Device = readonly ['-outdev' | '-dev'];

function openingOf(image: string, { volumeId }: ImageOptions, [device]: Device): string[] {
  return [
    ...['-md5', 'on', '-joliet', 'on', '-rockridge', 'on', '-pathspecs', 'off', '-hardlinks', 'off'],
    ...['-acl', 'off', '-xattr', 'off', '-report_about', 'UPDATE', ...OFTEN],
    ...[device, `stdio:${resolve(image)}`, '-volid', volumeId],
  ];
}

/** Lists of files are too long for a command line. */
async function withCommands<T>(
  files: readonly MappedFile[],
  { workFolder, time }: ImageOptions,
  use: (commands: readonly string[]) => Promise<T>,
): Promise<T> {
  const list = join(workFolder, `files-${randomBytes(8).toString('hex')}`);
  const date = `=${time}`;
  await writeFile(list, files.map(({ from, to }) => `-map ${quoted(from)} ${quoted(`/${to}`)}\n`).join(''));
  try {
    return await use([
      ...['-options_from_file', list],
      ...['-chown_r', '0', '/', '--', '-chgrp_r', '0', '/', '--'],
      ...['-find', '/', '-type', 'd', '-exec', 'chmod', 'a=rx', '--'],
      ...['-find', '/', '-type', 'f', '-exec', 'chmod', 'a=r', '--'],
      ...['-alter_date_r', 'b', date, '/', '--'],
      ...['-volume_date', 'c', date, '-volume_date', 'm', date],
    ]);
  } finally {
    await rm(list, { force: true });
  }
}

/** A word as xorriso reads it from a file: in quotes, of which those within are left out and quoted otherwise. */
function quoted(word: string): string {
  if (/[\0\n]/.test(word))
    throw new BackendError(`xorriso cannot take the name ${JSON.stringify(basename(word))}`, false);
  return word
    .split("'")
    .map((part) => `'${part}'`)
    .join(`"'"`);
}

function progressLines(onProgress: (share: number) => void): (line: string) => void {
  return (line) => {
    const percent = /Writing: .* ([0-9.]+)%/.exec(line)?.[1];
    if (percent !== undefined) onProgress(Math.min(1, Number(percent) / 100));
  };
}
