import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SessionId } from '../../dist/core/index.js';
import { type Decision, decisionsOf, type GroupField, TimeZone } from '../../dist/policy/index.js';
import type { Repository } from '../../dist/repo/index.js';
import {
  applyForgetPlan,
  type ForgetOptions,
  type ForgetPlan,
  type ForgetRequest,
  forgetSnapshots,
  type PlannedSnapshot,
  planForget,
  unforgetSnapshot,
} from '../../dist/snapshot/index.js';
import type { Scratch } from './scratch-repository.js';

/** Short ways to take snapshots of any time, and to forget them. */

const UTC = new TimeZone('UTC');

/** When it is forgotten, in seconds. */
export const SECOND = 1_000_000;

/** `2026-11-20T14:00`, in UTC. */
export const at = (text: string) => ({ seconds: Date.parse(`${text}Z`) / 1000, nanoseconds: 0 });

export const BY: ForgetOptions = Object.freeze({
  by: 'tester@here',
  nowSeconds: SECOND,
  signal: new AbortController().signal,
});

/** The id of a snapshot with that time. */
export async function takeAt(its: Scratch, time: string, host = 'here'): Promise<SessionId> {
  return (await its.take({ time: at(time), host, threads: 1 })).summary.snapshot as SessionId;
}

export const forget = (its: Scratch, ...ids: SessionId[]) =>
  its.use((repository) => forgetSnapshots(repository, ids, BY));

/** The id that it has now. */
export const unforget = async (its: Scratch, id: SessionId): Promise<SessionId> =>
  (await its.use((repository) => unforgetSnapshot(repository, id, BY))).snapshot.id;

export type Rules = ForgetRequest['policy'];

export function planned(
  repository: Repository,
  policy: Rules,
  now: string,
  groupBy: readonly GroupField[] = ['host'],
): Promise<ForgetPlan> {
  return planForget(repository, { policy, groupBy, zone: UTC, now: at(now), filter: { tags: [] } });
}

export const plan = (
  its: Scratch,
  policy: Rules,
  now = '2026-01-01T00:00',
  groupBy?: readonly GroupField[],
) => its.use((repository) => planned(repository, policy, now, groupBy));

export const applied = (its: Scratch, policy: Rules, now: string) =>
  its.use(async (repository) => applyForgetPlan(repository, await planned(repository, policy, now), BY));

export const reasonsOf = (forgetPlan: ForgetPlan): [id: string, reasons: readonly string[]][] =>
  decisionsOf(forgetPlan.plan).map(({ snapshot, reasons }: Decision<PlannedSnapshot>) => [
    snapshot.id,
    reasons,
  ]);

/** Names of the objects of a kind. */
export const objects = (its: Scratch, kind: string): string[] => readdirSync(join(its.repo, kind)).sort();
