import {
  applyPolicy,
  keptOf,
  type Policy,
  type PolicyContext,
  type PolicySnapshot,
  type PolicyTime,
  TimeZone,
} from '../../dist/policy/index.js';

/** Short ways to say snapshots and what is kept of them. */

export const UTC = new TimeZone('UTC');

/** `2026-11-20` or `2026-11-20T14:00`, in UTC. */
export function at(text: string): PolicyTime {
  const milliseconds = Date.parse(text.includes('T') ? `${text}Z` : text);
  if (Number.isNaN(milliseconds)) throw new Error(text);
  return { seconds: milliseconds / 1000, nanoseconds: 0 };
}

/** A snapshot whose id is its time, unless another one is given. */
export function shot(time: string, more: Partial<PolicySnapshot> = {}): PolicySnapshot {
  return { id: time, time: at(time), ...more };
}

/** The ids kept, oldest first. */
export function kept(
  snapshots: readonly PolicySnapshot[],
  policy: Policy,
  now: string,
  context: Partial<PolicyContext> = {},
): string[] {
  return keptOf(applyPolicy(snapshots, policy, { now: at(now), zone: UTC, ...context })).map(({ id }) => id);
}
