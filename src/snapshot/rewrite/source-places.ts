import {
  baseName,
  compileRules,
  type EntryFilter,
  type FilterRule,
  type FilterRules,
  NO_RULES,
  type PatternRule,
  parentPath,
  type RawPath,
} from '../../fs/index.js';
import type { ChunkReference, Entry } from '../entry.js';
import { excludedEntry } from '../excluded-entry.js';
import { NOT_INCLUDED } from '../take/source-filter.js';

/** Where an entry lies among the sources of its snapshot, and whether rules leave it out. */

export interface Place {
  /** The source that it is or lies below; undefined for what is only on the way to one. */
  readonly source: RawPath | undefined;
  /** What lies in it is wanted; else only what rules choose. */
  readonly isChosen: boolean;
}

/** Above all sources, unless '/' is one. */
export function topPlace(paths: ReadonlySet<string>, isChosen = true): Place {
  return { source: paths.has('/') ? ('/' as RawPath) : undefined, isChosen };
}

/** Not to be in the snapshot any more. */
export interface LeftOut {
  readonly rule: FilterRule;
}

export function isLeftOut(verdict: Place | LeftOut): verdict is LeftOut {
  return 'rule' in verdict;
}

const NOT_CHOSEN: LeftOut = { rule: NOT_INCLUDED };

/** What rules look at. */
export type Looked = Pick<Entry, 'tree' | 'size' | 'flags' | 'xattrs'>;

export interface PlaceRules {
  readonly top: Place;
  /** The place of an entry of a folder. */
  of(folder: Place, path: RawPath, entry: Looked): Place | LeftOut;
}

/**
 * Rules mean what they mean for `cbr snapshot`, where patterns are relative to each source or absolute. Here sources too are
 * left out, or not chosen: all that lies at or below what an absolute pattern or a regular expression matches, and one that is
 * no folder also for its size and attributes, and by a pattern without a '/' for its name. Undefined when there are no rules.
 */
export function placeRules(paths: ReadonlySet<string>, rules: FilterRules): PlaceRules | undefined {
  const root = '/' as RawPath;
  if (compileRules(rules, root) === undefined) return undefined;
  const filters = new Map<RawPath, EntryFilter | undefined>();
  const filterOf = (source: RawPath): EntryFilter | undefined => {
    if (!filters.has(source)) filters.set(source, compileRules(rules, source));
    return filters.get(source);
  };
  const { exclude, include, excludeRegex } = rules;
  const some = (test: (rule: PatternRule) => boolean, others: FilterRules) =>
    compileRules({ ...others, exclude: exclude.filter(test), include: include.filter(test) }, root);
  const above = some(({ text }) => /^!?\//.test(text), { ...NO_RULES, excludeRegex });
  const ofNames = some(({ text }) => !/\/./.test(text), { ...rules, excludeRegex: [] });

  const below = (folder: Place, source: RawPath, path: RawPath, entry: Looked) => {
    const filter = filterOf(source);
    const relative = path.slice(source === '/' ? 1 : source.length + 1);
    if (filter === undefined) return folder;
    const rule = excludedEntry(filter, relative, entry);
    if (rule !== undefined) return { rule };
    const isFolder = entry.tree !== undefined;
    const isChosen = folder.isChosen || filter.chooses(relative, isFolder);
    return isChosen || isFolder ? { source, isChosen } : NOT_CHOSEN;
  };

  return {
    top: topPlace(paths, include.length === 0),
    of(folder, path, entry) {
      if (folder.source !== undefined) return below(folder, folder.source, path, entry);
      const isFolder = entry.tree !== undefined;
      const inRoot = path.slice(1);
      const rule = above?.excludedByPath(inRoot, isFolder);
      if (rule !== undefined) return { rule };
      let isChosen = folder.isChosen || isChosenBy(above, inRoot, isFolder);
      const source = paths.has(path) ? path : undefined;
      if (source === undefined || isFolder) return { source, isChosen };
      const name = baseName(path);
      const ofName = ofNames && excludedEntry(ofNames, name, entry);
      if (ofName !== undefined) return { rule: ofName };
      isChosen ||= isChosenBy(ofNames, name, isFolder);
      return isChosen ? { source, isChosen } : NOT_CHOSEN;
    },
  };
}

/** A filter without patterns that choose would choose everything. */
function isChosenBy(filter: EntryFilter | undefined, path: string, isFolder: boolean): boolean {
  return filter !== undefined && filter.rules.include.length > 0 && filter.chooses(path, isFolder);
}

const SOME_FILE: Looked = {};
const SOME_FOLDER: Looked = { tree: { id: '' as ChunkReference['id'], length: 0 } };

/** Whether a path that need not be in any tree would be left out. */
export function leavesOut(rules: PlaceRules, path: RawPath): boolean {
  const way: RawPath[] = [];
  for (let at = path; at !== '/'; at = parentPath(at)) way.unshift(at);
  let place = rules.top;
  for (const each of way) {
    const verdict = rules.of(place, each, each === path ? SOME_FILE : SOME_FOLDER);
    if (isLeftOut(verdict)) return true;
    place = verdict;
  }
  return false;
}
