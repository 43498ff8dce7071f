import { type Command, InvalidArgumentError } from 'commander';
import type { Level, SnapshotFilter } from '../snapshot/index.js';
import { parseMoment } from './moments.js';
import { declareSnapshotFilter, snapshotFilterOf } from './snapshot-choice.js';
import type { ZonedTime } from './times.js';

interface Flags {
  readonly job?: string;
  readonly level?: Level;
  readonly after?: ZonedTime;
  readonly before?: ZonedTime;
}

const LEVELS: readonly Level[] = ['full', 'diff', 'incr'];

/** The options that say which snapshots are listed: those that every command has, and what only lists have a use for. */
export function declareListFilter(command: Command, declareOthers = declareSnapshotFilter): void {
  declareOthers(command);
  command
    .option('--job <job>', 'those of this job')
    .option('--level <level>', 'those taken full, diff or incr', parseLevel)
    .option('--after <time>', 'those taken at TIME or later', parseMoment)
    .option('--before <time>', 'those taken earlier than TIME', parseMoment);
}

export function listFilterOf(command: Command): SnapshotFilter {
  const { job, level, after, before } = command.opts<Flags>();
  return {
    ...snapshotFilterOf(command),
    ...(job === undefined ? {} : { job }),
    ...(level === undefined ? {} : { level }),
    ...(after === undefined ? {} : { after }),
    ...(before === undefined ? {} : { before }),
  };
}

/** A parser for commander. */
function parseLevel(text: string): Level {
  const level = LEVELS.find((each) => each === text);
  if (level !== undefined) return level;
  throw new InvalidArgumentError(`One of ${LEVELS.join(', ')} is expected.`);
}
