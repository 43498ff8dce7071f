import type { Backend, DiscLocation, DiscMedium, MediumOptions } from '../../backends/index.js';
import { CbrError } from '../../core/index.js';
import { type AskForDisc, DiscBackend } from './disc-backend.js';
import { DiscPlace, type ReportDisc } from './disc-place.js';
import { DiscSpool } from './disc-spool.js';
import { KnownDiscs } from './known-discs.js';

export interface DiscMediumOptions {
  readonly ask: AskForDisc;
  readonly report: ReportDisc;
}

/** Options that a location may have. */
const MEDIA_OPTION = 'media';

/** What opens repositories on discs, for those who open locations. */
export function discMedium(options: DiscMediumOptions): DiscMedium {
  return {
    open: (location, medium) => openDiscs(location, medium, options),
    create: (location) => refuseNew(location),
    checkNew: (location) => refuseNew(location),
  };
}

/**
 * The repository on the discs of a place, for reading. Rejects with `no-repository`, `not-a-repository` and `ambiguous` for what is
 * there, with `usage` for an option that is not known, and as `openDisc` does when no disc can be used.
 */
async function openDiscs(
  location: DiscLocation,
  { stagingFolder }: MediumOptions,
  { ask, report }: DiscMediumOptions,
): Promise<Backend> {
  checkOptions(location);
  const known = new KnownDiscs();
  const place = new DiscPlace(location.path, known, report);
  await place.open();
  const spool = new DiscSpool(stagingFolder);
  return new DiscBackend({ location: location.text, place, known, ask, report, spool });
}

function checkOptions({ text, options }: DiscLocation): void {
  for (const name of options.keys()) {
    if (name === MEDIA_OPTION) {
      throw new CbrError(
        'usage',
        `${text}?${name}=${options.get(name)}: this version does not write to discs`,
        {
          hint: `Use ${text} to read them.`,
        },
      );
    }
    throw new CbrError('usage', `${text} has an option ${JSON.stringify(name)}, which is not known`, {
      hint: `Use ${text}.`,
    });
  }
}

async function refuseNew(location: DiscLocation): Promise<never> {
  checkOptions(location);
  throw new CbrError('read-only', `no repository can be made at ${location.text}: discs are only read`, {
    hint: 'Make it in a folder or an object store; cbr disc build puts it on discs.',
  });
}
