import type { Decision, GroupCommon, PolicyPlan, PolicySnapshot, TimeZone } from '../policy/index.js';
import type { Problem } from './problem.js';
import { displayText } from './raw-names.js';
import { countOf } from './sizes.js';
import { type Column, table } from './table.js';
import { timeText } from './times.js';

/** What a policy decides, for people and for programs. */

const MOST_NAMED = 20;

/** How ids and paths are shown. */
export interface PlanNames {
  readonly id: (id: string) => string;
  readonly path: (path: string) => string;
}

const TEXTS: PlanNames = { id: displayText, path: displayText };

/** A line for each snapshot with every reason it is kept for, group by group. */
export function planLines(plan: PolicyPlan<PolicySnapshot>, zone: TimeZone, names = TEXTS): string[] {
  const columns: readonly Column[] = [
    { title: '' },
    { title: 'ID' },
    { title: 'Time' },
    { title: 'Reasons' },
  ];
  return plan.groups.flatMap((group, i) => [
    ...(i > 0 ? [''] : []),
    ...(plan.groups.length > 1 ? [groupText(group.common, names.path)] : []),
    ...table(
      columns,
      group.decisions.map(({ snapshot, reasons }) => [
        reasons.length > 0 ? 'keep' : 'forget',
        names.id(snapshot.id),
        zonedText(snapshot, zone),
        reasons.map(displayText).join('; '),
      ]),
    ),
  ]);
}

/** A line for each snapshot that is left. */
export function leftLines(kept: readonly Decision<PolicySnapshot>[], zone: TimeZone): string[] {
  if (kept.length === 0) return [];
  return table(
    [{ title: 'ID' }, { title: 'Time' }, { title: 'Reasons' }],
    kept.map(({ snapshot, reasons }) => [
      displayText(snapshot.id),
      zonedText(snapshot, zone),
      reasons.map(displayText).join('; '),
    ]),
  );
}

function zonedText({ time }: PolicySnapshot, zone: TimeZone): string {
  return timeText(time, Math.round(zone.offsetAt(time.seconds) / 60));
}

/** `Host dove, paths /etc /home`. */
export function groupText(common: GroupCommon, path: (path: string) => string): string {
  const parts = Object.entries(common).map(([field, value]) => {
    const texts = (typeof value === 'string' ? [value] : value).filter((text) => text !== '');
    const shown = field === 'paths' ? path : displayText;
    return `${field} ${texts.length === 0 ? '-' : texts.map(shown).join(' ')}`;
  });
  const text = parts.join(', ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}:`;
}

/** What is decided, as docs/json.md describes it. */
export function planFields(
  kept: readonly Decision<PolicySnapshot>[],
  forgotten: readonly PolicySnapshot[],
): Readonly<Record<string, unknown>> {
  return {
    keep: kept.map(({ snapshot, reasons }) => ({ id: snapshot.id, reasons })),
    forget: forgotten.map(({ id }) => ({ id })),
  };
}

/** The warning about snapshots dated in the future; undefined when there are none. */
export function futureProblem(future: readonly PolicySnapshot[]): Problem | undefined {
  if (future.length === 0) return undefined;
  const ids = future.slice(0, MOST_NAMED).map(({ id }) => displayText(id));
  const more = future.length > MOST_NAMED ? ` and ${future.length - MOST_NAMED} more` : '';
  const are = future.length === 1 ? 'is' : 'are';
  return {
    severity: 'warning',
    about: 'repository',
    code: 'future',
    reason: `${countOf(future.length, 'snapshot')} ${are} dated in the future, kept and not counted: ${ids.join(', ')}${more}`,
    hint: 'Look at the clocks of the machines that took them.',
  };
}
