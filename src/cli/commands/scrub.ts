import type { Command } from 'commander';
import { type ScrubReport, scrub as scrubStore } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { damageProblem } from '../object-problems.js';
import { objectProgress } from '../object-progress.js';
import type { Problem } from '../problem.js';
import { countOf, sizeText } from '../sizes.js';
import { withStore } from '../store.js';

export const scrub: CommandModule = {
  configure(command: Command): void {
    command.addHelpText(
      'after',
      `
Reads all of the repository. No password is asked for: this can run where nobody may read the content. What belongs together,
and whether something is missing, only "cbr check" can tell. Snapshots and prunes may run meanwhile.

Example:
  $ cbr scrub -r /media/backup/cbr`,
    );
  },

  run(context: CommandContext): Promise<Outcome> {
    return withStore(context, async (backend) => {
      const { output, signal } = context;
      const report = await scrubStore(backend, { signal, onProgress: objectProgress(output, 'scrub') });
      for (const object of report.strangers) output.problem(strangerProblem(object));
      for (const each of report.damaged) output.problem(damageProblem(each));
      printSummary(context, report);
      return {
        exitCode: report.damaged.length > 0 ? EXIT.damage : EXIT.done,
        summary: {
          objects: report.objects,
          bytesRead: report.bytes,
          damaged: report.damaged.length,
          strangers: report.strangers.length,
          gone: report.gone,
        },
      };
    });
  },
};

function strangerProblem(object: string): Problem {
  const reason = 'is not a name that cbr gives: it is ignored';
  const hint = 'If nobody knows what it is for, it can be removed.';
  return {
    severity: 'warning',
    about: 'repository',
    code: 'stranger',
    object,
    reason: `${object}: ${reason}`,
    hint,
  };
}

function printSummary({ output }: CommandContext, report: ScrubReport): void {
  const { objects, bytes, damaged } = report;
  output.line(`Read ${countOf(objects, 'object')}, ${sizeText(bytes)}.`);
  if (damaged.length === 0) output.line('Each of them is as it was written.');
  else {
    output.line(`Damaged: ${countOf(damaged.length, 'object')}.`);
    output.repeatProblems();
  }
}
