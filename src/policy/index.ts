export * from './apply-nightly.js';
export {
  applyPolicy,
  type Decision,
  decisionsOf,
  type GroupPlan,
  keptOf,
  type PolicyContext,
  type PolicyPlan,
} from './apply-policy.js';
export { type Day, dateOf, dateText, dayOf, parseDate } from './calendar-date.js';
export type { CalendarRules } from './calendar-rules.js';
export type { DarStyle } from './dar-style.js';
export * from './duration.js';
export { DEFAULT_GROUPS, GROUP_FIELDS, type GroupCommon, type GroupField, groupSnapshots } from './groups.js';
export { PERIODS, type Period } from './periods.js';
export type { Policy } from './policy.js';
export * from './policy-snapshot.js';
export { namesRefused, PolicyRefusedError, refuseWithoutRule } from './refusals.js';
export type { RoundRobin } from './round-robin.js';
export * from './round-robin-slots.js';
export { TimeZone } from './time-zone.js';
