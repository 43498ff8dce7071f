import type { Command } from 'commander';
import { rawPath } from '../fs/index.js';
import type { SnapshotFilter } from '../snapshot/index.js';
import { gatheredWords } from './parse-text.js';

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

/** What SNAPSHOT[:PATH] means, for help texts. */
export const SNAPSHOT_HELP = `
SNAPSHOT is an id, the beginning of one, "latest", or "latest~N" for the Nth before it.
PATH is absolute, as it was when the snapshot was taken.`;
