import type { Day } from './calendar-date.js';
import { keepByCalendar } from './calendar-rules.js';
import { keepDarStyle } from './dar-style.js';
import { DEFAULT_GROUPS, type GroupCommon, type GroupField, groupSnapshots } from './groups.js';
import type { Policy } from './policy.js';
import { compareTimes, newestFirst, type PolicySnapshot, type PolicyTime } from './policy-snapshot.js';
import { acceptPolicy } from './refusals.js';
import { keepRoundRobin } from './round-robin.js';
import type { TimeZone } from './time-zone.js';

/** When and where a policy is applied. */
export interface PolicyContext {
  readonly now: PolicyTime;
  /** Whose calendar counts. */
  readonly zone: TimeZone;
  /** Default: host and paths. */
  readonly groupBy?: readonly GroupField[];
  /** The date that was chosen before as the round-robin anchor of a group, in place of its oldest snapshot's. */
  readonly anchorOf?: (common: GroupCommon) => Day | undefined;
  /** How the snapshots were chosen where not all of them count, for people: a refusal says it. */
  readonly among?: string;
}

export interface Decision<S> {
  readonly snapshot: S;
  /** Why it is kept, each reason once: `weekly 2026-W45`. Without a reason it is forgotten. */
  readonly reasons: readonly string[];
}

export interface GroupPlan<S> {
  readonly common: GroupCommon;
  /** The date from which the days of its round-robin slots follow, where they follow from a date. */
  readonly anchor?: Day;
  /** Oldest first. */
  readonly decisions: readonly Decision<S>[];
}

/** What a policy decides; nothing is done by it. */
export interface PolicyPlan<S> {
  readonly groups: readonly GroupPlan<S>[];
  /** Snapshots dated after now, oldest first: kept, and to be warned of. */
  readonly future: readonly S[];
}

/**
 * What a policy keeps and forgets: all its rules, in each group for itself. Whatever the rules say, it keeps pinned
 * snapshots, the newest of every group, and those dated in the future, which no rule counts. Nor does a rule count partial
 * ones: these are kept until a whole one is newer. Pure: the answer depends on the arguments only. Rejects with
 * PolicyRefusedError.
 */
export function applyPolicy<S extends PolicySnapshot>(
  snapshots: readonly S[],
  policy: Policy,
  context: PolicyContext,
): PolicyPlan<S> {
  return decide(snapshots, acceptPolicy(policy, snapshots, context.among), context);
}

/** As `applyPolicy` with a policy that was accepted before. */
export function decide<S extends PolicySnapshot>(
  snapshots: readonly S[],
  policy: Policy,
  context: PolicyContext,
): PolicyPlan<S> {
  const sorted = newestFirst(snapshots).reverse();
  const isFuture = ({ time }: S): boolean => compareTimes(time, context.now) > 0;
  return {
    groups: groupSnapshots(sorted, context.groupBy ?? DEFAULT_GROUPS).map(
      ({ common, snapshots: members }) => ({
        common,
        ...decideGroup(members, policy, context, isFuture, context.anchorOf?.(common)),
      }),
    ),
    future: sorted.filter(isFuture),
  };
}

function decideGroup<S extends PolicySnapshot>(
  oldestFirst: readonly S[],
  policy: Policy,
  { now, zone }: PolicyContext,
  isFuture: (snapshot: S) => boolean,
  chosenAnchor: Day | undefined,
): Omit<GroupPlan<S>, 'common'> {
  const reasons = new Map<S, Set<string>>(oldestFirst.map((snapshot) => [snapshot, new Set()]));
  const keep = (snapshot: S, reason: string): void => {
    reasons.get(snapshot)!.add(reason);
  };
  const present = oldestFirst.filter((snapshot) => !isFuture(snapshot)).reverse();
  // One that lacks files must not take the place of one that has them.
  const snapshots = present.filter(({ partial }) => partial !== true);
  const subject = { snapshots, now, zone, keep };
  keepNamed(oldestFirst, policy, keep);
  keepByCalendar(policy, subject);
  if (policy.darStyle !== undefined) keepDarStyle(policy.darStyle, subject);
  const { roundRobin } = policy;
  const anchor = roundRobin && keepRoundRobin(roundRobin, subject, chosenAnchor);
  if (snapshots[0] !== undefined) keep(snapshots[0], 'newest');
  for (const snapshot of present) {
    if (snapshot.partial !== true) break;
    keep(snapshot, 'partial, none that is whole is newer');
  }
  for (const snapshot of oldestFirst) if (isFuture(snapshot)) keep(snapshot, 'dated in the future');
  const decisions = oldestFirst.map((snapshot) => ({ snapshot, reasons: [...reasons.get(snapshot)!] }));
  return { decisions, ...(anchor === undefined ? {} : { anchor }) };
}

/** What is kept whatever its time. */
function keepNamed<S extends PolicySnapshot>(
  snapshots: readonly S[],
  { tags = [], ids = [] }: Policy,
  keep: (snapshot: S, reason: string) => void,
): void {
  for (const snapshot of snapshots) {
    if (snapshot.pinned === true) keep(snapshot, 'pinned');
    if (ids.includes(snapshot.id)) keep(snapshot, 'id');
    for (const tag of tags) if (snapshot.tags?.includes(tag) === true) keep(snapshot, `tag ${tag}`);
  }
}

/** All decisions of a plan, oldest snapshot first. */
export function decisionsOf<S extends PolicySnapshot>(plan: PolicyPlan<S>): Decision<S>[] {
  const decisions = plan.groups.flatMap((group) => group.decisions);
  const bySnapshot = new Map(decisions.map((decision) => [decision.snapshot, decision]));
  return newestFirst([...bySnapshot.keys()])
    .reverse()
    .map((snapshot) => bySnapshot.get(snapshot)!);
}

/** The snapshots that a plan keeps, oldest first. */
export function keptOf<S extends PolicySnapshot>(plan: PolicyPlan<S>): S[] {
  return decisionsOf(plan)
    .filter(({ reasons }) => reasons.length > 0)
    .map(({ snapshot }) => snapshot);
}
