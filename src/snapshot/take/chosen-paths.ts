import { CbrError } from '../../core/index.js';
import { displayPath, FileError, parentPath, type RawPath, rawPath } from '../../fs/index.js';
import type { FoundPath, FoundPaths } from './found-paths.js';
import { isBelow, type NamedPath, restOf } from './named-paths.js';
import type { TakeOptions } from './take-options.js';
import type { Tally } from './tally.js';
import type { Ways } from './ways.js';

/** A named path that is taken in for itself. */
export interface ChosenPath extends NamedPath {
  readonly found: FoundPath;
  /** Named folders in it on other file systems: they are taken in with --one-file-system too. */
  readonly mounts: ReadonlySet<RawPath>;
  /** Everything that is named in it: no rule leaves it out. */
  readonly inside: ReadonlySet<RawPath>;
}

export interface Choice {
  readonly chosen: readonly ChosenPath[];
  /** Those that cannot be taken in. */
  readonly refused: readonly (NamedPath & { readonly reason: string; readonly error?: FileError })[];
}

const NONE: ReadonlySet<RawPath> = new Set();

/** Leaves out what lies in another named folder anyway. Rejects (usage) when two would be stored at one place. */
export function choosePaths(
  named: readonly NamedPath[],
  found: FoundPaths,
  ways: Ways,
  options: TakeOptions,
  tally: Tally,
): Choice {
  const byPath = new Map(named.map((each) => [each.from, each]));
  const mounts = new Map<RawPath, Set<RawPath>>();
  const inside = new Map<RawPath, Set<RawPath>>();
  const put = (sets: Map<RawPath, Set<RawPath>>, outer: NamedPath, path: RawPath): void => {
    const set = sets.get(outer.from);
    if (set === undefined) sets.set(outer.from, new Set([path]));
    else set.add(path);
  };
  const linksOnTheWay = new Set<RawPath>();
  const kept: NamedPath[] = [];
  const refused: { path: RawPath; from: RawPath; reason: string; error?: FileError }[] = [];
  const byName = new Set(options.paths.map(rawPath));
  for (const each of named) {
    const here = found.get(each.from)!;
    if (here instanceof FileError) {
      refused.push({ ...each, reason: here.reason, error: here });
      continue;
    }
    const outer = outermost(each, byPath, found, linksOnTheWay);
    const reason =
      outer && (whyUnread(here, outer, options) ?? whyUnreached(each.from, outer.from, found, ways, options));
    if (outer === undefined) kept.push(each);
    else if (reason !== undefined) refused.push({ ...each, reason });
    else {
      // Lists often name everything there is.
      if (byName.has(each.from))
        tally.note(each.path, `is inside ${displayPath(outer.path)}, and a part of it`);
      put(inside, outer, each.path);
      if (here.type === 'directory') put(mounts, outer, each.path);
    }
  }
  const chosen = kept.filter(({ from }) => !linksOnTheWay.has(from));
  for (const { path, from } of kept) {
    if (linksOnTheWay.has(from))
      tally.note(path, 'is a symlink to the folder of another source, and stored as that folder');
  }
  refuseCollisions(chosen);
  return {
    chosen: chosen.map((each) => ({
      ...each,
      found: found.get(each.from) as FoundPath,
      mounts: mounts.get(each.from) ?? NONE,
      inside: inside.get(each.from) ?? NONE,
    })),
    refused,
  };
}

/** The outermost named folder in which a path is stored; notes the named symlinks that lead to it. */
function outermost(
  inner: NamedPath,
  byPath: ReadonlyMap<RawPath, NamedPath>,
  found: FoundPaths,
  linksOnTheWay: Set<RawPath>,
): NamedPath | undefined {
  let outer: NamedPath | undefined;
  for (let above = inner.from; above !== '/'; ) {
    above = parentPath(above);
    const other = byPath.get(above);
    const there = found.get(above);
    if (other === undefined || there === undefined || there instanceof FileError) continue;
    const isStoredBelow =
      isBelow(inner.path, other.path) && restOf(inner.path, other.path) === restOf(inner.from, other.from);
    if (!isStoredBelow) continue;
    if (there.type === 'symlink') linksOnTheWay.add(above);
    if (there.type === 'directory') outer = other;
  }
  return outer;
}

/** A walk stores devices as such. */
function whyUnread({ type }: FoundPath, outer: NamedPath, { readDevices }: TakeOptions): string | undefined {
  if (readDevices !== true || type !== 'block device') return undefined;
  return `its content cannot be stored as a part of ${displayPath(outer.path)}, which is named too: store it in a snapshot of its own`;
}

/** Why a walk through `outer` does not come by `path`; undefined if it does. */
function whyUnreached(
  path: RawPath,
  outer: RawPath,
  found: FoundPaths,
  ways: Ways,
  { oneFileSystem, followLinks = 0 }: TakeOptions,
): string | undefined {
  try {
    const real = ways.real(path);
    const start = ways.folder(outer);
    const isPlain = real === `${start.real === '/' ? '' : start.real}${restOf(path, outer)}`;
    if (!isPlain && followLinks !== Number.POSITIVE_INFINITY) {
      return `it lies behind a symlink inside ${displayPath(outer)}: name ${displayPath(real)} instead`;
    }
    if (!oneFileSystem) return undefined;
    let device = (found.get(path) as FoundPath).device;
    for (let below = path; below !== outer; below = parentPath(below)) {
      const above = ways.folder(parentPath(below)).stats.device(0);
      if (device !== above && !found.has(below)) {
        return `it is on another file system than ${displayPath(outer)}: with --one-file-system, name the mount point ${displayPath(below)} too`;
      }
      device = above;
    }
    return undefined;
  } catch (error) {
    if (error instanceof FileError) return error.reason;
    throw error;
  }
}

/** One tree cannot hold two sources at one place, nor one inside another. */
function refuseCollisions(chosen: readonly NamedPath[]): void {
  const stored = new Map<RawPath, NamedPath>();
  for (const each of chosen) {
    const other = stored.get(each.path);
    if (other !== undefined) throw collision(each, other);
    stored.set(each.path, each);
  }
  for (const each of chosen) {
    for (let above = each.path; above !== '/'; ) {
      above = parentPath(above);
      const other = stored.get(above);
      if (other !== undefined) throw collision(each, other);
    }
  }
}

function collision(a: NamedPath, b: NamedPath): CbrError {
  const text = `${displayPath(a.from)} would be stored as ${displayPath(a.path)}, and ${displayPath(b.from)} as ${displayPath(b.path)}`;
  return new CbrError('usage', text, { hint: 'Store them under names of which none lies inside the other.' });
}
