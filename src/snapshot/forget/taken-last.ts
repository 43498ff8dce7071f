import { CbrError, FormatError, isSessionId, type SessionId, toHex } from '../../core/index.js';
import type { OutcomeRecord, Repository, RepositoryView } from '../../repo/index.js';
import { isPartial, rewrittenFrom } from '../snapshot-extensions.js';
import { type Snapshot, snapshotOf } from '../snapshot-record.js';
import { contentIdentity } from './content-identity.js';
import { type ForgottenSnapshot, takeEachForgotten } from './forgotten-snapshots.js';

/**
 * Which snapshots were taken last, by what they saw of each other: clocks may jump. What one that was brought back, rewritten or
 * merged saw then says nothing of when it was taken: for that it stands in for the forgotten one whose content it has, and for
 * those that it was made from.
 */

export interface TakenGroup {
  readonly members: readonly Snapshot[];
  /** Those of the members about which is asked. */
  readonly asked: ReadonlySet<SessionId>;
}

/**
 * Of those asked about, the ones that no other whole member of their group saw when it was taken, be it through snapshots of other
 * groups or through ones that were forgotten. (A partial one must not stand for what it may lack.) A forgotten record that cannot be opened is taken for one that saw nothing, so
 * that more are said to be the last; but what has brought that very one back cannot be told from what was taken then.
 */
export async function takenLast(
  repository: Pick<Repository, 'backend' | 'records' | 'cache'>,
  view: RepositoryView,
  groups: readonly TakenGroup[],
): Promise<ReadonlySet<SessionId>> {
  const { seenBy, forgottenWith, madeFrom } = await readSeen(repository, view);
  const last = new Set<SessionId>();
  for (const { members, asked } of groups) {
    const sessions = new Map(
      members.map((each) => {
        const same = forgottenWith.get(contentIdentity(each)) ?? [];
        return [each.id, [...reached([each.id, ...same], madeFrom), each.id, ...same]];
      }),
    );
    const whole = members.filter(({ about }) => !isPartial(about));
    const seen = seenByAny(
      whole.map(({ id }) => sessions.get(id)!),
      seenBy,
    );
    // Whoever saw one that brought it back was taken after it as well.
    for (const id of asked) if (!sessions.get(id)!.some((each) => seen.has(each))) last.add(id);
  }
  return last;
}

interface Seen {
  readonly seenBy: ReadonlyMap<SessionId, readonly SessionId[]>;
  /** What was forgotten, by its content. */
  readonly forgottenWith: ReadonlyMap<string, readonly SessionId[]>;
  /** Those that were made by rewriting and merging, with what they were made from. */
  readonly madeFrom: ReadonlyMap<SessionId, readonly SessionId[]>;
}

async function readSeen(
  repository: Pick<Repository, 'backend' | 'records' | 'cache'>,
  view: RepositoryView,
): Promise<Seen> {
  const seenBy = new Map<SessionId, readonly SessionId[]>();
  const forgottenWith = new Map<string, SessionId[]>();
  const madeFrom = new Map<SessionId, readonly SessionId[]>();
  for (const [id, outcome] of view.outcomes) {
    if (outcome instanceof CbrError || outcome.outcome !== 'commit') continue;
    seenBy.set(id, seenIn(outcome));
    madeFrom.set(id, originsIn(id, outcome));
  }
  // A fence can stand beside the forgotten record of a commit; what that saw is in there.
  const take = ({ snapshot, outcome }: ForgottenSnapshot): void => {
    seenBy.set(snapshot.id, seenIn(outcome));
    madeFrom.set(snapshot.id, rewrittenFrom(snapshot.about));
    const identity = contentIdentity(snapshot);
    forgottenWith.set(identity, [...(forgottenWith.get(identity) ?? []), snapshot.id]);
  };
  await takeEachForgotten(repository, take, view.forgottenSizes);
  return { seenBy, forgottenWith, madeFrom };
}

/** Nothing of one that says nothing that can be read. */
function originsIn(id: SessionId, outcome: OutcomeRecord): readonly SessionId[] {
  try {
    return rewrittenFrom(snapshotOf(id, outcome).about);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return [];
  }
}

/**
 * What was seen when the members were taken. Each by its sessions: by one of them it was taken, the others have brought it back
 * since; so what all of them saw was seen.
 */
function seenByAny(
  members: readonly (readonly SessionId[])[],
  seenBy: Seen['seenBy'],
): ReadonlySet<SessionId> {
  const seen = reached(members.filter(({ length }) => length === 1).flat(), seenBy);
  for (const sessions of members.filter(({ length }) => length > 1)) {
    const [first, ...others] = sessions.map((id) => reached([id], seenBy));
    for (const id of first!) if (others.every((each) => each.has(id))) seen.add(id);
  }
  return seen;
}

/** All that those saw, and what these saw, and so on; or were made from. */
function reached(from: readonly SessionId[], seenBy: Seen['seenBy']): Set<SessionId> {
  const seen = new Set<SessionId>();
  const stack = [...from];
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    for (const each of seenBy.get(id) ?? []) {
      if (seen.has(each)) continue;
      seen.add(each);
      stack.push(each);
    }
  }
  return seen;
}

function seenIn({ seen }: OutcomeRecord): SessionId[] {
  return seen.map(toHex).filter(isSessionId);
}
