import type { Command } from 'commander';
import { baseName, displayPath, type RawPath } from '../../fs/index.js';
import { type ListedEntry, listEntries, parseSnapshotPath } from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { entryFields, longLine } from '../entry-text.js';
import { EXIT } from '../exit-codes.js';
import { withRepository } from '../repository.js';
import { choiceOf, chosenSnapshot, declareChoice, SNAPSHOT_HELP } from '../snapshot-choice.js';

interface Flags {
  readonly long?: boolean;
  readonly recursive?: boolean;
}

export const ls: CommandModule = {
  configure(command: Command): void {
    command
      .argument('<snapshot[:path]>', 'what to list; without a path: the root of the snapshot')
      .option('-l, --long', 'mode, owner, size, time and link target as well')
      .option('-R, --recursive', 'what is in the folders as well, with full paths');
    declareChoice(command);
    command.addHelpText('after', `${SNAPSHOT_HELP}\n\nExample:\n  $ cbr ls -l latest:/home/ann/documents`);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const { long = false, recursive = false } = command.opts<Flags>();
    const wanted = parseSnapshotPath(command.processedArgs[0] as string);
    return withRepository(context, async (repository) => {
      const { output, signal } = context;
      const snapshot = await chosenSnapshot(repository, wanted.snapshot, choiceOf(command));
      let entries = 0;
      for await (const listed of listEntries(repository, snapshot, wanted.path, recursive)) {
        signal.throwIfAborted();
        if (output.isOver) break;
        entries++;
        output.item(entryFields(listed, long), () => entryLine(listed, long, recursive));
      }
      return { exitCode: EXIT.done, summary: { snapshot: snapshot.id, entries } };
    });
  },
};

function entryLine({ path, entry }: ListedEntry, long: boolean, recursive: boolean): string {
  const name = recursive ? path : baseName(path as RawPath);
  return long ? longLine(entry, name) : displayPath(name);
}
