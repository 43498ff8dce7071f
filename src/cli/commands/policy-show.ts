import type { Command } from 'commander';
import { displayPath } from '../../fs/index.js';
import { type PoliciesRecord, readStoredPolicies } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { displayText, rawListField } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { rulesText } from '../stored-policy-text.js';
import { labelled } from '../table.js';
import { isoTime, timeText } from '../times.js';

export const policyShow: CommandModule = {
  configure(command: Command): void {
    command.addHelpText(
      'after',
      '\nAn anchor is the date from which the days of round-robin slots follow, for each group.\n\nExample:\n  $ cbr policy show',
    );
  },

  run(context: CommandContext, _command: Command): Promise<Outcome> {
    return withRepository(context, async (repository) => {
      const { number, record } = await readStoredPolicies(repository);
      for (const line of linesOf(record)) context.output.line(line);
      return {
        exitCode: EXIT.done,
        summary: record === undefined ? { rules: [] } : fieldsOf(number, record),
      };
    });
  },
};

function linesOf(record: PoliciesRecord | undefined): string[] {
  if (record === undefined) return ['No policy is stored.'];
  const { rules, anchors, by, time } = record;
  const stored = `${timeText({ seconds: time, nanoseconds: 0 })} by ${displayText(by)}`;
  return labelled([
    ['Policy', rules.length === 0 ? 'none' : rulesText(rules)],
    ['Changed', stored],
    ...anchors.map(({ group, date }): [string, string] => [
      'Anchor',
      `${displayText(date)} for ${group.length === 0 ? 'all' : group.map(displayPath).join(' ')}`,
    ]),
  ]);
}

function fieldsOf(
  number: number,
  { rules, anchors, by, time }: PoliciesRecord,
): Readonly<Record<string, unknown>> {
  return {
    number,
    rules,
    anchors: anchors.map(({ group, date }) => ({ ...rawListField('group', group), date })),
    by,
    time: isoTime({ seconds: time, nanoseconds: 0 }),
  };
}
