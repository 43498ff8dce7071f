import { type Day, dateText } from './calendar-date.js';
import type { PolicySnapshot } from './policy-snapshot.js';
import {
  anchorSlotDays,
  type Slot,
  type SlotCounts,
  type SlotDays,
  slotDays,
  slotsBefore,
} from './round-robin-slots.js';
import type { Subject } from './rule.js';

export interface RoundRobin extends SlotCounts {
  /** exact: a slot keeps what has its very date. nearest: the newest in its interval. */
  readonly mode: 'exact' | 'nearest';
  /** What the days of weekly, monthly and yearly slots follow from: the oldest snapshot, a date, or the days themselves. */
  readonly anchor: 'oldest' | { readonly date: Day } | Partial<SlotDays>;
}

const KIND_TEXT: Readonly<Record<keyof SlotCounts, string>> = {
  days: 'day',
  weeks: 'week',
  months: 'month',
  years: 'year',
};

/**
 * Keeps all of today, what the slots before today keep, and, where the oldest snapshot is the anchor, all of its date.
 * `chosen` is the date that was taken for the oldest one's before: slot days must not move when that one is gone. Returns
 * the date of the anchor, if there is one.
 *
 * The intervals of `nearest` lie on the calendar once for all: they do not move with today. A slot's interval is open until
 * its date has passed; so long its newest snapshot is the newest of all, which no policy forgets, and from then on it is
 * what the slot keeps. That is why it holds under nightly use, which `exact` does not.
 */
export function keepRoundRobin<S extends PolicySnapshot>(
  rule: RoundRobin,
  subject: Subject<S>,
  chosen?: Day,
): Day | undefined {
  const { now, zone, keep } = subject;
  const dated = subject.snapshots.map((snapshot) => ({ snapshot, day: zone.dayAt(snapshot.time.seconds) }));
  const oldest = dated.at(-1)?.day;
  if (oldest === undefined) return undefined;
  const isOldest = rule.anchor === 'oldest';
  const anchor = isOldest ? (chosen ?? oldest) : 'date' in rule.anchor ? rule.anchor.date : undefined;
  const today = zone.dayAt(now.seconds);
  const keepAll = (day: Day, reason: string): void => {
    for (const each of dated) if (each.day === day) keep(each.snapshot, reason);
  };
  keepAll(today, `round-robin today ${dateText(today)}`);
  const days = anchor === undefined ? slotDays(rule.anchor as Partial<SlotDays>) : anchorSlotDays(anchor);
  for (const slot of slotsBefore(today, rule, days)) {
    const reason = slotReason(slot);
    if (rule.mode === 'exact') keepAll(slot.date, reason);
    else {
      const nearest = dated.find(({ day }) => day <= slot.date && day > slot.after);
      if (nearest !== undefined) keep(nearest.snapshot, reason);
    }
  }
  if (isOldest && anchor !== undefined) keepAll(anchor, `round-robin anchor ${dateText(anchor)}`);
  return anchor;
}

function slotReason({ kind, date }: Slot): string {
  return `round-robin ${KIND_TEXT[kind]} ${dateText(date)}`;
}
