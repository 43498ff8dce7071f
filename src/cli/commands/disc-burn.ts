import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import {
  burnImage,
  countsAsStored,
  type DiscLabel,
  ejectDisc,
  labelOnDisc,
  openSectors,
} from '../../disc/index.js';
import { addDiscEvent, type CatalogDisc, type Repository, readDiscCatalog } from '../../repo/index.js';
import { askYes } from '../ask.js';
import { byWhom } from '../by-whom.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { requireSet } from '../disc-flags.js';
import { runHook } from '../disc-hook.js';
import { EXIT } from '../exit-codes.js';
import { wholeNumber } from '../parse-number.js';
import { canAsk } from '../prompt.js';
import { displayText } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { currentTime } from '../times.js';

interface Flags {
  readonly set?: string;
  readonly images: string;
  readonly device: string;
  readonly speed?: number;
  readonly eject: boolean;
  readonly overwrite?: boolean;
  readonly fixedDisk?: boolean;
  readonly hook?: string;
}

/** An image that is to be burned. */
interface Wanted {
  readonly image: string;
  readonly label: DiscLabel;
}

const HELP = `
Burns images that "cbr disc build" has made, and compares each disc with its image. A disc that is not blank is refused, unless it is one of
cbr that can be written again: the same disc, or any of them with --overwrite. With --set all discs of the set that are not burned yet
are burned, one after another; a run that was stopped goes on where it was. With IMAGE no repository is needed; where one is given
(-r) it remembers that the disc is burned. --device may be a block device that is no drive, such as a stick: its start and its end must be
empty, and a disk that is built in is taken with --fixed-disk alone.

--hook runs a command when a disc is needed and when it is burned: CBR_DISC_EVENT is "needed" or "burned", and CBR_DISC_SET, CBR_DISC_NUMBER,
CBR_DISC_VOLUME, CBR_DISC_IMAGE and CBR_DISC_DEVICE say which. It can load discs, print labels, or send a message; nobody is asked then.

Examples:
  $ cbr disc burn --set photos --images /var/tmp/discs --device /dev/sr0 --speed 4
  $ cbr disc burn /var/tmp/discs/CBR_PHOTOS_0001.iso --device /dev/sr0`;

export const discBurn: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[image...]', 'images to burn; without any: those of --set')
      .option('--set <name>', 'the disc set')
      .option('--images <folder>', 'with --set: where its images are', '.')
      .requiredOption('--device <device>', 'the drive, such as /dev/sr0')
      .option('--speed <n>', 'burn at this speed', wholeNumber(1, 1000))
      .option('--no-eject', 'leave the disc in the drive')
      .option('--overwrite', 'write over another disc of cbr that can be written again')
      .option('--fixed-disk', 'the device may be a disk that is built in')
      .option('--hook <command>', 'run this when a disc is needed, and when it is burned')
      .addHelpText('after', HELP);
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const images = command.processedArgs[0] as readonly string[];
    const flags = command.opts<Flags>();
    if ((images.length === 0) === (flags.set === undefined)) {
      throw new CbrError('usage', 'give either images or --set', { hint: 'See: cbr disc burn --help' });
    }
    if (flags.set === undefined && context.options.location === undefined) {
      return burnAll(context, flags, await labelled(images), undefined);
    }
    return withRepository(context, async (repository) => {
      const wanted = flags.set === undefined ? await labelled(images) : await ofSet(repository, flags);
      return burnAll(context, flags, wanted, repository);
    });
  },
};

async function burnAll(
  context: CommandContext,
  flags: Flags,
  wanted: readonly Wanted[],
  repository: Repository | undefined,
): Promise<Outcome> {
  const { output, signal } = context;
  const { device, speed, eject, overwrite = false, fixedDisk = false, hook } = flags;
  const isListed = await listed(context, wanted, repository);
  const burned: Readonly<Record<string, unknown>>[] = [];
  for (const [i, { image, label }] of wanted.entries()) {
    const { set, number, volume, disc } = label;
    const facts = { set, number, volume, image, device };
    if (hook !== undefined) await runHook(hook, { event: 'needed', ...facts }, signal);
    else if (i > 0) await askForDisc(context, label, device, wanted.length - i);
    output.line(`Burning ${displayText(volume)}, disc ${number} of the set ${displayText(set)}.`);
    const before = await burnImage({
      image,
      disc,
      device,
      overwrites: overwrite,
      allowsFixed: fixedDisk,
      signal,
      ...(speed === undefined ? {} : { speed }),
      onProgress: (bytes, totalBytes, isReading) =>
        output.progress({
          type: 'progress',
          phase: isReading ? 'verify' : 'image',
          files: i,
          totalFiles: wanted.length,
          bytes,
          totalBytes,
          current: volume,
        }),
    });
    if (repository !== undefined && isListed(disc)) {
      await addDiscEvent(repository, disc, 'burned', byWhom(), currentTime().seconds);
    }
    if (before !== undefined) tellWrittenOver(context, before);
    const fields = { number, volume, disc, image, device };
    burned.push(fields);
    output.item(fields, () => `Burned ${displayText(volume)}: it reads as its image.`);
    if (eject) await ejected(context, device);
    if (hook !== undefined) await runHook(hook, { event: 'burned', ...facts }, signal);
  }
  if (wanted.length === 0) output.line('All discs of the set are burned.');
  return { exitCode: EXIT.done, summary: { burned } };
}

/** Which discs the repository can note as burned; of the others it is told before anything is burned. */
async function listed(
  { output }: CommandContext,
  wanted: readonly Wanted[],
  repository: Repository | undefined,
): Promise<(disc: string) => boolean> {
  if (repository === undefined) return () => false;
  const { location, capabilities } = repository.backend;
  const warn = (reason: string, hint: string): void =>
    output.problem({ severity: 'warning', about: 'repository', code: 'not-noted', reason, hint });
  if (!capabilities.writable) {
    warn(
      `${displayText(location)} cannot be written to`,
      'It will not be noted there that the discs are burned.',
    );
    return () => false;
  }
  const { builds } = await readDiscCatalog(repository);
  const known = new Set(builds.flatMap(({ discs }) => discs).map(({ id }) => id));
  for (const { image, label } of wanted) {
    if (known.has(label.disc)) continue;
    warn(
      `the catalog has no disc ${displayText(label.volume)} of the set ${displayText(label.set)}`,
      `${displayText(image)} is of another repository, or of one that lives on discs: it is not noted that it is burned.`,
    );
  }
  return (disc) => known.has(disc);
}

/** Whether that was the only copy nobody but the user knows. */
function tellWrittenOver({ output }: CommandContext, { set, number, volume }: DiscLabel): void {
  const name = `${displayText(set)}/${number}`;
  output.problem({
    severity: 'warning',
    about: 'target',
    code: 'written-over',
    reason: `disc ${name} (${displayText(volume)}) was written over: it counts as before`,
    hint: `If that was the only copy of it: cbr disc retire ${name}`,
  });
}

/** The disc is good whether the tray opens or not. */
async function ejected({ output, signal }: CommandContext, device: string): Promise<void> {
  try {
    await ejectDisc(device, signal);
  } catch (error) {
    if (!(error instanceof CbrError)) throw error;
    output.problem({
      severity: 'warning',
      about: 'target',
      code: 'not-ejected',
      reason: displayText(error.message),
      hint: 'Take it out by hand. It is burned.',
    });
  }
}

/** Rejects with `target` where nobody can be asked, or says no. */
async function askForDisc(
  { signal }: CommandContext,
  { set, number, volume }: DiscLabel,
  device: string,
  left: number,
): Promise<void> {
  const which = `${displayText(volume)} (disc ${number} of the set ${displayText(set)}, ${left} to go)`;
  const hint = 'Put in a blank disc and run the command again: with --set it goes on where it was.';
  if (!canAsk()) throw new CbrError('target', `the next disc is needed, for ${which}`, { hint });
  const isIn = await askYes(`Put a blank disc for ${which} into ${device}. Burn it?`, signal);
  if (!isIn) throw new CbrError('target', `not burned: ${which}`, { hint });
}

async function labelled(images: readonly string[]): Promise<Wanted[]> {
  const wanted: Wanted[] = [];
  for (const image of images) {
    const source = await openSectors(image);
    try {
      wanted.push({ image, label: await labelOnDisc(source, displayText(image)) });
    } finally {
      await source.close();
    }
  }
  return wanted;
}

/** The discs of the set that are made and not burned, as far as their images are there. */
async function ofSet(repository: Repository, flags: Flags): Promise<Wanted[]> {
  const set = requireSet(flags);
  const builds = (await readDiscCatalog(repository)).builds.filter((build) => build.set === set);
  if (builds.length === 0) {
    throw new CbrError('not-found', `there is no disc set ${set}`, { hint: 'See: cbr disc list' });
  }
  const discs = builds.flatMap((build) => build.discs).filter(countsAsStored);
  const todo = discs.filter(({ state }) => state === 'built').sort((a, b) => a.number - b.number);
  const wanted = await labelled(await Promise.all(todo.map((disc) => imageOf(disc, flags.images))));
  const other = wanted.find(({ label }, i) => label.disc !== todo[i]!.id);
  if (other === undefined) return wanted;
  throw new CbrError('target', `${displayText(other.image)} is not the image of the disc of that name`, {
    hint: 'It is of another set or repository. Make the image again: cbr disc rebuild',
  });
}

async function imageOf({ volume }: CatalogDisc, folder: string): Promise<string> {
  const image = join(folder, `${volume}.iso`);
  try {
    await access(image);
    return image;
  } catch (cause) {
    throw new CbrError('not-found', `the image ${image} is not there`, {
      hint: 'Name the folder with --images, or make it again: cbr disc rebuild',
      cause,
    });
  }
}
