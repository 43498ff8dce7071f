import { Command, CommanderError } from 'commander';
import { CbrError, messageOf } from '../core/index.js';
import {
  type DarStyle,
  DEFAULT_GROUPS,
  type Duration,
  type GroupField,
  PERIODS,
  type Period,
  type Policy,
  type RoundRobin,
  type TimeZone,
} from '../policy/index.js';
import {
  parseCount,
  parseDarStyle,
  parseGroupBy,
  parseLongSpan,
  parseRoundRobin,
  parseSpan,
  parseZone,
} from './parse-policy.js';
import { gatheredWords } from './parse-text.js';
import { displayText } from './raw-names.js';

/** The options that tell a policy and how it is applied, the same on every command. */

/** What commander makes of the options declared below, but for those of periods. */
interface PolicyFlags {
  readonly keepLast?: number;
  readonly keepWithin?: Duration;
  readonly keepTag?: readonly string[];
  readonly keepId?: readonly string[];
  readonly darStyle?: DarStyle;
  readonly roundRobin?: RoundRobin;
  readonly groupBy?: readonly GroupField[];
  readonly timezone?: TimeZone;
}

export interface PolicyRequest {
  readonly policy: Policy;
  readonly groupBy: readonly GroupField[];
  readonly zone: TimeZone;
}

const PERIOD_TEXT: Readonly<Record<Period, string>> = {
  hourly: 'hour',
  daily: 'day',
  weekly: 'week (ISO 8601)',
  monthly: 'month',
  quarterly: 'quarter',
  yearly: 'year',
};

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** One option as it was written, its name without dashes. */
export interface PolicyRule {
  readonly name: string;
  readonly value: string;
}

/** Where commander keeps the options as they were written, beside what it makes of them. */
const RULES = 'policyRules';
const REPEATED: readonly string[] = ['keep-tag', 'keep-id'];

export function declarePolicy(command: Command): void {
  const others = command.options.length;
  command
    .optionsGroup('What to keep (at least one; a snapshot is kept when any rule says so):')
    .option('--keep-last <n>', 'the last n snapshots', parseCount);
  for (const period of PERIODS) {
    const text = `the newest of each of the last n ${PERIOD_TEXT[period].replace(/^[a-z]+/, '$&s')} that have any`;
    command.option(`--keep-${period} <n>`, text, parseCount);
  }
  command.option('--keep-within <duration>', 'all younger than this beside the newest', parseSpan);
  for (const period of PERIODS) {
    const text = `of those younger than this the newest of each ${PERIOD_TEXT[period]}`;
    const parse = period === 'hourly' ? parseSpan : parseLongSpan;
    command.option(`--keep-within-${period} <duration>`, text, parse);
  }
  command
    .option('--keep-tag <tag>', 'those with this tag; may be given several times', gatheredWords)
    .option('--keep-id <id>', 'this one; may be given several times', gatheredWords)
    .option('--dar-style <ages>', 'by level, in days: diff=DAYS,incr=DAYS[,full=DAYS|never]', parseDarStyle)
    .option(
      '--round-robin <slots>',
      'days=6,weeks=5,months=6,years=10[,anchor=DATE|oldest][,mode=exact|nearest]: all four numbers; instead of an anchor also weekday= (1 or monday, to 7 or sunday), monthday= (1 to 31), month= (1 to 12)',
      parseRoundRobin,
    )
    .optionsGroup('How to apply it:')
    .option(
      '--group-by <fields>',
      `to each group by itself: host, paths, job, tags, or none (default: ${DEFAULT_GROUPS.join(',')})`,
      parseGroupBy,
    )
    .option('--timezone <zone>', 'whose calendar counts: an IANA name (default: local)', parseZone);
  for (const option of command.options.slice(others)) {
    const name = option.name();
    command.on(`option:${name}`, (value: string) => {
      const before = policyRules(command).filter((rule) => rule.name !== name || REPEATED.includes(name));
      command.setOptionValue(RULES, [...before, { name, value }]);
    });
  }
}

/** The options that were given, in order, as they were written. */
export function policyRules(command: Command): readonly PolicyRule[] {
  return (command.getOptionValue(RULES) as readonly PolicyRule[] | undefined) ?? [];
}

/**
 * What stored options say. Rejects with `newer-format` when this version does not understand one; `object` is where they are
 * stored.
 */
export function policyOfRules(rules: readonly PolicyRule[], object: string): PolicyRequest {
  const command = new Command().exitOverride().action(() => undefined);
  command.configureOutput({ writeErr: () => undefined, outputError: () => undefined });
  declarePolicy(command);
  try {
    command.parse(
      rules.map(({ name, value }) => `--${name}=${value}`),
      { from: 'user' },
    );
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    const why = displayText(messageOf(cause).replace(/^error: /, ''));
    throw new CbrError('newer-format', `${object}: the stored policy is not understood: ${why}`, {
      cause,
      hint: 'Store it again as it is meant: cbr policy set. What is stored now: cbr policy show',
    });
  }
  return policyOf(command);
}

/** What the options say. That a policy without any rule is refused is left to who applies it. */
export function policyOf(command: Command): PolicyRequest {
  const options = command.opts<PolicyFlags>();
  const { keepLast, keepWithin, keepTag, keepId, darStyle, roundRobin } = options;
  return {
    policy: {
      ...(keepLast === undefined ? {} : { last: keepLast }),
      counts: byPeriod<number>(command, 'keep'),
      ...(keepWithin === undefined ? {} : { within: keepWithin }),
      withinPeriods: byPeriod<Duration>(command, 'keepWithin'),
      ...(keepTag === undefined ? {} : { tags: keepTag }),
      ...(keepId === undefined ? {} : { ids: keepId }),
      ...(darStyle === undefined ? {} : { darStyle }),
      ...(roundRobin === undefined ? {} : { roundRobin }),
    },
    groupBy: options.groupBy ?? DEFAULT_GROUPS,
    zone: options.timezone ?? parseZone('local'),
  };
}

function byPeriod<T>(command: Command, prefix: string): Partial<Record<Period, T>> {
  const options = command.opts<Readonly<Record<string, T>>>();
  const given = PERIODS.map((period) => [period, options[prefix + capital(period)]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** What a duration is, for help texts. */
export const DURATION_HELP = `
DURATION is one of 90s, 15m, 6h, 30d, 4w, 6mo, 2y, or several from the longest unit to the shortest: 1y6mo. m is minutes, mo
is months. docs/retention.md tells all rules.`;
