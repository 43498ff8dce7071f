import { type Command, InvalidArgumentError } from 'commander';
import { CbrError } from '../../core/index.js';
import { addDuration } from '../../policy/index.js';
import { annotateSnapshot, isPinned, type Snapshot, type SnapshotChange } from '../../snapshot/index.js';
import { byWhom } from '../by-whom.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { MOMENT_HELP } from '../moments.js';
import { parseSpan, parseZone } from '../parse-policy.js';
import { DURATION_HELP } from '../policy-flags.js';
import { displayText } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { choiceOf, chosenSnapshots, declareChoice, NAMES_HELP, namesOf } from '../snapshot-choice.js';
import { currentTime, isoTime, MACHINE_CLOCK, TIME_EXPECTED, timeIn, timeText } from '../times.js';

interface Flags {
  /** Seconds since 1970: the last one in which the pin holds. */
  readonly until?: number;
}

export const pin: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[snapshot...]', 'what to keep')
      .option(
        '--until <end>',
        'how long: a date, that day included, a time, or a DURATION from now; in the zone of this machine if it names none (default: for ever)',
        parseUntil,
      );
    declareChoice(command);
    command.addHelpText(
      'after',
      `${NAMES_HELP}

Every policy keeps a pinned snapshot. Pinning it again replaces its pin.

Examples:
  $ cbr pin latest
  $ cbr pin 3f0a1b2c latest~4 --until 2030-12-31
  $ cbr pin latest --until 30d
  $ cbr pin --at 2026-11-20
${DURATION_HELP}
${MOMENT_HELP}`,
    );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const { until } = command.opts<Flags>();
    if (until !== undefined && until < Math.floor(Date.now() / 1000)) {
      throw new CbrError('usage', `--until: ${momentText(until)} is over`, {
        hint: 'Give today or a later day, or leave it out to pin for ever.',
      });
    }
    return changePins(context, command, until === undefined ? {} : { until });
  },
};

/** Pins the snapshots that are named, or takes their pins away: all of them are found before one is changed. */
export function changePins(
  context: CommandContext,
  command: Command,
  change: NonNullable<SnapshotChange['pin']>,
): Promise<Outcome> {
  const choice = choiceOf(command);
  const names = namesOf(command.processedArgs[0] as readonly string[], choice);
  return withRepository(context, async (repository) => {
    const { output, signal } = context;
    const chosen = await chosenSnapshots(repository, names, choice);
    let changed = 0;
    for (const each of chosen) {
      signal.throwIfAborted();
      const now = Math.floor(repository.now() / 1000);
      const result = await annotateSnapshot(repository, each, { pin: change }, byWhom(), now);
      const { snapshot, isChanged } = result;
      if (isChanged) changed++;
      const fields = { snapshot: snapshot.id, ...pinFields(snapshot, now), changed: isChanged };
      output.item(fields, () => pinLine(snapshot, isChanged, now));
    }
    return { exitCode: EXIT.done, summary: { snapshots: chosen.length, changed } };
  });
}

/** For programs, `pinnedUntil` where the pin ends. */
export function pinFields(snapshot: Snapshot, now: number): Readonly<Record<string, unknown>> {
  const pinned = isPinned(snapshot, now);
  const until = snapshot.pin?.until;
  if (!pinned || until === undefined) return { pinned };
  return { pinned, pinnedUntil: isoTime({ seconds: until, nanoseconds: 0 }) };
}

/** For people: empty without a pin that holds. */
export function pinText(snapshot: Snapshot, now: number): string {
  if (!isPinned(snapshot, now)) return '';
  const until = snapshot.pin?.until;
  return until === undefined ? 'for ever' : `until ${momentText(until)}`;
}

function pinLine(snapshot: Snapshot, isChanged: boolean, now: number): string {
  const { id, about } = snapshot;
  const name = `${id.slice(0, 8)} (${timeText(about)}, ${displayText(about.host)})`;
  const text = pinText(snapshot, now);
  if (text === '') return `${name} ${isChanged ? 'is not pinned any more' : 'was not pinned'}`;
  return `${name} ${isChanged ? 'is pinned' : 'was already pinned'} ${text}`;
}

/** `2030-12-31` for the end of that day in the zone of this machine. */
function momentText(seconds: number): string {
  const text = timeText({ seconds, nanoseconds: 0 });
  return text.includes(' 23:59:59 ') ? text.slice(0, text.indexOf(' ')) : text;
}

const DATE_ALONE = /^(\d{4})-(\d\d)-(\d\d)\s?(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/** How durations begin; times begin with `@` or with a year and a dash. */
const DURATION_START = /^\s*\d+ ?[a-z]/i;

/** A parser for commander: as `parseTime`, but of a date alone its last second; or a duration from now. */
function parseUntil(text: string): number {
  if (DURATION_START.test(text))
    return addDuration(currentTime(), parseSpan(text), parseZone('local')).seconds;
  const time = timeIn(text, MACHINE_CLOCK);
  if (time === undefined) throw new InvalidArgumentError(`${TIME_EXPECTED} Or a duration from now: 30d.`);
  const { seconds } = time;
  const [, year, month, day, offset] = DATE_ALONE.exec(text.trim()) ?? [];
  if (year === undefined) return seconds;
  if (offset !== undefined) return seconds + 86_399;
  // A day may be 23 or 25 hours long.
  const next = new Date(0);
  next.setFullYear(Number(year), Number(month) - 1, Number(day) + 1);
  next.setHours(0, 0, 0, 0);
  return Math.floor(next.getTime() / 1000) - 1;
}
