import { randomBytes } from 'node:crypto';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { BackendError } from '../../core/index.js';
import { SECTOR_BYTES } from '../media.js';
import { runXorriso } from './run-xorriso.js';

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
    runXorriso([...openingOf(image, options), ...commands, '-print_size', '-rollback_end'], {
      what,
      signal: options.signal,
    }),
  );
  const sectors = /^Image size +: +([0-9]+)s/m.exec(said)?.[1];
  if (sectors === undefined) throw new BackendError(`${what}: xorriso did not tell it`, false);
  return Number(sectors);
}

/**
 * Writes an image of one session, with Rock Ridge, Joliet and checksums that xorriso itself can check, as a new file. Everyone may read what
 * is in it, whatever the modes of the sources are. Rejects as `runXorriso`; what was written by then is removed.
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
    await withCommands(files, options, (commands) =>
      runXorriso([...openingOf(image, options), ...commands, '-commit', '-end'], {
        what: `cannot write ${image}`,
        signal: options.signal,
        ...(options.onProgress === undefined ? {} : { onLine: progressLines(options.onProgress) }),
      }),
    );
    const { size } = await stat(image);
    if (size % SECTOR_BYTES !== 0) throw new BackendError(`${image} is no whole number of sectors`, false);
  } catch (error) {
    await rm(image, { force: true });
    throw error;
  }
}

function openingOf(image: string, { volumeId }: ImageOptions): string[] {
  return [
    ...['-md5', 'on', '-joliet', 'on', '-rockridge', 'on', '-pathspecs', 'off', '-hardlinks', 'off'],
    ...['-acl', 'off', '-xattr', 'off', '-report_about', 'UPDATE'],
    ...['-outdev', `stdio:${resolve(image)}`, '-volid', volumeId],
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
