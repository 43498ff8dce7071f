import { decide, keptOf, type PolicyContext, type PolicyPlan } from './apply-policy.js';
import type { Policy } from './policy.js';
import { compareTimes, newestFirst, type PolicySnapshot, type PolicyTime } from './policy-snapshot.js';
import { acceptPolicy } from './refusals.js';

/**
 * Applies a policy night by night, each night to what the nights before have left and to what was taken since, and yields
 * each night's plan. `nights` ascend. What is dated after the last night counts in that night, as dated in the future.
 * Rejects with PolicyRefusedError before the first night.
 */
export function* applyNightly<S extends PolicySnapshot>(
  snapshots: readonly S[],
  nights: readonly PolicyTime[],
  policy: Policy,
  context: Omit<PolicyContext, 'now'>,
): Generator<PolicyPlan<S>, void> {
  const accepted = acceptPolicy(policy, snapshots, context.among);
  const taken = newestFirst(snapshots).reverse();
  let kept: readonly S[] = [];
  let next = 0;
  for (const [i, now] of nights.entries()) {
    const from = next;
    const isLast = i === nights.length - 1;
    while (next < taken.length && (isLast || compareTimes(taken[next]!.time, now) <= 0)) next++;
    const plan = decide([...kept, ...taken.slice(from, next)], accepted, { ...context, now });
    kept = keptOf(plan);
    yield plan;
  }
}
