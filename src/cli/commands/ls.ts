import type { Command } from 'commander';
import { baseName, displayPath, type RawPath } from '../../fs/index.js';
import { type ListedEntry, listEntries } from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { entryFields, longLine } from '../entry-text.js';
import { EXIT } from '../exit-codes.js';
import { MOMENT_HELP } from '../moments.js';
import { noteIfLacking } from '../partial-text.js';
import { withRepository } from '../repository.js';
import { choiceOf, chosenSnapshot, declareChoice, SNAPSHOT_HELP, wantedOf } from '../snapshot-choice.js';

interface Flags {
  readonly long?: boolean;
  readonly recursive?: boolean;
}

const HELP = `${SNAPSHOT_HELP}
${MOMENT_HELP}

Examples:
  $ cbr ls -l latest:/home/ann/documents
  $ cbr ls --at 'yesterday 18:00' :/home/ann/documents`;

export const ls: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[snapshot[:path]]', 'what to list; without a path: the root of the snapshot')
      .option('-l, --long', 'mode, owner, size, time and link target as well')
      .option('-R, --recursive', 'what is in the folders as well, with full paths');
    declareChoice(command);
    command.addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const { long = false, recursive = false } = command.opts<Flags>();
    const choice = choiceOf(command);
    const wanted = wantedOf(command.processedArgs[0] as string | undefined, choice);
    return withRepository(context, async (repository) => {
      const { output, signal } = context;
      const snapshot = await chosenSnapshot(repository, wanted.snapshot, choice, wanted.path);
      noteIfLacking(output, snapshot, wanted.path);
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
