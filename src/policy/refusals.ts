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
 * newest snapshots, and one that names a tag or an id which no snapshot has would forget what it was meant to keep.
 */
export function acceptPolicy(policy: Policy, snapshots: readonly PolicySnapshot[]): Policy {
  refuseWithoutRule(policy);
  const tags = new Set(snapshots.flatMap((snapshot) => snapshot.tags ?? []));
  const missing = policy.tags?.find((tag) => !tags.has(tag));
  if (missing !== undefined) {
    throw new PolicyRefusedError(
      `the policy keeps snapshots with the tag '${missing}', and there is none`,
      'Correct the tag, or leave the rule out.',
    );
  }
  if (policy.ids === undefined) return policy;
  return { ...policy, ids: policy.ids.map((id) => fullId(id, snapshots)) };
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

function fullId(id: string, snapshots: readonly PolicySnapshot[]): string {
  if (snapshots.some((snapshot) => snapshot.id === id)) return id;
  const found = snapshots.filter((snapshot) => snapshot.id.startsWith(id));
  if (found.length === 1) return found[0]!.id;
  throw found.length === 0
    ? new PolicyRefusedError(
        `the policy keeps the snapshot '${id}', and there is none`,
        'Correct the id, or leave the rule out.',
      )
    : new PolicyRefusedError(
        `the policy keeps the snapshot '${id}', and ${found.length} ids begin so`,
        'Give more of the id.',
      );
}
