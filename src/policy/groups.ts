import type { PolicySnapshot } from './policy-snapshot.js';

/** What may tell the groups apart to which a policy is applied one by one. */
export const GROUP_FIELDS = ['host', 'paths', 'job', 'tags'] as const;
export type GroupField = (typeof GROUP_FIELDS)[number];

export const DEFAULT_GROUPS: readonly GroupField[] = ['host', 'paths'];

/** What all snapshots of a group have in common: of each field they are grouped by, in the order of GROUP_FIELDS. */
export type GroupCommon = Readonly<Partial<Record<GroupField, string | readonly string[]>>>;

export interface SnapshotGroup<S> {
  readonly common: GroupCommon;
  readonly snapshots: readonly S[];
}

/** The groups in the order in which their first snapshots stand. Paths and tags are sets: their order does not matter. */
export function groupSnapshots<S extends PolicySnapshot>(
  snapshots: readonly S[],
  by: readonly GroupField[],
): SnapshotGroup<S>[] {
  const groups = new Map<string, { common: GroupCommon; snapshots: S[] }>();
  for (const snapshot of snapshots) {
    const common = commonOf(snapshot, by);
    const key = JSON.stringify(common);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { common, snapshots: [snapshot] });
    else group.snapshots.push(snapshot);
  }
  return [...groups.values()];
}

function commonOf(snapshot: PolicySnapshot, by: readonly GroupField[]): GroupCommon {
  const { host = '', paths = [], job = '', tags = [] } = snapshot;
  const all = { host, paths: sortedSet(paths), job, tags: sortedSet(tags) };
  return Object.fromEntries(
    GROUP_FIELDS.filter((field) => by.includes(field)).map((field) => [field, all[field]]),
  );
}

function sortedSet(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}
