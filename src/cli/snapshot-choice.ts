import type { Command } from 'commander';
import { CbrError } from '../core/index.js';
import { rawPath } from '../fs/index.js';
import type { Repository } from '../repo/index.js';
import {
  filterSnapshots,
  listSnapshots,
  type Snapshot,
  type SnapshotFilter,
  selectSnapshot,
} from '../snapshot/index.js';
import { gatheredWords } from './parse-text.js';
import { displayText } from './raw-names.js';
import { timeText } from './times.js';

interface ChoiceFlags {
  readonly host?: string;
  readonly path?: string;
  readonly tag?: readonly string[];
}

/** The options by which snapshots are chosen, the same on every command. */
export function declareChoice(command: Command): void {
  command
    .optionsGroup('Which snapshots count:')
    .option('--host <host>', 'those of this host')
    .option('--path <path>', 'those that have this source path')
    .option('--tag <tag>', 'those with this tag; given several times: with all of them', gatheredWords);
}

export function choiceOf(command: Command): SnapshotFilter {
  const { host, path, tag = [] } = command.opts<ChoiceFlags>();
  return {
    ...(host === undefined ? {} : { host }),
    ...(path === undefined ? {} : { path: rawPath(path) }),
    tags: tag,
  };
}

/** As `selectSnapshot`; when the newest ones of several hosts could be meant, it names them. */
export async function chosenSnapshot(
  repository: Repository,
  name: string,
  filter: SnapshotFilter,
): Promise<Snapshot> {
  try {
    return await selectSnapshot(repository, name, filter);
  } catch (error) {
    const isLatest = name.startsWith('latest');
    if (!isLatest || !(error instanceof CbrError) || error.code !== 'ambiguous') throw error;
    const { snapshots } = await listSnapshots(repository);
    const newest = new Map(filterSnapshots(snapshots, filter).map((each) => [each.about.host, each]));
    const list = [...newest]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([host, { id, about }]) => {
        return `${displayText(host)} (newest: ${id.slice(0, 12)}, ${timeText(about)})`;
      });
    const message = `snapshots of several hosts match: ${list.join('; ')}`;
    throw new CbrError('ambiguous', message, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

/** What SNAPSHOT[:PATH] means, for help texts. */
export const SNAPSHOT_HELP = `
SNAPSHOT is an id, the beginning of one, "latest", or "latest~N" for the Nth before it.
PATH is absolute, as it was when the snapshot was taken.`;
