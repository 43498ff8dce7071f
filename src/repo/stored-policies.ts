import {
  BackendError,
  CbrError,
  DamagedError,
  ObjectExistsError,
  ObjectNotFoundError,
} from '../core/index.js';
import { nextNumber, parseNumber } from './object-number.js';
import { createRecord, readRecord } from './record-store.js';
import { type PoliciesRecord, policiesRecord } from './records.js';
import type { SessionContext } from './session.js';
import { listNames } from './view.js';

/** The stored policy and the round-robin anchors: the record with the highest number counts (docs/format.md, "Policies"). */

export interface StoredPolicies {
  /** That of the record that counts; 0 when nothing was ever stored. */
  readonly number: number;
  readonly record: PoliciesRecord | undefined;
}

/** What a change makes of the record that counts; undefined leaves all as it is. */
export type PoliciesChange = (
  before: PoliciesRecord | undefined,
) => Pick<PoliciesRecord, 'rules' | 'anchors'> | undefined;

/** All rules that this version knows; values are text, and what they may be is the business of who reads them. */
const RULES: ReadonlySet<string> = new Set([
  'keep-last',
  ...['hourly', 'daily', 'weekly', 'monthly', 'quarterly', 'yearly'].flatMap((period) => [
    `keep-${period}`,
    `keep-within-${period}`,
  ]),
  'keep-within',
  'keep-tag',
  'keep-id',
  'dar-style',
  'round-robin',
  'group-by',
  'timezone',
]);

/** Others who change it at the same time make a change begin again; so many are none that end by themselves. */
const MOST_ATTEMPTS = 100;

async function highestNumber({ backend }: SessionContext): Promise<number> {
  const numbers = (await listNames(backend, 'policies')).map((name) => parseNumber(name) ?? 0);
  return numbers.reduce((highest, number) => Math.max(highest, number), 0);
}

async function readNumber({ backend, records }: SessionContext, number: number): Promise<PoliciesRecord> {
  const object = `policies/${number}`;
  let record: PoliciesRecord;
  try {
    record = await readRecord(backend, 'policies', String(number), policiesRecord, records);
  } catch (error) {
    const isOurs = error instanceof CbrError && !(error instanceof BackendError);
    if (!isOurs || error instanceof ObjectNotFoundError || error.code === 'newer-format') throw error;
    throw new DamagedError(object, 'cannot be opened, so nobody can tell which policy is stored', {
      cause: error,
      hint: 'Store it again (cbr policy set), or give the policy on the command line. See: cbr check',
    });
  }
  const unknown = record.rules.find(({ name }) => !RULES.has(name));
  if (unknown !== undefined) {
    throw new CbrError(
      'newer-format',
      `${object}: the stored policy has the unknown rule '${unknown.name}'`,
      {
        hint: 'A newer cbr has stored it: use that one.',
      },
    );
  }
  return record;
}

/**
 * What counts now. Rejects with DamagedError when that cannot be opened, for an older one must not be taken in its stead, and
 * with `newer-format` when it has a rule that this version does not know.
 */
export async function readStoredPolicies(its: SessionContext): Promise<StoredPolicies> {
  const number = await highestNumber(its);
  return { number, record: number === 0 ? undefined : await readNumber(its, number) };
}

/**
 * Stores what `change` makes of what counts now, under the next number; whoever was first with that number makes it begin
 * again with what is stored then. Returns what counts afterwards. Rejects as `readStoredPolicies` does, but for a record that
 * is damaged when `replacesDamaged`: it is taken for none then, and the anchors in it are lost.
 */
export async function changeStoredPolicies(
  its: SessionContext,
  change: PoliciesChange,
  by: string,
  nowSeconds: number,
  replacesDamaged = false,
): Promise<StoredPolicies> {
  for (let attempt = 1; ; attempt++) {
    const number = await highestNumber(its);
    const before =
      number === 0 ? undefined : await readNumber(its, number).catch(unlessDamaged(replacesDamaged));
    const after = change(before);
    if (after === undefined) return { number, record: before };
    const record: PoliciesRecord = { ...before, ...after, by, time: nowSeconds };
    const next = nextNumber(number, 'policies');
    try {
      await createRecord(its.backend, 'policies', String(next), policiesRecord, record, its.records);
      return { number: next, record };
    } catch (error) {
      if (!(error instanceof ObjectExistsError) || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}

function unlessDamaged(isReplaced: boolean): (error: unknown) => undefined {
  return (error) => {
    if (!isReplaced || !(error instanceof DamagedError)) throw error;
  };
}
