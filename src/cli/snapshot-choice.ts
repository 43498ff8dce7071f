import type { Command } from 'commander';
import { CbrError } from '../core/index.js';
import { rawPath } from '../fs/index.js';
import type { Repository } from '../repo/index.js';
import {
  filterText,
  parseSnapshotPath,
  type Snapshot,
  type SnapshotChoice,
  type SnapshotFilter,
  selectSnapshot,
} from '../snapshot/index.js';
import { parsePastMoment } from './moments.js';
import { gatheredWords } from './parse-text.js';
import { type PointInTime, timeText, type ZonedTime } from './times.js';

interface FilterFlags {
  readonly host?: string;
  readonly path?: string;
  readonly tag?: readonly string[];
}

interface ChoiceFlags extends FilterFlags {
  readonly at?: ZonedTime;
}

/** The options that say which snapshots count, the same on every command; for those that name none, or take all of them. */
export function declareSnapshotFilter(command: Command): void {
  command
    .optionsGroup('Which snapshots count:')
    .option('--host <host>', 'those of this host')
    .option('--path <path>', 'those that have this source path')
    .option('--tag <tag>', 'those with this tag; given several times: with all of them', gatheredWords);
}

export function snapshotFilterOf(command: Command): SnapshotFilter {
  const { host, path, tag = [] } = command.opts<FilterFlags>();
  return {
    ...(host === undefined ? {} : { host }),
    ...(path === undefined ? {} : { path: rawPath(path) }),
    tags: tag,
  };
}

/** The options by which a snapshot that is named is chosen: the same, and a time. */
export function declareChoice(command: Command): void {
  declareSnapshotFilter(command);
  command.option(
    '--at <time>',
    'the newest that was taken at or before TIME; latest need not be written then',
    parsePastMoment,
  );
}

export function choiceOf(command: Command): SnapshotChoice {
  const { at } = command.opts<ChoiceFlags>();
  return { ...snapshotFilterOf(command), ...(at === undefined ? {} : { at }) };
}

/**
 * SNAPSHOT[:PATH] as it was written: with a time it may be left out, and so may what stands in front of the colon. Rejects
 * with `usage` when there is neither.
 */
export function wantedOf(
  text: string | undefined,
  choice: SnapshotChoice,
): { snapshot: string; path?: string } {
  if (text === undefined) return { snapshot: namesOf([], choice)[0]! };
  const { snapshot, ...rest } = parseSnapshotPath(text);
  return { snapshot: snapshot === '' && choice.at !== undefined ? 'latest' : snapshot, ...rest };
}

/** SNAPSHOT... as written: with a time they may be left out. Rejects with `usage` when there is neither. */
export function namesOf(names: readonly string[], { at }: SnapshotChoice): readonly string[] {
  if (names.length > 0) return names;
  if (at !== undefined) return ['latest'];
  throw new CbrError('usage', 'no snapshot was named', {
    hint: 'Give an id, the beginning of one, latest, or --at TIME.',
  });
}

/** As `selectSnapshot`. `path`: what is wanted of it, where a path can follow. */
export function chosenSnapshot(
  repository: Repository,
  name: string,
  choice: SnapshotChoice,
  path?: string,
): Promise<Snapshot> {
  return selectSnapshot(repository, name, choice, path);
}

/** That nothing is left to search: an error, for a typing error must not look like a file that never was. */
export function noneToSearch(filter: SnapshotFilter, at?: PointInTime): CbrError {
  const which = filterText(filter);
  const time = at === undefined ? '' : ` that was taken at or before ${timeText(at)}`;
  return new CbrError('not-found', `there is no snapshot${which === '' ? '' : ` of ${which}`}${time}`, {
    hint: 'See: cbr snapshots',
  });
}

/** All that are named, each once, before anything is done with one of them. */
export async function chosenSnapshots(
  repository: Repository,
  names: readonly string[],
  choice: SnapshotChoice,
): Promise<readonly Snapshot[]> {
  const chosen = new Map<string, Snapshot>();
  for (const name of namesOf(names, choice)) {
    const snapshot = await chosenSnapshot(repository, name, choice);
    chosen.set(snapshot.id, snapshot);
  }
  return [...chosen.values()];
}

/** What SNAPSHOT means where no path can follow, for help texts. */
export const NAMES_HELP = `
SNAPSHOT is an id, the beginning of one, "latest", or "latest~N" for the Nth before it.`;

/** What SNAPSHOT[:PATH] means, for help texts. */
export const SNAPSHOT_HELP = `${NAMES_HELP}
PATH is absolute, as it was when the snapshot was taken. With one, "latest" is the newest snapshot with a source that PATH is or
lies in. If no snapshot has all of PATH, it is the newest with sources below it, which is told; it is refused where others have
what that one lacks. Partial snapshots are passed over unless there are no others. With --at TIME, ":PATH" alone is enough.`;
