import { CbrError } from '../core/index.js';
import type { Policy } from './policy.js';
import type { PolicySnapshot } from './policy-snapshot.js';

/** A policy that cannot be meant as it stands; nothing was decided. */
export class PolicyRefusedError extends CbrError {
  constructor(message: string, hint: string) {
    super('usage', message, { hint });
  }
}

/** Rejects with PolicyRefusedError when the policy has no rule: it would forget everything but the newest snapshots. */
export function refuseWithoutRule(policy: Policy): void {
  if (hasRule(policy)) return;
  throw new PolicyRefusedError(
    'the policy has no rule: it would forget all but the newest snapshots',
    'Say what to keep, such as --keep-daily 7 --keep-weekly 5 --keep-monthly 12.',
  );
}

/**
 * The policy with each id in full. Rejects with PolicyRefusedError: a policy without any rule would forget everything but the
 * newest snapshots, and one that names a tag or an id which no snapshot has would forget what it was meant to keep. `among`
 * says for people how the snapshots were chosen, where not all of them count: `host dove`.
 */
export function acceptPolicy(policy: Policy, snapshots: readonly PolicySnapshot[], among = ''): Policy {
  refuseWithoutRule(policy);
  const [refusal] = namesRefused(policy, snapshots, among);
  if (refusal !== undefined) throw refusal;
  if (policy.ids === undefined) return policy;
  return { ...policy, ids: policy.ids.map((id) => idsMeant(id, snapshots)[0]!) };
}

/** Why `acceptPolicy` rejects tags and ids of a policy: each that no snapshot has, and ids that several begin with. */
export function namesRefused(
  { tags = [], ids = [] }: Policy,
  snapshots: readonly PolicySnapshot[],
  among = '',
): PolicyRefusedError[] {
  const known = new Set(snapshots.flatMap((snapshot) => snapshot.tags ?? []));
  const none = among === '' ? 'there is none' : `there is none among those of ${among}`;
  const ofTags = [...new Set(tags)]
    .filter((tag) => !known.has(tag))
    .map((tag) => {
      const message = `the policy keeps snapshots with the tag '${tag}', and ${none}`;
      return new PolicyRefusedError(message, 'Correct the tag, or leave the rule out.');
    });
  const ofIds = [...new Set(ids)].flatMap((id) => {
    const found = idsMeant(id, snapshots).length;
    if (found === 1) return [];
    const message = `the policy keeps the snapshot '${id}', and ${found === 0 ? none : `${found} ids begin so`}`;
    const hint = found === 0 ? 'Correct the id, or leave the rule out.' : 'Give more of the id.';
    return [new PolicyRefusedError(message, hint)];
  });
  return [...ofTags, ...ofIds];
}

function hasRule({ last = 0, counts = {}, within, withinPeriods = {}, ...others }: Policy): boolean {
  const { tags = [], ids = [], darStyle, roundRobin } = others;
  return (
    last > 0 ||
    Object.values(counts).some((count) => count > 0) ||
    within !== undefined ||
    Object.keys(withinPeriods).length > 0 ||
    tags.length + ids.length > 0 ||
    darStyle !== undefined ||
    roundRobin !== undefined
  );
}

function idsMeant(id: string, snapshots: readonly PolicySnapshot[]): string[] {
  const ids = snapshots.map((snapshot) => snapshot.id);
  return ids.includes(id) ? [id] : ids.filter((each) => each.startsWith(id));
}
