import type { Command } from 'commander';
import { displayPath } from '../../fs/index.js';
import { type GroupCommon, type GroupField, groupSnapshots } from '../../policy/index.js';
import {
  copyOf,
  filterSnapshots,
  isPartial,
  listSnapshots,
  parentOf,
  plannedSnapshot,
  rewrittenFrom,
  type Snapshot,
} from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { tellDamaged } from '../damaged-records.js';
import { MOMENT_HELP } from '../moments.js';
import { wholeNumber } from '../parse-number.js';
import { parseGroupBy } from '../parse-policy.js';
import { groupText } from '../plan-text.js';
import { rawListField } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { shortestUnique } from '../short-ids.js';
import { countText } from '../sizes.js';
import { declareListFilter, listFilterOf } from '../snapshot-list-flags.js';
import { snapshotTable } from '../snapshot-table.js';
import { shortenedEnd } from '../text-width.js';
import { isoTime } from '../times.js';
import { pinFields } from './pin.js';

interface Flags {
  readonly groupBy?: readonly GroupField[];
  readonly last?: number;
}

/** Snapshots that stand under one heading; without grouping there is one of all. */
interface Group {
  readonly common: GroupCommon;
  readonly snapshots: readonly Snapshot[];
}

const MOST = 999_999;

export const snapshots: CommandModule = {
  configure(command: Command): void {
    command
      .option('--last <n>', 'only the newest N, of each group where they are grouped', wholeNumber(1, MOST))
      .option('--group-by <fields>', 'host, paths, job and tags, with commas between them', parseGroupBy);
    declareListFilter(command);
    command.addHelpText(
      'after',
      `${MOMENT_HELP}

On a terminal columns are left out or cut where it is too narrow for all.

Examples:
  $ cbr snapshots --host dove --tag nightly
  $ cbr snapshots --after '2 weeks ago' --group-by host,paths --last 3`,
    );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const filter = listFilterOf(command);
    const { groupBy, last } = command.opts<Flags>();
    return withRepository(context, async (repository) => {
      const all = await listSnapshots(repository);
      const now = Math.floor(repository.now() / 1000);
      const groups = groupsOf(filterSnapshots(all.snapshots, filter), groupBy, now).map((group) =>
        last === undefined ? group : { ...group, snapshots: group.snapshots.slice(-last) },
      );
      const shown = groups.reduce((sum, group) => sum + group.snapshots.length, 0);
      const digits = shortestUnique([...all.snapshots, ...all.damaged].map(({ id }) => id));
      for (const [i, group] of groups.entries()) {
        if (groupBy !== undefined) showHeading(context, group, i === 0);
        showGroup(context, group, digits, now, groupBy !== undefined);
      }
      if (groupBy !== undefined && groups.length > 0) context.output.line();
      context.output.line(countLine(shown, all.snapshots.length));
      return {
        exitCode: tellDamaged(context.output, all),
        summary: { snapshots: shown, ...(groupBy === undefined ? {} : { groups: groups.length }) },
      };
    });
  },
};

function groupsOf(chosen: readonly Snapshot[], by: readonly GroupField[] | undefined, now: number): Group[] {
  if (by === undefined) return chosen.length === 0 ? [] : [{ common: {}, snapshots: chosen }];
  const planned = chosen.map((each) => plannedSnapshot(each, now));
  return groupSnapshots(planned, by).map(({ common, snapshots }) => ({
    common,
    snapshots: snapshots.map(({ snapshot }) => snapshot),
  }));
}

function showHeading({ output }: CommandContext, { common }: Group, isFirst: boolean): void {
  if (!isFirst) output.line();
  const text = groupText(common, displayPath);
  output.line(output.width === undefined ? text : shortenedEnd(text, output.width));
}

function showGroup(
  { output }: CommandContext,
  { common, snapshots }: Group,
  digits: number,
  now: number,
  isGrouped: boolean,
): void {
  const [titles, ...lines] = snapshotTable(snapshots, digits, now, output.width);
  output.line(titles);
  const group = isGrouped ? { group: groupFields(common) } : {};
  for (const [i, snapshot] of snapshots.entries()) {
    const more = output.isVerbose ? originText(snapshot, digits) : '';
    output.item({ ...itemFields(snapshot, now), ...group }, () => lines[i]! + more);
  }
}

function groupFields({ paths, ...common }: GroupCommon): Readonly<Record<string, unknown>> {
  return { ...common, ...(paths === undefined ? {} : rawListField('paths', paths as readonly string[])) };
}

/** Below the row of one that was rewritten, merged or copied. */
function originText({ about }: Snapshot, digits: number): string {
  const from = rewrittenFrom(about).map((id) => id.slice(0, digits));
  const [, origin] = copyOf(about);
  const below = [
    ...(from.length === 0 ? [] : [`made from ${from.join(', ')}`]),
    ...(origin === undefined
      ? []
      : [`copy of ${origin.snapshot.slice(0, digits)} in repository ${origin.repository.slice(0, 8)}`]),
  ];
  return below.map((line) => `\n${' '.repeat(digits)}  ${line}`).join('');
}

function countLine(shown: number, all: number): string {
  if (all === 0) return 'There are no snapshots yet.';
  return shown === all ? `${countText(all)} in all` : `${countText(shown)} of ${countText(all)}`;
}

function itemFields(snapshot: Snapshot, now: number): Readonly<Record<string, unknown>> {
  const { id, root, about } = snapshot;
  const { statistics } = about;
  return {
    snapshot: id,
    time: isoTime(about, about.zoneOffset),
    host: about.host,
    user: about.user,
    ...rawListField('paths', about.paths),
    tags: about.tags,
    comment: about.comment,
    job: about.job,
    ...pinFields(snapshot, now),
    level: about.level,
    partial: isPartial(about),
    root: Buffer.from(root.id, 'latin1').toString('hex'),
    parent: parentOf(about),
    ...originFields(about),
    files: statistics.files + statistics.others,
    folders: statistics.folders,
    bytes: statistics.sourceBytes,
    stored: statistics.storedBytes,
    problems: about.errors.length,
    programVersion: about.program,
  };
}

function originFields(about: Snapshot['about']): Readonly<Record<string, unknown>> {
  const from = rewrittenFrom(about);
  const [, origin] = copyOf(about);
  return {
    ...(from.length === 0 ? {} : { rewrittenFrom: from }),
    ...(origin === undefined ? {} : { copyOf: origin }),
  };
}
