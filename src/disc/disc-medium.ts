import type { Backend, DiscLocation, DiscMedium, MediumOptions } from '../backends/index.js';
import { CbrError } from '../core/index.js';
import { openDiscs } from './images/open-discs.js';
import {
  checkNewStaged,
  createStaged,
  openStaged,
  type StagedMediumOptions,
} from './staged/staged-medium.js';

export type DiscMediumOptions = StagedMediumOptions;

/** What opens repositories on discs, for those who open locations. */
export function discMedium(options: DiscMediumOptions): DiscMedium {
  return {
    open: async (location, medium) =>
      (await openStaged(location, options, medium)) ?? (await openForReading(location, options, medium)),
    create: (location, medium) => createStaged(location, options, medium),
    checkNew: (location) => checkNewStaged(location, options),
  };
}

/** Rejects with `usage` for options, which are for those that can be written to, and as `openDiscs`. */
async function openForReading(
  { path, text, options }: DiscLocation,
  { ask, report }: DiscMediumOptions,
  { stagingFolder }: MediumOptions,
): Promise<Backend> {
  const [option] = options.keys();
  if (option !== undefined) {
    throw new CbrError(
      'usage',
      `${text} holds no repository that can be written to, and ${option} is only for those`,
      { hint: `Use ${text} to read the discs there; cbr init makes a repository on images in a new folder.` },
    );
  }
  return openDiscs({ path, location: text, ask, report, stagingFolder });
}
