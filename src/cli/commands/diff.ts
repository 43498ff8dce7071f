import { hostname } from 'node:os';
import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import type { Repository } from '../../repo/index.js';
import {
  type ChangeBatch,
  type DiffOptions,
  type DiffSide,
  diffLive,
  diffSnapshots,
  type LiveOptions,
  liveRoots,
  pathInSnapshot,
  type Snapshot,
} from '../../snapshot/index.js';
import { ChangeCounts } from '../change-counts.js';
import { type ChangeRoots, changeFields, changeLine, LETTERS_HELP } from '../change-text.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { chosenSide, chosenSides, wantedSide, wantedSides } from '../diff-sides.js';
import { shownBy } from '../events.js';
import { EXIT } from '../exit-codes.js';
import { declareFilters, filterRulesOf } from '../filter-flags.js';
import { MOMENT_HELP, parsePastMoment } from '../moments.js';
import type { Output } from '../output.js';
import { noteIfLacking } from '../partial-text.js';
import { displayText, rawField } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { countOf } from '../sizes.js';
import { declareSnapshotFilter, SNAPSHOT_HELP, snapshotFilterOf } from '../snapshot-choice.js';
import { labelled } from '../table.js';
import type { ZonedTime } from '../times.js';

interface Flags {
  readonly at?: readonly ZonedTime[];
  readonly metadata?: boolean;
  readonly stat?: boolean;
  readonly live?: boolean;
  readonly livePath?: string;
  readonly compareContent?: boolean;
  readonly oneFileSystem?: boolean;
}

const HELP = `${SNAPSHOT_HELP}
BEFORE and AFTER are SNAPSHOT[:PATH]; a path on one side only is meant on both. Without AFTER: the newest snapshot of the
same host and source as BEFORE. --at stands for BEFORE, a second one for AFTER.
${LETTERS_HELP}

A file that is gone in one place and new in another with the same content was moved; of several, those with the same name
belong together. Times alone make no change, unless --metadata is given. The exit code is 0 whether or not there are changes.
What one snapshot has and the other one perhaps only could not read, or did not reach, is counted and no change, and the exit
code is 3; with --live what a snapshot lacks for that counts as added.
The same bytes count as other content where they are holes in one file and stored zeros in the other.
--live looks at the paths that the snapshot has: for what was stored with --as, moved by a rewrite or taken on another machine
name the place with --live-path. A source that is not on the disk is told. A file is read when its time differs and its size does not, and where it could have been moved. What was left
out of the snapshot counts as added: give the same --exclude. What cannot be read is told, and the exit code is 3.
${MOMENT_HELP}

Examples:
  $ cbr diff latest~1 latest
  $ cbr diff 6c1f0e:/home/ann/letters latest
  $ cbr diff --at 'last monday' --stat
  $ cbr diff latest:/home/ann --live
  $ cbr diff latest:/home/ann --live-path /mnt/restored`;

export const diff: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[before]', 'the older snapshot, or a part of it')
      .argument('[after]', 'the newer one')
      .option('--metadata', 'changes of times alone as well')
      .option('--stat', 'the summary alone')
      .option('--live', 'compare with what is on the disk now, at the paths that the snapshot has')
      .option('--live-path <path>', 'the same with this folder or file, such as one that was restored')
      .option('--compare-content', 'with --live: read files too whose size and time are as they were')
      .option('-x, --one-file-system', 'with --live: do not enter other file systems');
    declareSnapshotFilter(command);
    command.option(
      '--at <time>',
      'the newest that was taken at or before TIME, in place of BEFORE; given again: of AFTER',
      (text: string, given: readonly ZonedTime[] = []) => [...given, parsePastMoment(text)],
    );
    declareFilters(command, 'tree');
    command.addHelpText('after', HELP);
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    const { at = [], metadata = false } = flags;
    const rules = await filterRulesOf(command);
    const options: DiffOptions = { rules, times: metadata, signal: context.signal };
    const filter = snapshotFilterOf(command);
    const isLive = flags.live === true || flags.livePath !== undefined;
    if (!isLive) refuseLiveFlags(flags);
    if (isLive) {
      const wanted = wantedSide(command.args, at);
      return withRepository(context, async (repository) =>
        liveDiff(context, repository, await chosenSide(repository, wanted, filter), flags, options),
      );
    }
    const wanted = wantedSides(command.args, at);
    return withRepository(context, async (repository) => {
      const [before, after] = await chosenSides(repository, wanted, filter);
      const roots = { before: pathInSnapshot(before.path), after: pathInSnapshot(after.path) };
      const { output } = context;
      for (const { snapshot, path } of [before, after]) noteIfLacking(output, snapshot, path);
      const unsure = { before: 0, after: 0 };
      const changes = diffSnapshots(repository, before, after, options, (only) => unsure[only]++);
      const counts = await show(changes, roots, output, flags);
      const isWhole = tellUnsure(output, before, after, unsure);
      const summary = { before: before.snapshot.id, after: after.snapshot.id, ...counts.fields() };
      return {
        exitCode: isWhole ? EXIT.done : EXIT.incomplete,
        summary: isWhole ? summary : { ...summary, unsure },
      };
    });
  },
};

/** Whether every entry could be told to be a change or none. */
function tellUnsure(
  output: Output,
  { snapshot: before }: DiffSide,
  { snapshot: after }: DiffSide,
  unsure: Readonly<Record<'before' | 'after', number>>,
): boolean {
  const tell = (count: number, there: Snapshot, { id }: Snapshot): void => {
    if (count === 0) return;
    const what = `${countOf(count, 'entry', 'entries')} of snapshot ${there.id.slice(0, 12)} ${count === 1 ? 'is' : 'are'} not in it`;
    const reason = `${what}, perhaps only because that could not be read, or was not reached: not told as a change`;
    output.problem({ severity: 'error', about: 'source', code: 'unsure', reason, object: `snapshots/${id}` });
  };
  tell(unsure.before, before, after);
  tell(unsure.after, after, before);
  return unsure.before + unsure.after === 0;
}

function refuseLiveFlags({ compareContent, oneFileSystem }: Flags): void {
  const given = compareContent === true ? '--compare-content' : oneFileSystem === true ? '-x' : undefined;
  if (given === undefined) return;
  throw new CbrError('usage', `${given} says how to compare with the disk, and needs --live`);
}

async function liveDiff(
  context: CommandContext,
  repository: Repository,
  before: DiffSide,
  flags: Flags,
  options: DiffOptions,
): Promise<Outcome> {
  const { output, options: global } = context;
  const { livePath, compareContent = false, oneFileSystem = false } = flags;
  const live: LiveOptions = {
    ...options,
    compareContent,
    oneFileSystem,
    ownFolders: [global.cacheRoot],
    ...(livePath === undefined ? {} : { place: livePath }),
  };
  noteIfLacking(output, before.snapshot, before.path);
  if (livePath === undefined) noteOtherHost(output, before.snapshot);
  const changes = diffLive(repository, before, live, shownBy(output, 'source'));
  const counts = await show(changes, liveRoots(before, livePath), output, flags);
  const place = livePath === undefined ? {} : rawField('live', liveRoots(before, livePath).after);
  return {
    exitCode: output.errorCount > 0 ? EXIT.incomplete : EXIT.done,
    summary: { before: before.snapshot.id, ...place, ...counts.fields() },
  };
}

function noteOtherHost(output: Output, { id, about }: Snapshot): void {
  if (about.host === hostname()) return;
  const reason = `was taken on ${displayText(about.host)}, and is compared with the disk of ${displayText(hostname())}`;
  output.problem({ severity: 'note', about: 'repository', reason, object: `snapshots/${id}` });
}

async function show(
  batches: AsyncIterable<ChangeBatch>,
  roots: ChangeRoots,
  output: Output,
  { metadata: times = false, stat = false }: Flags,
): Promise<ChangeCounts> {
  const counts = new ChangeCounts();
  let isTold = false;
  for await (const { changes, isCut } of batches) {
    if (output.isOver) break;
    if (isCut && !isTold) {
      isTold = true;
      const reason = 'there are very many changes: some that were moved are shown as removed and added';
      output.problem({ severity: 'note', about: 'repository', reason });
    }
    for (const change of changes) {
      counts.add(change);
      if (!stat) output.item(changeFields(change, roots), () => changeLine(change, roots, times));
    }
  }
  if (!stat && counts.total > 0) output.line();
  for (const line of labelled(counts.rows())) output.line(line);
  return counts;
}
