import type { Command } from 'commander';
import { CbrError } from '../core/index.js';
import type { Repository } from '../repo/index.js';
import {
  annotateSnapshot,
  filterSnapshots,
  listSnapshots,
  type Snapshot,
  type TagChange,
} from '../snapshot/index.js';
import { byWhom } from './by-whom.js';
import type { CommandContext, Outcome } from './command.js';
import { EXIT } from './exit-codes.js';
import { shortText } from './parse-text.js';
import { displayText } from './raw-names.js';
import { withRepository } from './repository.js';
import { countOf, countText } from './sizes.js';
import { choiceOf, chosenSnapshots, declareChoice, namesOf } from './snapshot-choice.js';
import { timeText } from './times.js';

/** What `cbr tag add` and `cbr tag remove` have in common. */

interface Flags {
  readonly all?: boolean;
}

/** The arguments TAG and SNAPSHOT..., and the options by which snapshots are chosen. */
export function declareTagChange(command: Command, what: string): void {
  command
    .argument('<tag>', 'one tag; any text, at most 1024 bytes', shortText)
    .argument('[snapshot...]', what)
    .option('--all', 'all snapshots that --host, --path and --tag let through');
  declareChoice(command);
}

/** Changes the tags of the snapshots that are named: all of them are found before one is changed. */
export function changeTags(
  context: CommandContext,
  command: Command,
  changeOf: (tag: string) => TagChange,
): Promise<Outcome> {
  const [tag, names] = command.processedArgs as [string, readonly string[]];
  refuseContradiction(command, names);
  return withRepository(context, async (repository) => {
    const { output, signal } = context;
    const chosen = await meantBy(repository, command, names);
    let changed = 0;
    for (const each of chosen) {
      signal.throwIfAborted();
      const now = Math.floor(repository.now() / 1000);
      const change = { tags: changeOf(tag) };
      const { snapshot, isChanged } = await annotateSnapshot(repository, each, change, byWhom(), now);
      if (isChanged) changed++;
      const fields = { snapshot: snapshot.id, tags: snapshot.about.tags, changed: isChanged };
      output.item(fields, () => lineOf(snapshot, isChanged));
    }
    output.line(`${countText(changed)} of ${countOf(chosen.length, 'snapshot')} changed.`);
    return { exitCode: EXIT.done, summary: { snapshots: chosen.length, changed } };
  });
}

function refuseContradiction(command: Command, names: readonly string[]): void {
  const choice = choiceOf(command);
  if (command.opts<Flags>().all !== true) namesOf(names, choice);
  else if (names.length > 0 || choice.at !== undefined) {
    throw new CbrError('usage', `--all and ${names.length > 0 ? 'a snapshot' : '--at'} exclude each other`, {
      hint: 'Leave one of them out.',
    });
  }
}

async function meantBy(
  repository: Repository,
  command: Command,
  names: readonly string[],
): Promise<readonly Snapshot[]> {
  const choice = choiceOf(command);
  if (command.opts<Flags>().all !== true) return chosenSnapshots(repository, names, choice);
  const { snapshots, damaged } = await listSnapshots(repository);
  // Whoever asks for all must not be told that all were changed.
  if (damaged[0] !== undefined) throw damaged[0].error;
  return filterSnapshots(snapshots, choice);
}

/** `3f0a1b2c (2026-11-20 14:05:09 +01:00, dove): keep, nightly`. */
function lineOf({ id, about }: Snapshot, isChanged: boolean): string {
  const name = `${id.slice(0, 8)} (${timeText(about)}, ${displayText(about.host)})`;
  const tags = about.tags.length === 0 ? 'no tags' : about.tags.map(displayText).join(', ');
  return `${name}: ${tags}${isChanged ? '' : ' (as before)'}`;
}
