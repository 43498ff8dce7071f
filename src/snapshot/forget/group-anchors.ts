import { CbrError, FormatError, toLatin1 } from '../../core/index.js';
import {
  type Day,
  dateText,
  type GroupCommon,
  type Policy,
  type PolicyPlan,
  parseDate,
} from '../../policy/index.js';
import { changeStoredPolicies, type PoliciesRecord, type Repository } from '../../repo/index.js';

/** The round-robin anchors of groups, as they are stored with the policies (docs/format.md, "Policies"). */

type StoredAnchor = PoliciesRecord['anchors'][number];

/** Fields that are not raw as they are. */
const asRaw = (field: string, text: string): string =>
  field === 'paths' ? text : toLatin1(Buffer.from(text, 'utf8'));

/** What names a group: `host=...`, and one for each path and tag, sorted; `tags=` where there are none. Raw. */
export function groupName(common: GroupCommon): string[] {
  return Object.entries(common)
    .flatMap(([field, value]) => {
      const texts = typeof value === 'string' ? [value] : value.length === 0 ? [''] : value;
      return texts.map((text) => `${field}=${asRaw(field, text)}`);
    })
    .sort();
}

const keyOf = (group: readonly string[]): string => JSON.stringify(group);

/** The anchors that are stored, by group. Rejects with FormatError when one is no date. */
export function storedAnchors(record: PoliciesRecord | undefined): (common: GroupCommon) => Day | undefined {
  const dates = new Map((record?.anchors ?? []).map(({ group, date }) => [keyOf(group), storedDay(date)]));
  return (common) => dates.get(keyOf(groupName(common)));
}

function storedDay(date: string): Day {
  try {
    return parseDate(date);
  } catch (error) {
    if (!(error instanceof CbrError)) throw error;
    throw new FormatError(`policies: the stored anchor ${JSON.stringify(date)} is no date`, { cause: error });
  }
}

/** The anchors that a plan rests on. */
export function anchorsOf(plan: PolicyPlan<unknown>): StoredAnchor[] {
  return plan.groups.flatMap(({ common, anchor }) =>
    anchor === undefined ? [] : [{ group: groupName(common), date: dateText(anchor) }],
  );
}

/**
 * Stores the anchors of a plan unless they are. One that follows from the oldest snapshot does not replace what somebody
 * stored first; one that the user names does.
 */
export async function storeAnchors(
  repository: Repository,
  anchors: readonly StoredAnchor[],
  rule: NonNullable<Policy['roundRobin']>,
  by: string,
  nowSeconds: number,
): Promise<void> {
  if (anchors.length === 0) return;
  const replaces = rule.anchor !== 'oldest';
  await changeStoredPolicies(
    repository,
    (before) => {
      const all = new Map((before?.anchors ?? []).map((each) => [keyOf(each.group), each]));
      let isChanged = false;
      for (const anchor of anchors) {
        const stored = all.get(keyOf(anchor.group));
        if (stored !== undefined && (!replaces || stored.date === anchor.date)) continue;
        all.set(keyOf(anchor.group), anchor);
        isChanged = true;
      }
      return isChanged ? { rules: before?.rules ?? [], anchors: [...all.values()] } : undefined;
    },
    by,
    nowSeconds,
  );
}
