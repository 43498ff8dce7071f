import { type Command, Option } from 'commander';
import { type CheckReport, checkRepository, type Finding } from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { shownBy } from '../events.js';
import { EXIT } from '../exit-codes.js';
import { HurtDiscs } from '../hurt-discs.js';
import { percentage } from '../parse-number.js';
import type { Problem } from '../problem.js';
import { withRepository } from '../repository.js';
import { countOf, sizeText } from '../sizes.js';

const ALL_PERCENT = 100;

interface Flags {
  /** Percent; 0 where it was not asked for, true where no share was named. */
  readonly readData: number | true;
}

export const check: CommandModule = {
  configure(command: Command): void {
    command
      .addOption(
        new Option('--read-data [percent]', 'read and verify the content too, or a share of it')
          .argParser(percentage)
          .default(0, 'structure only'),
      )
      .addHelpText(
        'after',
        '\nExamples:\n  $ cbr check\n  $ cbr check --read-data        # everything\n  $ cbr check --read-data=10     # a tenth, another one each time',
      );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const { readData: wanted } = command.opts<Flags>();
    const readData = wanted === true ? ALL_PERCENT : wanted;
    return withRepository(context, async (repository) => {
      const { output, options, signal } = context;
      const request = { readData, threads: options.threads, signal };
      const report = await checkRepository(repository, request, shownBy(output, 'repository'));
      for (const reason of report.notes) output.problem({ severity: 'note', about: 'repository', reason });
      const hurt = new HurtDiscs(repository.backend);
      for (const finding of report.findings) {
        output.problem(problemOf(finding));
        hurt.see(finding.object);
      }
      hurt.tell(output);
      if (report.absentPacks > 0) output.problem(absenceOf(report));
      printSummary(context, report);
      return {
        exitCode: report.findings.length > 0 ? EXIT.damage : EXIT.done,
        summary: summaryFields(readData, report),
      };
    });
  },
};

function problemOf({ object, reason, affected, unlisted }: Finding): Problem {
  const more = unlisted === undefined ? {} : { unlisted };
  return { severity: 'error', about: 'repository', code: 'damaged', object, reason, affected, ...more };
}

function absenceOf({ absentPacks, absentTrees }: CheckReport): Problem {
  const are = absentPacks === 1 ? 'is' : 'are';
  const trees =
    absentTrees === 0
      ? ''
      : `; ${countOf(absentTrees, 'pack')} of them ${absentTrees === 1 ? 'has' : 'have'} folders of snapshots, and what lies in these folders was not looked for`;
  return {
    severity: 'note',
    about: 'repository',
    code: 'not-at-hand',
    reason: `${countOf(absentPacks, 'pack')} ${are} on discs that are not at hand: that they are whole there is taken on trust${trees}`,
    hint: 'With --read-data each disc is asked for.',
  };
}

function printSummary({ output }: CommandContext, report: CheckReport): void {
  const { snapshots, packs, absentPacks, chunks, bytesRead, findings } = report;
  const what = `${countOf(snapshots, 'snapshot')}, ${countOf(packs, 'pack')}, ${countOf(chunks, 'chunk')}`;
  const read = bytesRead > 0 ? `, ${sizeText(bytesRead)} read` : '';
  output.line(`Checked ${what}${read}.`);
  if (findings.length === 0) {
    output.line(absentPacks === 0 ? 'No damage was found.' : 'No damage was found in what is at hand.');
  } else {
    output.line(`Damage: ${countOf(findings.length, 'finding')}.`);
    output.repeatProblems();
  }
}

function summaryFields(readData: number, report: CheckReport): Readonly<Record<string, unknown>> {
  const { snapshots, packs, absentPacks, absentTrees, chunks, bytesRead, findings, notes } = report;
  return {
    snapshots,
    packs,
    ...(absentPacks === 0 ? {} : { absentPacks }),
    ...(absentTrees === 0 ? {} : { absentTrees }),
    chunks,
    readData: readData / ALL_PERCENT,
    bytesRead,
    findings: { error: findings.length, note: notes.length },
  };
}
