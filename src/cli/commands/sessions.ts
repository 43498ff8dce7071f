import type { Command } from 'commander';
import { type SessionStatus, sessionStatus } from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { displayText } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { table } from '../table.js';
import { isoTime, timeText } from '../times.js';

const COLUMNS = [
  { title: 'Session' },
  { title: 'Host' },
  { title: 'Process', align: 'right' },
  { title: 'Started' },
  { title: 'State' },
] as const;

export const sessions: CommandModule = {
  configure(command: Command): void {
    command.addHelpText(
      'after',
      '\nDead sessions of this machine are ended by its next snapshot; what they stored is used then.\n\nExample:\n  $ cbr sessions',
    );
  },

  run(context: CommandContext): Promise<Outcome> {
    return withRepository(context, async (repository) => {
      const { output } = context;
      const found = await sessionStatus(repository);
      const [titles, ...lines] = table(COLUMNS, found.map(rowOf));
      output.line(found.length > 0 ? titles : 'Nobody is writing.');
      for (const [i, session] of found.entries()) output.item(fieldsOf(session), () => lines[i]!);
      return { exitCode: EXIT.done, summary: { sessions: found.length } };
    });
  },
};

const STATES: Readonly<Record<SessionStatus['state'], { readonly word: string; readonly text: string }>> = {
  'own host, running': { word: 'writing', text: 'writing' },
  'own host, dead': { word: 'dead', text: 'dead: its process is gone' },
  'other host': { word: 'unknown', text: 'unknown: not on this machine' },
};

function rowOf({ id, host, pid, started, state }: SessionStatus): string[] {
  return [
    id.slice(0, 8),
    displayText(host ?? '?'),
    String(pid ?? '?'),
    started === undefined ? '?' : timeText({ seconds: started, nanoseconds: 0 }),
    STATES[state].text,
  ];
}

function fieldsOf({ id, host, pid, started, state, beat }: SessionStatus): Readonly<Record<string, unknown>> {
  return {
    session: id,
    host,
    pid,
    started: started === undefined ? undefined : isoTime({ seconds: started, nanoseconds: 0 }),
    state: STATES[state].word,
    beat,
  };
}
