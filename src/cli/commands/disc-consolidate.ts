import type { Command } from 'commander';
import { createBackend, parseLocation } from '../../backends/index.js';
import { CbrError } from '../../core/index.js';
import { consolidate } from '../../disc/index.js';
import { liesOnDiscs } from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { snapshotsForDiscs } from '../disc-flags.js';
import { EXIT } from '../exit-codes.js';
import { objectProgress } from '../object-progress.js';
import { gatheredWords } from '../parse-text.js';
import type { Problem } from '../problem.js';
import { openOptions, withReadOnly } from '../repository.js';
import { shortestUnique } from '../short-ids.js';
import { countOf, sizeText } from '../sizes.js';

const HELP = `
What is on a disc stays there, also when its snapshots are forgotten. This puts what the snapshots that are left need on new discs: a
repository with the same passwords and the same snapshots, to which further ones can be added. Packs are copied as they are; those that no
snapshot needs are left out. With --snapshot it is only those that are named: so what is left of discs of which one was lost can be kept. Snapshots that are known of, not here and not forgotten are named, and the new repository does not miss them. The old discs are not touched; when the new ones are good they are no longer needed.

Example:
  $ cbr disc consolidate -r disc:/srv/discs --to 'disc:/srv/discs-2027?media=dvd+r'`;

interface Flags {
  readonly to: string;
  readonly snapshot?: readonly string[];
}

const unfinished = (folder: string): Problem => ({
  severity: 'warning',
  about: 'repository',
  reason: `${folder} is not complete: the old discs are needed still`,
  hint: 'Remove that folder, and run the command again.',
});

const isThere = (error: unknown): error is CbrError =>
  error instanceof CbrError && error.code === 'repository-exists';

/** On discs that were not made for them they are somewhere else; anywhere else nobody can have removed them but by hand. */
function missed(snapshots: readonly string[], isLoss: boolean): Problem {
  const digits = shortestUnique(snapshots);
  const are = snapshots.length === 1 ? 'is' : 'are';
  return {
    severity: isLoss ? 'error' : 'warning',
    about: 'repository',
    code: 'left-out',
    reason: `${countOf(snapshots.length, 'snapshot')} ${are} known of, not here and not taken along: ${snapshots.map((id) => id.slice(0, digits)).join(', ')}`,
    hint: isLoss
      ? 'Nobody forgot them: see cbr check. Keep the old discs until you know what became of them.'
      : 'They were forgotten since, or are on other discs: keep those. With them at hand, and another folder for --to, they are taken along.',
  };
}

/** A run that was killed could not say what is to be done with what it left. */
function taken(error: CbrError): CbrError {
  return new CbrError(error.code, error.message, {
    hint: 'Name a new folder. If a run of this command was stopped before it had said what is there, remove that folder, and run it again.',
    cause: error,
  });
}

export const discConsolidate: CommandModule = {
  configure(command: Command): void {
    command
      .requiredOption('--to <location>', 'where the new images are to be: disc:FOLDER?media=MEDIUM')
      .option(
        '--snapshot <snapshot>',
        'what to take along; given several times: all of them (default: all snapshots)',
        gatheredWords,
      )
      .addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const { to, snapshot = [] } = command.opts<Flags>();
    const location = parseLocation(to);
    if (location.kind !== 'disc') {
      throw new CbrError('usage', `${JSON.stringify(to)} does not name discs`, {
        hint: 'Write disc:FOLDER?media=dvd+r. To copy to other places: cbr copy, cbr mirror.',
      });
    }
    return withReadOnly(context, async (repository) => {
      const { output, signal } = context;
      const oldestFirst = await snapshotsForDiscs(repository, snapshot);
      const { medium, cacheRoot, now } = openOptions(context, 'open');
      const target = await createBackend(location, { ...medium, stagingFolder: cacheRoot, now }).catch(
        (error: unknown) => {
          throw isThere(error) ? taken(error) : error;
        },
      );
      const done = await consolidate(
        repository,
        oldestFirst,
        target,
        signal,
        objectProgress(output, 'mirror'),
      ).catch(async (error: unknown) => {
        await target.close().catch(() => undefined);
        context.output.problem(unfinished(location.path));
        throw error;
      });
      await target.close();
      output.line(
        `${countOf(done.snapshots, 'snapshot')} with ${countOf(done.packs, 'pack')}, ${sizeText(done.bytes)}, are at ${location.text}.`,
      );
      const isLoss = done.leftOut.length > 0 && !(await liesOnDiscs(repository.backend));
      if (done.leftOut.length > 0) output.problem(missed(done.leftOut, isLoss));
      return { exitCode: isLoss ? EXIT.damage : EXIT.done, summary: { target: location.text, ...done } };
    });
  },
};
