import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import { baseName, displayPath, type RawPath, rawPath } from '../../fs/index.js';
import {
  filterSnapshots,
  HistoryReader,
  listSnapshots,
  type PathHistory,
  type PathIndex,
  snapshotGroups,
} from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { withPathIndex } from '../path-index.js';
import { ID_DIGITS, sourceText, versionFields, versionLine } from '../path-text.js';
import { withRepository } from '../repository.js';
import { shellWord } from '../shell-word.js';
import { countOf } from '../sizes.js';
import { declareSnapshotFilter, noneToSearch, snapshotFilterOf } from '../snapshot-choice.js';

interface Flags {
  readonly reverse?: boolean;
}

const HELP = `
PATH is absolute, as it was when the snapshots were taken. Shown are its versions, the newest first: since when it is so (the
time of a snapshot, and its id), how large it is, what changed (content, mode, owner, mtime, metadata; added, removed), and in
how many snapshots it is so. A folder's own versions are those of its name: for what is in it, see cbr find --history.

Holes that became stored zeros, or zeros that became holes, count as other content.

Like cbr find, this reads only the trees that changed since the last search.

Examples:
  $ cbr log /home/ann/letters/draft.odt
  $ cbr log --host dove --reverse /etc/fstab`;

export const log: CommandModule = {
  configure(command: Command): void {
    command.argument('<path>', 'a file or folder').option('--reverse', 'the oldest version first');
    declareSnapshotFilter(command);
    command.addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const path = rawPath(command.processedArgs[0] as string);
    const filter = snapshotFilterOf(command);
    return withRepository(context, async (repository) => {
      const { output } = context;
      const listed = await listSnapshots(repository);
      const wanted = filterSnapshots(listed.snapshots, filter);
      if (wanted.length === 0 && listed.snapshots.length > 0) throw noneToSearch(filter);
      let versions = 0;
      const use = await withPathIndex(context, repository, listed, wanted, (index) => {
        const found = index.path(path.slice(1));
        const reader = new HistoryReader(index, snapshotGroups(wanted, index));
        const histories = found === undefined ? [] : reader.of(found);
        if (histories.length === 0) throw neverSeen(path, wanted.length, index, reader);
        for (const history of histories) {
          showHistory(context, history, command.opts<Flags>().reverse ?? false);
          versions += history.versions.length;
        }
        const hint = restoreHint(histories);
        if (hint !== undefined) output.line(`\n${hint}`);
      });
      return {
        exitCode: use.isWhole ? EXIT.done : EXIT.damage,
        summary: { snapshots: wanted.length, versions, ...use.fields },
      };
    });
  },
};

function showHistory({ output }: CommandContext, history: PathHistory, isReverse: boolean): void {
  output.line(`${displayPath(history.path)}  (${sourceText(history.versions[0]!.first)})`);
  for (const version of isReverse ? history.versions : history.versions.toReversed())
    output.item(versionFields(history, version), () => versionLine(version));
}

/** How to have the newest version that was there. */
function restoreHint(histories: readonly PathHistory[]): string | undefined {
  const last = histories.at(-1)!;
  const version = last.versions.findLast(({ state }) => state !== undefined);
  if (version === undefined) return undefined;
  const word = shellWord(`${version.last.id.slice(0, ID_DIGITS)}:${last.path}`);
  if (word === undefined) return undefined;
  return `Restore one: cbr restore ${word} --target FOLDER`;
}

const MOST_SIMILAR = 5;

/** The index has paths of other snapshots too, and of some that were forgotten. */
function neverSeen(path: RawPath, snapshots: number, index: PathIndex, reader: HistoryReader): CbrError {
  const name = baseName(path);
  const similar: string[] = [];
  for (const each of index.paths('')) {
    if (similar.length === MOST_SIMILAR) break;
    const isSimilar = baseName(`/${each.path}` as RawPath) === name && reader.of(each).length > 0;
    if (isSimilar) similar.push(displayPath(`/${each.path}`));
  }
  const where = similar.length === 0 ? '' : `; there is ${similar.join(', ')}`;
  return new CbrError(
    'not-found',
    `none of ${countOf(snapshots, 'snapshot')} has ${displayPath(path)}${where}`,
    {
      hint: "Look for it: cbr find --history 'PATTERN'",
    },
  );
}
