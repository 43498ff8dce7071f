import { fromLatin1, toLatin1 } from '../../core/index.js';
import {
  type EntryFilter,
  FileError,
  type FilterRule,
  type FolderListing,
  type FolderPatterns,
  joinRaw,
  type NamedAttribute,
  type RawPath,
  readBeginning,
  readXattrsIn,
  readXattrsOfPath,
  type Xattr,
} from '../../fs/index.js';
import { type FolderPlace, ignoreFilesIn, type Told } from './ignore-files.js';
import { restOf } from './named-paths.js';

/** What holds in one folder. */
export interface FolderRules {
  readonly relative: string;
  /** It is chosen, and so is all that is in it. */
  readonly chosen: boolean;
  /** It is taken only for what is chosen or named below it. */
  readonly isWay: boolean;
  /** The rule that leaves it out; it is taken only for what is named below it, and this leaves out the rest. */
  readonly around: FilterRule | undefined;
  readonly patterns: FolderPatterns | undefined;
  /** The rule by which the content is left out, all but these names. */
  readonly content: { readonly rule: FilterRule; readonly kept: ReadonlySet<string> } | undefined;
  /** By row; undefined where no rule asks for them. */
  readonly xattrs: readonly (readonly NamedAttribute[])[] | undefined;
}

/** The rule of what no `--include` matches. */
export const NOT_INCLUDED: FilterRule = Object.freeze({ text: '', option: '--include' });

/**
 * Decides what of a source is left out, on the walk from its root down. It is asked again on every run, also in folders
 * that did not change, so no state can outlive the rules it was made with.
 */
export class SourceFilter {
  /** The folders on the way to what is named. */
  private readonly ways: ReadonlySet<string>;
  /** Those that a rule leaves out, until they are entered. */
  private readonly around = new Map<string, FilterRule>();

  /** `named`: paths relative to the root that are taken whatever the rules say. */
  constructor(
    private readonly filter: EntryFilter,
    private readonly tell: Told,
    private readonly named: ReadonlySet<string>,
  ) {
    this.ways = foldersAbove(named);
  }

  /** What holds in a folder that is taken; `above` is undefined for the root. */
  enter(place: FolderPlace, listing: FolderListing, above: FolderRules | undefined): FolderRules {
    const { rules } = this.filter;
    const { relative } = place;
    const chosen = this.choosesFolder(above, relative);
    const around = this.around.get(relative);
    this.around.delete(relative);
    return {
      relative,
      chosen,
      isWay: (!chosen || around !== undefined) && !this.named.has(relative),
      around,
      patterns:
        rules.ignoreFiles.length === 0
          ? undefined
          : ignoreFilesIn(rules.ignoreFiles, place, listing, above?.patterns, this.tell),
      content: rules.presence.length === 0 ? undefined : this.presenceIn(place, listing),
      xattrs: rules.xattrs.length === 0 ? undefined : attributesIn(place.real, listing),
    };
  }

  /** The same once links were followed: by row, where what stands in the place of one lies. */
  behindLinks(inside: FolderRules, followed: ReadonlyMap<number, { readonly real: RawPath }>): FolderRules {
    if (inside.xattrs === undefined || followed.size === 0) return inside;
    const xattrs = inside.xattrs.map((own, row) => {
      const target = followed.get(row);
      return target === undefined ? own : named(readXattrsOfPath(target.real, [], 'none'));
    });
    return { ...inside, xattrs };
  }

  /** Whether a folder is taken whole, and not only for what is chosen below it. */
  choosesFolder(above: FolderRules | undefined, relative: string): boolean {
    return above?.chosen === true || this.filter.chooses(relative, true);
  }

  /** The rule that leaves out an entry of a folder. One that does not leads no further than what is chosen below it. */
  excluded(inside: FolderRules, listing: FolderListing, row: number): FilterRule | undefined {
    const name = listing.names[row]!;
    const path = pathIn(inside, name);
    if (this.named.has(path)) return undefined;
    const rule = this.excludedByRules(inside, listing, row, path);
    if (rule === undefined || !this.ways.has(path) || listing.stats.type(row) !== 'directory') return rule;
    this.around.set(path, rule);
    return undefined;
  }

  private excludedByRules(
    inside: FolderRules,
    { names, stats }: FolderListing,
    row: number,
    path: string,
  ): FilterRule | undefined {
    const { filter } = this;
    const type = stats.type(row);
    const isFolder = type === 'directory';
    const byPath = this.excludedByName(inside, names[row]!, isFolder);
    if (byPath !== undefined) return byPath;
    const bySize = type === 'file' ? filter.excludedBySize(stats.size(row)) : undefined;
    if (bySize !== undefined) return bySize;
    if (filter.rules.nodump !== undefined && stats.isNodump(row) === true) return filter.rules.nodump;
    const attributes = inside.xattrs?.[row];
    const byXattrs =
      attributes === undefined || attributes.length === 0 ? undefined : filter.excludedByXattrs(attributes);
    if (byXattrs !== undefined) return byXattrs;
    if (inside.chosen || filter.chooses(path, isFolder)) return undefined;
    return isFolder && filter.leadsToChosen(path) ? undefined : NOT_INCLUDED;
  }

  /** The same for one of which nothing but its name is known. */
  excludedName(inside: FolderRules, name: string, isFolder: boolean): FilterRule | undefined {
    const path = pathIn(inside, name);
    return this.named.has(path) || this.ways.has(path)
      ? undefined
      : this.excludedByName(inside, name, isFolder);
  }

  private excludedByName(inside: FolderRules, name: string, isFolder: boolean): FilterRule | undefined {
    if (inside.around !== undefined) return inside.around;
    if (inside.content !== undefined && !inside.content.kept.has(name)) return inside.content.rule;
    return this.filter.excludedByPath(pathIn(inside, name), isFolder, inside.patterns);
  }

  private presenceIn({ path, real }: FolderPlace, { names, stats }: FolderListing): FolderRules['content'] {
    const kept = new Set<string>();
    let rule: FilterRule | undefined;
    for (const presence of this.filter.rules.presence) {
      const { name, header } = presence;
      const row = names.indexOf(name);
      if (row === -1) continue;
      if (header !== '') {
        if (stats.type(row) !== 'file' || !this.begins(joinRaw(real, name), header, joinRaw(path, name)))
          continue;
      }
      rule ??= { ...presence, text: '', file: joinRaw(path, name) };
      kept.add(name);
    }
    return rule === undefined ? undefined : { rule, kept };
  }

  private begins(real: RawPath, header: string, path: RawPath): boolean {
    try {
      return readBeginning(real, header.length, 'none').equals(fromLatin1(header));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      if (error.errno !== 'ENOENT') {
        this.tell.error(
          path,
          `cannot be read, so the content of its folder is not left out: ${error.reason}`,
        );
      }
      return false;
    }
  }
}

function attributesIn(real: RawPath, { names }: FolderListing): readonly (readonly NamedAttribute[])[] {
  return readXattrsIn(real, names).map(named);
}

function named(xattrs: readonly Xattr[]): readonly NamedAttribute[] {
  return xattrs.map(({ name, value }) => ({ name, value: toLatin1(value) }));
}

function pathIn({ relative }: FolderRules, name: string): string {
  return relative === '' ? name : `${relative}/${name}`;
}

function foldersAbove(paths: Iterable<string>): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const folder = path.slice(0, end);
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  }
  return folders;
}

/** What is named below a root, relative to it. */
export function namesBelow({
  path,
  inside,
}: {
  readonly path: RawPath;
  readonly inside: ReadonlySet<RawPath>;
}): ReadonlySet<string> {
  return new Set([...inside].map((each) => restOf(each, path).slice(1)));
}
