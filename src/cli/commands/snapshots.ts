import type { Command } from 'commander';
import { displayPath } from '../../fs/index.js';
import {
  filterSnapshots,
  listSnapshots,
  parentOf,
  rewrittenFrom,
  type Snapshot,
} from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { displayText, rawListField } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { shortestUnique } from '../short-ids.js';
import { countText, sizeText } from '../sizes.js';
import { declareSnapshotFilter, snapshotFilterOf } from '../snapshot-choice.js';
import { type Column, table } from '../table.js';
import { isoTime, timeText } from '../times.js';
import { pinFields, pinText } from './pin.js';

const COLUMNS: readonly Column[] = [
  { title: 'ID' },
  { title: 'Time' },
  { title: 'Host' },
  { title: 'Level' },
  { title: 'Files', align: 'right' },
  { title: 'Size', align: 'right' },
  { title: 'Tags' },
];
const PINNED: Column = { title: 'Pinned' };
const PATHS: Column = { title: 'Paths' };

export const snapshots: CommandModule = {
  configure(command: Command): void {
    declareSnapshotFilter(command);
    command.addHelpText('after', '\nExample:\n  $ cbr snapshots --host dove --tag nightly');
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const filter = snapshotFilterOf(command);
    return withRepository(context, async (repository) => {
      const { output } = context;
      const all = await listSnapshots(repository);
      const chosen = filterSnapshots(all.snapshots, filter);
      const digits = shortestUnique([
        ...all.snapshots.map(({ id }) => id),
        ...all.damaged.map(({ id }) => id),
      ]);
      const now = Math.floor(repository.now() / 1000);
      const [titles, ...lines] = tableOf(chosen, digits, now);
      if (chosen.length > 0) output.line(titles);
      for (const [i, snapshot] of chosen.entries()) {
        const more = output.isVerbose ? originText(snapshot, digits) : '';
        output.item(itemFields(snapshot, now), () => lines[i]! + more);
      }
      output.line(countLine(chosen.length, all.snapshots.length));
      for (const { id, error } of all.damaged) {
        output.problem({
          severity: 'error',
          about: 'repository',
          code: error.code,
          reason: error.message,
          hint: error.hint ?? 'Run: cbr check',
          object: `snapshots/${id}`,
        });
      }
      return {
        exitCode: all.damaged.length > 0 ? EXIT.damage : EXIT.done,
        summary: { snapshots: chosen.length },
      };
    });
  },
};

/** With a column for pins only where there are any. */
function tableOf(snapshots: readonly Snapshot[], digits: number, now: number): string[] {
  const pins = snapshots.map((snapshot) => pinText(snapshot, now));
  const hasPins = pins.some((text) => text !== '');
  const columns = [...COLUMNS, ...(hasPins ? [PINNED] : []), PATHS];
  const rows = snapshots.map((snapshot, i) => [
    ...rowOf(snapshot, digits),
    ...(hasPins ? [pins[i]!] : []),
    snapshot.about.paths.map(displayPath).join(' '),
  ]);
  return table(columns, rows);
}

function rowOf({ id, about }: Snapshot, digits: number): string[] {
  const { files, others, sourceBytes } = about.statistics;
  return [
    id.slice(0, digits),
    timeText(about),
    displayText(about.host),
    about.level,
    countText(files + others),
    sizeText(sourceBytes),
    about.tags.map(displayText).join(','),
  ];
}

/** Below the row of one that was rewritten or merged. */
function originText({ about }: Snapshot, digits: number): string {
  const from = rewrittenFrom(about).map((id) => id.slice(0, digits));
  return from.length === 0 ? '' : `\n${' '.repeat(digits)}  made from ${from.join(', ')}`;
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
    root: Buffer.from(root.id, 'latin1').toString('hex'),
    parent: parentOf(about),
    ...rewrittenFields(about),
    files: statistics.files + statistics.others,
    folders: statistics.folders,
    bytes: statistics.sourceBytes,
    stored: statistics.storedBytes,
    problems: about.errors.length,
    programVersion: about.program,
  };
}

function rewrittenFields(about: Snapshot['about']): Readonly<Record<string, unknown>> {
  const from = rewrittenFrom(about);
  return from.length === 0 ? {} : { rewrittenFrom: from };
}
