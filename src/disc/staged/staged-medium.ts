import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Backend,
  createLocalBackend,
  type DiscLocation,
  type MediumOptions,
  openLocalBackend,
} from '../../backends/index.js';
import { CbrError, errnoOf } from '../../core/index.js';
import type { AskForDisc } from '../images/disc-backend.js';
import type { DiscProblem, ReportDisc } from '../images/disc-place.js';
import type { RestoreSources } from '../set/disc-layout.js';
import { runXorriso } from '../xorriso/run-xorriso.js';
import { withAppendLock } from './append-lock.js';
import { appendStaged } from './append-staged.js';
import { ImageView } from './image-view.js';
import { StagedBackend } from './staged-backend.js';
import {
  readSettings,
  type StagedSettings,
  settingsFrom,
  stagingFolderOf,
  writeSettings,
} from './staged-settings.js';

/** Opens and makes repositories that live on images. */

export interface StagedMediumOptions {
  readonly ask: AskForDisc;
  readonly report: ReportDisc;
  readonly restore: RestoreSources;
  readonly signal: AbortSignal;
}

/** Undefined where there is none. Rejects with `usage` when the location says other things than it was made with. */
export async function openStaged(
  location: DiscLocation,
  options: StagedMediumOptions,
  medium: MediumOptions,
): Promise<Backend | undefined> {
  const settings = await readSettings(location.path);
  if (settings === undefined) return undefined;
  checkSame(location, settings);
  const [staged, hidden] = foldersOf(location.path);
  return assembled(
    location,
    settings,
    await openLocalBackend(staged),
    await openLocalBackend(hidden),
    options,
    medium,
  );
}

/** Rejects with `usage` when no medium is named, and as `checkNewStaged`. */
export async function createStaged(
  location: DiscLocation,
  options: StagedMediumOptions,
  medium: MediumOptions,
): Promise<Backend> {
  const settings = settingsFrom(location.text, location.options);
  await checkNewStaged(location, options);
  const [staged, hidden] = foldersOf(location.path);
  await mkdir(stagingFolderOf(location.path), { recursive: true });
  const backends = [await createLocalBackend(staged), await createLocalBackend(hidden)] as const;
  // Last: what is without it was never made, and can be made again.
  await writeSettings(location.path, settings);
  return assembled(location, settings, ...backends, options, medium);
}

/** Rejects with `repository-exists`, `not-a-repository` and, where xorriso is not installed, `usage`. */
export async function checkNewStaged(location: DiscLocation, { signal }: StagedMediumOptions): Promise<void> {
  settingsFrom(location.text, location.options);
  const { path, text } = location;
  if (/[\n\r]/.test(path)) {
    throw new CbrError('usage', `${JSON.stringify(path)} has a line break, which xorriso cannot take`, {
      hint: 'Name another folder for the images.',
    });
  }
  if ((await readSettings(path)) !== undefined)
    throw new CbrError('repository-exists', `there is a repository at ${text} already`);
  const names = await namesIn(path);
  const others = names.filter((name) => name !== 'staging' && name !== 'lost+found');
  if (others.length > 0) {
    throw new CbrError('not-a-repository', `${path} is not empty: it holds ${JSON.stringify(others[0])}`, {
      hint: 'Name a new folder for the images.',
    });
  }
  await runXorriso(['-version'], { what: 'cannot make images', signal });
}

function assembled(
  location: DiscLocation,
  settings: StagedSettings,
  staged: Backend,
  hidden: Backend,
  { ask, report, restore, signal }: StagedMediumOptions,
  { now, stagingFolder }: MediumOptions,
): Backend {
  const folder = location.path;
  const view = new ImageView({ path: folder, location: location.text, ask, report, stagingFolder });
  const append = () =>
    withAppendLock(folder, signal, sayWaiting(report), (mark) =>
      appendStaged({
        folder,
        settings,
        staged,
        hidden,
        view,
        restore,
        report,
        mark,
        // Without a clock the images are not dated.
        now: now ?? (() => 0),
        signal,
      }),
    ).catch((error: unknown) => {
      report(stillStaged(folder));
      throw error;
    });
  return new StagedBackend({ location: location.text, staged, hidden, view, append });
}

/** The command has done what it was to do, and fails all the same. */
function stillStaged(folder: string): DiscProblem {
  return {
    severity: 'warning',
    reason: `What was stored counts, and is in ${stagingFolderOf(folder)}: it is not, or not whole, on an image yet`,
    hint: 'The next snapshot takes it along.',
  };
}

function sayWaiting(report: ReportDisc): (folder: string) => void {
  return (folder) =>
    report({
      severity: 'note',
      reason: `Waiting for another process that appends to the images in ${folder}`,
    });
}

function foldersOf(folder: string): readonly [string, string] {
  const staging = stagingFolderOf(folder);
  return [join(staging, 'objects'), join(staging, 'hidden')];
}

function checkSame({ text, options }: DiscLocation, settings: StagedSettings): void {
  for (const [name, value] of options) {
    const own = {
      media: settings.medium.name,
      cushion: String(settings.cushion),
      set: settings.set,
      'new-disc': settings.newDisc === undefined ? undefined : String(settings.newDisc),
    }[name];
    if (own === value) continue;
    throw new CbrError(
      'usage',
      `${text} was not made with ${name}=${value}${own === undefined ? '' : `, but with ${own}`}`,
      {
        hint: `Leave ${name} out: what a repository was made with stays.`,
      },
    );
  }
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
