import { CbrError } from '../../core/index.js';
import { displayPath, joinRaw, parentPath, type RawPath, rawPath } from '../../fs/index.js';
import type { StoredUnder, TakeOptions } from './take-options.js';

/** A path to be taken in, and the path it has in the snapshot. */
export interface NamedPath {
  readonly path: RawPath;
  /** Where it is read. */
  readonly from: RawPath;
}

/** Whether a path lies below a folder, by their names alone. */
export function isBelow(path: RawPath, folder: RawPath): boolean {
  return path !== folder && (folder === '/' || path.startsWith(`${folder}/`));
}

/** What leads from a folder to a path in it, with the '/' in front; '' for the folder itself. */
export function restOf(path: RawPath, folder: RawPath): string {
  return folder === '/' ? (path === '/' ? '' : path) : path.slice(folder.length);
}

/**
 * What the user named, each path once, sorted by where it is read. Rejects (usage) when nothing is named, and a name to be
 * stored under that concerns none of it.
 */
export function namedPaths(options: TakeOptions): NamedPath[] {
  const all = [...new Set([...options.paths.map(rawPath), ...(options.listed ?? [])])].sort();
  if (all.length === 0) {
    throw new CbrError('usage', 'there is nothing to take in: no path is named', {
      hint: 'Name files and folders, or a list that is not empty.',
    });
  }
  const rules = [...(options.storedUnder ?? [])].sort((a, b) => b.from.length - a.from.length);
  const idle = rules.find(({ from }) => !all.some((path) => path === from || isBelow(path, from)));
  if (idle !== undefined) {
    throw new CbrError('usage', `nothing that is taken in lies at or below ${displayPath(idle.from)}`, {
      hint: 'What is stored under another name is named by the path at which it is read.',
    });
  }
  return all.map((from) => ({ path: storedPath(from, rules), from }));
}

/** `rules` with the longest path first: the nearest one counts. */
function storedPath(from: RawPath, rules: readonly StoredUnder[]): RawPath {
  const rule = rules.find((each) => each.from === from || isBelow(from, each.from));
  if (rule === undefined) return from;
  const rest = restOf(from, rule.from);
  return rest === '' ? rule.path : joinRaw(rule.path, rest.slice(1));
}

/** So many paths of lists are recorded one by one; of more, the folder that holds them all. */
const MOST_RECORDED = 100;

/** What a snapshot records as its sources. */
export interface RecordedPaths {
  readonly paths: readonly RawPath[];
  /** Those of them that stand for a long list, and were not named themselves. */
  readonly listedIn: readonly RawPath[];
}

/**
 * The paths a snapshot records as its sources: what was named, but of a long list only the deepest folder above it, so that
 * records stay small and snapshots of a list that changes stay comparable.
 */
export function recordedPaths(chosen: readonly NamedPath[], options: TakeOptions): RecordedPaths {
  const named = new Set(options.paths.map(rawPath));
  const listed = chosen.filter(({ from }) => !named.has(from)).map(({ path }) => path);
  if (listed.length <= MOST_RECORDED) return { paths: chosen.map(({ path }) => path).sort(), listedIn: [] };
  const others = new Set(chosen.filter(({ from }) => named.has(from)).map(({ path }) => path));
  const folder = commonFolder(listed);
  return { paths: [...others.add(folder)].sort(), listedIn: [folder] };
}

function commonFolder(paths: readonly RawPath[]): RawPath {
  let folder = paths[0]!;
  for (const path of paths) while (path !== folder && !isBelow(path, folder)) folder = parentPath(folder);
  return folder;
}
