import { EXIT, Failure } from './failure.js';
import type { FoundSnapshots, Snapshot } from './snapshots.js';
import { counted, shown } from './text.js';

/** Which snapshot is meant. Pure. */

const SHORTEST_PREFIX = 4;
const OTHER_COPY = 'Another disc may have a copy that is whole: add it.';

/**
 * Throws a Failure where none or several are meant, and where the record of the one that is meant perhaps cannot be opened: another
 * snapshot is never given in its stead.
 */
export function selectSnapshot(found: FoundSnapshots, name: string, path: string | undefined): Snapshot {
  const { snapshots, unreadable } = found;
  if (snapshots.length === 0 && unreadable.length === 0) {
    throw new Failure(EXIT.failed, 'there is no snapshot on the discs in reach');
  }
  const latest = /^latest(?:~([0-9]{1,9}))?$/.exec(name);
  if (latest !== null) {
    if (unreadable.length > 0) throw unknowable(unreadable);
    return latestOf(snapshots, Number(latest[1] ?? 0), path);
  }
  const prefix = name.toLowerCase();
  if (!/^[0-9a-f]{1,32}$/.test(prefix) || prefix.length < SHORTEST_PREFIX) {
    throw new Failure(
      EXIT.usage,
      `${name} is no snapshot`,
      `Give its id or the beginning of it (${SHORTEST_PREFIX} digits at least), or latest; list shows all.`,
    );
  }
  const meant = snapshots.filter(({ id }) => id.startsWith(prefix));
  const lost = unreadable.filter((id) => id.startsWith(prefix));
  if (meant.length + lost.length > 1)
    throw new Failure(
      EXIT.usage,
      `${name} is the beginning of ${meant.length + lost.length} snapshots`,
      'Give more digits.',
    );
  const [only] = meant;
  if (only !== undefined) return only;
  if (lost.length > 0) throw new Failure(EXIT.damage, `snapshots/${lost[0]} cannot be opened`, OTHER_COPY);
  throw new Failure(
    EXIT.failed,
    `no snapshot ${name} on the discs in reach`,
    'list shows those that are; another disc may have more.',
  );
}

function unknowable(unreadable: readonly string[]): Failure {
  const more = unreadable.length === 1 ? '' : ` (and ${unreadable.length - 1} more)`;
  return new Failure(
    EXIT.damage,
    `snapshots/${unreadable[0]}${more} cannot be opened, so nobody can tell which snapshot is the latest`,
    `${OTHER_COPY} Or name the snapshot by its id: list shows those that can be opened.`,
  );
}

/**
 * Where there are snapshots with a source that holds all of the path, only those count, else those with sources that hold some of it.
 * Partial ones are passed over unless there are no others.
 */
function latestOf(snapshots: readonly Snapshot[], back: number, path: string | undefined): Snapshot {
  const holding = path === undefined ? snapshots : holdersOrParts(snapshots, path);
  const whole = holding.filter(({ isPartial }) => !isPartial);
  const meant = whole.length > 0 ? whole : holding;
  const chosen = meant.at(-1 - back);
  if (chosen === undefined) {
    const where = path === undefined ? '' : ` with ${path}`;
    throw new Failure(
      EXIT.failed,
      meant.length > 0
        ? `there is no latest~${back}${where}: ${counted(meant.length, 'snapshot')} in all`
        : `no snapshot in reach has ${path} among its sources`,
      'list shows the snapshots with their sources.',
    );
  }
  refuseSeveralHosts(meant);
  if (path !== undefined && !hasAllOf(chosen, rawPath(path))) {
    refuseSeveralParts(chosen, meant.slice(0, meant.length - back), path);
  }
  return chosen;
}

function holdersOrParts(snapshots: readonly Snapshot[], path: string): readonly Snapshot[] {
  const raw = rawPath(path);
  const holders = snapshots.filter((snapshot) => hasAllOf(snapshot, raw));
  return holders.length > 0 ? holders : snapshots.filter((snapshot) => partsOf(snapshot, raw).length > 0);
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

/** What the newest one has of the path would pass for all of it. */
function refuseSeveralParts(chosen: Snapshot, snapshots: readonly Snapshot[], path: string): void {
  const isHeld = (other: Snapshot, source: string): boolean =>
    hasAllOf(chosen, source) || (isListed(other, source) && sourcesOf(chosen).includes(source));
  const wanted = (snapshot: Snapshot): string[] => partsOf(snapshot, rawPath(path));
  const others = snapshots.filter((other) => !wanted(other).every((source) => isHeld(other, source)));
  if (others.length === 0) return;
  const textOf = (parts: readonly string[]): string => parts.map((part) => shown(rawBytes(part))).join(' ');
  const newest = new Map([...others, chosen].map((each) => [textOf(wanted(each)), each]));
  const lines = [...newest].map(([parts, { id }]) => `  ${parts}: ${id.slice(0, 16)}`);
  throw new Failure(
    EXIT.usage,
    `latest: no snapshot has all of ${path}, and several have parts of it, of which the newest are\n${lines.join('\n')}`,
    'Name the snapshot by its id, or a path that is in one of them.',
  );
}

/** Paths are compared as bytes: each byte stands as a letter of its own. */
const rawBytes = (path: string): Buffer => Buffer.from(path, 'latin1');
const rawPath = (path: string): string => {
  const names = path.split('/').filter((name) => name !== '');
  return Buffer.from(`/${names.join('/')}`).toString('latin1');
};

const sourcesOf = ({ paths }: Snapshot): string[] => paths.map((source) => source.toString('latin1'));

const isAtOrBelow = (path: string, folder: string): boolean =>
  path === folder || folder === '/' || path.startsWith(`${folder}/`);

/** Of a source that stands for a long list only some of what is in it was named. */
function isListed({ listed }: Snapshot, source: string): boolean {
  return listed.some((each) => each.equals(rawBytes('/')) || each.equals(rawBytes(source)));
}

/** Whether all of a path was to be taken in. */
function hasAllOf(snapshot: Snapshot, path: string): boolean {
  return sourcesOf(snapshot).some((source) => isAtOrBelow(path, source) && !isListed(snapshot, source));
}

/** The sources that hold something of a path, or perhaps do. */
function partsOf(snapshot: Snapshot, path: string): string[] {
  return sourcesOf(snapshot).filter((source) => isAtOrBelow(source, path) || isAtOrBelow(path, source));
}
