import { EXIT, Failure } from './failure.js';
import type { Snapshot } from './snapshots.js';
import { shown } from './text.js';

/** Which snapshot is meant. Pure. */

const SHORTEST_PREFIX = 4;

/** `snapshots`: the oldest first. Throws a Failure where none or several are meant. */
export function selectSnapshot(
  snapshots: readonly Snapshot[],
  name: string,
  path: string | undefined,
): Snapshot {
  if (snapshots.length === 0) throw new Failure(EXIT.failed, 'there is no snapshot on the discs in reach');
  const latest = /^latest(?:~([0-9]{1,9}))?$/.exec(name);
  if (latest !== null) return latestOf(snapshots, Number(latest[1] ?? 0), path);
  const prefix = name.toLowerCase();
  if (!/^[0-9a-f]{1,32}$/.test(prefix) || prefix.length < SHORTEST_PREFIX) {
    throw new Failure(
      EXIT.usage,
      `${name} is no snapshot`,
      `Give its id or the beginning of it (${SHORTEST_PREFIX} digits at least), or latest; list shows all.`,
    );
  }
  const found = snapshots.filter(({ id }) => id.startsWith(prefix));
  const [only] = found;
  if (only === undefined) {
    throw new Failure(
      EXIT.failed,
      `no snapshot ${name} on the discs in reach`,
      'list shows those that are; another disc may have more.',
    );
  }
  if (found.length > 1)
    throw new Failure(
      EXIT.usage,
      `${name} is the beginning of ${found.length} snapshots`,
      'Give more digits.',
    );
  return only;
}

/** Partial snapshots are passed over unless there are no others. */
function latestOf(snapshots: readonly Snapshot[], back: number, path: string | undefined): Snapshot {
  const whole = snapshots.filter(({ isPartial }) => !isPartial);
  for (const candidates of [whole, snapshots]) {
    for (const covers of path === undefined ? [() => true] : [reaches(path), liesBelow(path)]) {
      const found = candidates.filter((snapshot) =>
        snapshot.paths.some((source) => covers(source.toString('utf8'))),
      );
      const meant = path === undefined ? candidates : found;
      const chosen = meant.at(-1 - back);
      if (chosen === undefined) continue;
      refuseSeveralHosts(meant);
      return chosen;
    }
  }
  throw new Failure(
    EXIT.failed,
    path === undefined
      ? `there are no more than ${snapshots.length} snapshots`
      : `no snapshot in reach has ${path} among its sources`,
    'list shows the snapshots with their sources.',
  );
}

/** Whose the newest is would be a matter of luck. */
function refuseSeveralHosts(snapshots: readonly Snapshot[]): void {
  const newest = new Map(snapshots.map((snapshot) => [snapshot.host, snapshot]));
  if (newest.size === 1) return;
  const lines = [...newest.values()].map(({ host, id }) => `  ${shown(host)}: ${id.slice(0, 16)}`);
  throw new Failure(
    EXIT.usage,
    `latest: there are snapshots of several hosts, of which the newest are\n${lines.join('\n')}`,
    'Name the snapshot by its id.',
  );
}

const withSlash = (path: string): string => (path.endsWith('/') ? path : `${path}/`);
const reaches =
  (path: string) =>
  (source: string): boolean =>
    withSlash(path).startsWith(withSlash(source));
const liesBelow =
  (path: string) =>
  (source: string): boolean =>
    withSlash(source).startsWith(withSlash(path));
