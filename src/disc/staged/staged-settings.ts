import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CbrError, errnoOf, FormatError } from '../../core/index.js';
import { type Medium, parseMedium } from '../media.js';
import { checkSetName } from '../set/set-name.js';

/** What a repository that lives on images was made for: kept in the staging folder beside the images. */
export interface StagedSettings {
  readonly medium: Medium;
  /** Percent of each image that stays free. */
  readonly cushion: number;
  readonly set: string;
  /**
   * How often what a snapshot stores must fit on the current image for it to go there: see `startsNewDisc`. Without it each image is
   * filled, and what a snapshot stores may begin on one and end on the next.
   */
  readonly newDisc?: number;
}

const VERSION = 1;
const DEFAULT_SET = 'repository';
const MOST_FACTOR = 1000;

/** Everything that is not on images, below the folder of the images. */
export function stagingFolderOf(folder: string): string {
  return join(folder, 'staging');
}

function settingsFile(folder: string): string {
  return join(stagingFolderOf(folder), 'settings.json');
}

const OPTIONS: readonly string[] = ['media', 'cushion', 'set', 'new-disc'];

/** The options of a location: `media`, `cushion`, `set` and `new-disc`. Rejects with `usage` what they do not understand. */
export function settingsFrom(text: string, options: ReadonlyMap<string, string>): StagedSettings {
  const unknown = [...options.keys()].find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) {
    throw new CbrError('usage', `${text} has an option ${JSON.stringify(unknown)}, which is not known`, {
      hint: `There are ${OPTIONS.join(', ')}: disc:FOLDER?media=dvd+r&cushion=2`,
    });
  }
  const named = options.get('media') ?? '';
  const medium = parseMedium(named);
  if (medium === undefined) {
    throw new CbrError(
      'usage',
      `${text}: ${named === '' ? 'no medium is given' : `${JSON.stringify(named)} is no medium`}`,
      {
        hint: 'Write disc:FOLDER?media=dvd+r; see cbr disc plan --help for what there is.',
      },
    );
  }
  const cushion = Number(options.get('cushion') ?? 0);
  if (!(cushion >= 0 && cushion < 100)) {
    throw new CbrError('usage', `${text}: cushion is a percentage below 100`, { hint: 'Write cushion=2' });
  }
  const factor = options.get('new-disc');
  const newDisc = Number(factor ?? 0);
  if (!(newDisc >= 0 && newDisc <= MOST_FACTOR)) {
    throw new CbrError('usage', `${text}: new-disc is a number from 0 to ${MOST_FACTOR}`, {
      hint: 'With new-disc=1 a snapshot that does not fit on the current image begins another one.',
    });
  }
  return {
    medium,
    cushion,
    set: checkSetName(options.get('set') ?? DEFAULT_SET),
    ...(factor === undefined ? {} : { newDisc }),
  };
}

/** Undefined where no repository lives on images. Rejects with FormatError what cannot be understood. */
export async function readSettings(folder: string): Promise<StagedSettings | undefined> {
  const file = settingsFile(folder);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
  try {
    const { version, media, cushion, set, newDisc } = JSON.parse(text) as Record<string, unknown>;
    if (version !== VERSION) throw new Error(`version ${String(version)}`);
    return settingsFrom(
      file,
      new Map([
        ['media', String(media)],
        ['cushion', String(cushion)],
        ['set', String(set)],
        ...(newDisc === undefined ? [] : ([['new-disc', String(newDisc)]] as const)),
      ]),
    );
  } catch (cause) {
    throw new FormatError(`${file} cannot be understood`, {
      hint: 'It says which media the images are for. Read the images alone: cbr -r disc:IMAGE',
      cause,
    });
  }
}

export async function writeSettings(
  folder: string,
  { medium, cushion, set, newDisc }: StagedSettings,
): Promise<void> {
  await mkdir(stagingFolderOf(folder), { recursive: true });
  const text = JSON.stringify({ version: VERSION, media: medium.name, cushion, set, newDisc }, undefined, 1);
  const file = settingsFile(folder);
  // Whole or not at all: half of it could neither be opened nor made again.
  await writeFile(`${file}.new`, `${text}\n`, { flush: true });
  await rename(`${file}.new`, file);
}
