import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CbrError } from '../core/index.js';
import {
  checkSetName,
  FITS,
  type Fit,
  MEDIA,
  type Medium,
  parseMedium,
  type SetRequest,
} from '../disc/index.js';
import type { DiscContent, Repository } from '../repo/index.js';
import { listSnapshots, type Snapshot } from '../snapshot/index.js';
import type { CommandContext } from './command.js';
import { percentageBelowAll } from './parse-number.js';
import { gatheredWords } from './parse-text.js';
import { RESTORE_SOURCES } from './restore-sources.js';
import { parseSize } from './sizes.js';
import { chosenSnapshots } from './snapshot-choice.js';

/** The options by which discs are planned, the same for `disc plan` and `disc build`. */

const CONTENTS: readonly DiscContent[] = ['all', 'since-full', 'new'];

export interface SetFlags {
  readonly set?: string;
  readonly media?: Medium;
  readonly cushion?: number;
  readonly content?: DiscContent;
  readonly fit?: Fit;
  readonly snapshot?: readonly string[];
  readonly maxNew?: number;
}

export const SET_HELP = `
Media: ${MEDIA.map(({ name }) => name).join(' ')}, or any size.
Content: "all" is everything that the snapshots need: a set that needs no other discs. "since-full" is what is on no disc of the last
build of the set that had all; "new" is what is on no disc of the set. Discs that were retired do not count.
Fits: "best" takes the largest packs first, "worst" the smallest, "first" the oldest, "alternate" the smallest and the largest by
turns. What snapshots need together stays together, as far as it fits.
Every disc holds all that opens the repository and the records of the snapshots; the last one has all of what they need but the content of
files. Each comes with a program that restores from discs, without cbr.`;

export function declareFit(command: Command): void {
  command.addOption(new Option('--fit <fit>', 'how discs are filled (default: "best")').choices(FITS));
}

export function declareMedia(command: Command): void {
  command
    .option('--media <medium>', 'the discs: a kind, or a size such as 200MiB', parseMediumFlag)
    .option('--cushion <percent>', 'leave so much of each disc free', percentageBelowAll);
}

export function declareSet(command: Command): void {
  command.option('--set <name>', 'the disc set');
  declareMedia(command);
  command.addOption(
    new Option('--content <content>', 'what goes on the discs (default: "all")').choices(CONTENTS),
  );
  command.option(
    '--snapshot <snapshot>',
    'what they are to restore; given several times: all of them (default: all snapshots)',
    gatheredWords,
  );
  declareFit(command);
  command.option('--max-new <size>', 'refuse to put more than this on new discs', parseSize);
}

function parseMediumFlag(text: string): Medium {
  const found = parseMedium(text);
  if (found !== undefined) return found;
  const names = MEDIA.map(({ name }) => name).join(', ');
  throw new InvalidArgumentError(`One of ${names}, or a size such as 200MiB, is expected.`);
}

/** The set that was named; rejects with `usage` when there is none. */
export function requireSet({ set }: SetFlags): string {
  if (set !== undefined) return checkSetName(set);
  throw new CbrError('usage', 'nothing says which disc set', { hint: 'Use --set NAME.' });
}

/** What is asked for of the planner. Rejects with `usage`, and with `not-found` when there are no snapshots. */
export async function setRequest(
  { options, signal }: CommandContext,
  repository: Repository,
  flags: SetFlags,
): Promise<SetRequest> {
  const { media, cushion = 0, content = 'all', fit = 'best', snapshot = [] } = flags;
  if (media === undefined) {
    throw new CbrError('usage', 'nothing says which discs there are', {
      hint: 'Use --media MEDIUM, such as dvd+r, bd-r or 200MiB.',
    });
  }
  return {
    set: requireSet(flags),
    medium: media,
    cushion,
    content,
    fit,
    snapshots: await snapshotsForDiscs(repository, snapshot),
    restore: RESTORE_SOURCES,
    workFolder: join(options.cacheRoot, 'staging'),
    signal,
  };
}

/** The snapshots of these names, or all, oldest first. Rejects with `not-found`. Records that are damaged reject, too: what is on a shelf must not lack a snapshot unawares. */
export async function snapshotsForDiscs(
  repository: Repository,
  names: readonly string[],
): Promise<readonly Snapshot[]> {
  const { snapshots, damaged } = await listSnapshots(repository);
  const [first] = damaged;
  if (names.length === 0 && first !== undefined) throw first.error;
  const chosen = names.length === 0 ? snapshots : await chosenSnapshots(repository, names, { tags: [] });
  if (chosen.length === 0)
    throw new CbrError('not-found', 'there is no snapshot', { hint: 'See: cbr snapshots' });
  return [...chosen].sort((a, b) => a.about.seconds - b.about.seconds);
}

/** Rejects with `limit` when more would go on discs than was allowed. */
export function checkMaxNew(newBytes: number, { maxNew }: SetFlags): void {
  if (maxNew === undefined || newBytes <= maxNew) return;
  throw new CbrError('limit', `${newBytes} bytes would go on new discs, and --max-new allows ${maxNew}`, {
    hint: 'See what has changed (cbr diff, cbr stats), or allow more.',
  });
}
