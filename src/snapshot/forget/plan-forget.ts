import { DamagedError, type SessionId } from '../../core/index.js';
import {
  applyPolicy,
  compareTimes,
  type Decision,
  type GroupField,
  type Policy,
  type PolicyPlan,
  type PolicyTime,
  type TimeZone,
} from '../../policy/index.js';
import {
  doubtfulNotes,
  type Repository,
  type RepositoryView,
  readStoredPolicies,
  recordMemory,
} from '../../repo/index.js';
import { listWithNotes, type NotedSnapshots } from '../list-snapshots.js';
import { filterSnapshots, filterText, type SnapshotFilter } from '../snapshot-filter.js';
import { storedAnchors } from './group-anchors.js';
import { type PlannedSnapshot, plannedSnapshot } from './planned-snapshot.js';
import { takenLast } from './taken-last.js';

/** Forgetting by a policy: the plan. */

export interface ForgetRequest {
  readonly policy: Policy;
  /** Default: host and paths. */
  readonly groupBy?: readonly GroupField[];
  readonly zone: TimeZone;
  readonly now: PolicyTime;
  /** The policy is applied to these only; the others stay. */
  readonly filter: SnapshotFilter;
}

/** What is to be forgotten; nothing is done by it: see apply-forget-plan.ts. */
export interface ForgetPlan {
  readonly request: ForgetRequest;
  /** With every reason for which a snapshot is kept. */
  readonly plan: PolicyPlan<PlannedSnapshot>;
  /** Oldest first. */
  readonly forget: readonly SessionId[];
}

/**
 * What a policy forgets of the snapshots that are there. Beside what policies keep by themselves it keeps the one that was
 * taken last of each group, whatever time it bears, unless that is dated in the future. Round-robin slots follow from the
 * anchors that are stored. Rejects with PolicyRefusedError, and with DamagedError when a snapshot cannot be opened: nobody can
 * tell then of which ones it is the newest.
 */
export async function planForget(repository: Repository, request: ForgetRequest): Promise<ForgetPlan> {
  const { policy, groupBy, zone, now, filter } = request;
  const listed = await listWithNotes(repository);
  const [damaged] = listed.damaged;
  if (damaged !== undefined) throw unknowable(damaged.id, damaged.error);
  const doubtful = await doubtfulPins(repository, listed);
  const snapshots = filterSnapshots(listed.snapshots, filter).map((each) => {
    const planned = plannedSnapshot(each, now.seconds);
    return doubtful.has(each.id) ? { ...planned, pinned: true } : planned;
  });
  const stored = policy.roundRobin?.anchor === 'oldest' ? await readStoredPolicies(repository) : undefined;
  const plan = applyPolicy(snapshots, policy, {
    now,
    zone,
    ...(groupBy === undefined ? {} : { groupBy }),
    anchorOf: storedAnchors(stored?.record),
    among: filterText(filter),
  });
  return { request, ...(await keepTakenLast(repository, listed.view, plan)) };
}

/** Snapshots that are kept as if they were pinned: nobody can tell whether they are. */
async function doubtfulPins(
  { backend, records, cache, report }: Repository,
  { snapshots, noteNumbers }: NotedSnapshots,
): Promise<ReadonlySet<SessionId>> {
  const its = { backend, records, memory: recordMemory(cache) };
  const doubtful = await doubtfulNotes(its, new Set(snapshots.map(({ id }) => id)), noteNumbers);
  for (const id of doubtful) {
    const what = `The last note of snapshot ${id.slice(0, 8)} cannot be opened, and may have pinned it`;
    report(`${what}: it is kept. Settle it with: cbr pin, or cbr unpin`, 'notice');
  }
  return doubtful;
}

function unknowable(id: SessionId, error: Error): DamagedError {
  return new DamagedError(
    `snapshots/${id}`,
    'cannot be opened, so nobody can tell which snapshots are older or newer than it: no policy is applied',
    { cause: error, hint: 'Run: cbr check. Snapshots can be forgotten one by one: cbr forget SNAPSHOT' },
  );
}

/**
 * A snapshot taken while the clock was slow is older by its time than ones that were taken before it, and policies go by the
 * time alone: what has no reason to be kept is kept if none of its group was taken after it.
 */
async function keepTakenLast(
  repository: Repository,
  view: RepositoryView,
  plan: PolicyPlan<PlannedSnapshot>,
): Promise<Pick<ForgetPlan, 'plan' | 'forget'>> {
  const isForgotten = ({ reasons }: Decision<PlannedSnapshot>): boolean => reasons.length === 0;
  const idOf = ({ snapshot }: Decision<PlannedSnapshot>): SessionId => snapshot.snapshot.id;
  const groups = plan.groups
    .map(({ decisions }) => ({
      members: decisions.map(({ snapshot }) => snapshot.snapshot),
      asked: new Set(decisions.filter(isForgotten).map(idOf)),
    }))
    .filter(({ asked }) => asked.size > 0);
  const last = groups.length === 0 ? new Set<SessionId>() : await takenLast(repository, view, groups);
  const forget: { readonly id: SessionId; readonly time: PolicyTime }[] = [];
  const kept = plan.groups.map((group) => ({
    ...group,
    decisions: group.decisions.map((decision) => {
      if (!isForgotten(decision)) return decision;
      const id = idOf(decision);
      if (last.has(id)) return { ...decision, reasons: ['taken last'] };
      forget.push({ id, time: decision.snapshot.time });
      return decision;
    }),
  }));
  forget.sort((a, b) => compareTimes(a.time, b.time));
  return { plan: { ...plan, groups: kept }, forget: forget.map(({ id }) => id) };
}
