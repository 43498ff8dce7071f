import { CbrError, messageOf } from '../../core/index.js';
import {
  baseName,
  compileRules,
  displayPath,
  FileError,
  fileSystemOf,
  followLink,
  joinRaw,
  listFolder,
  parentPath,
  type RawPath,
  rawPath,
  StatTable,
  statPath,
} from '../../fs/index.js';
import { type ChosenPath, choosePaths } from './chosen-paths.js';
import type { SourceRoot } from './folder-taker.js';
import { type FoundPath, findPaths } from './found-paths.js';
import { LinkFollower } from './link-follower.js';
import type { ListedFolder } from './listed-folder.js';
import { refuseVanishedMount } from './mount-memory.js';
import { type NamedPath, namedPaths, recordedPaths } from './named-paths.js';
import { type OwnFolders, OwnPlaces } from './own-folders.js';
import { changeRules, type SourceState, type StateContext, sourceState, stateKey } from './source-state.js';
import type { TakeOptions } from './take-options.js';
import type { Tally } from './tally.js';
import { type SeenFolder, Ways } from './ways.js';

/** A folder to be taken in. */
export interface FolderSource {
  readonly kind: 'folder';
  readonly root: SourceRoot;
  readonly state: SourceState;
  /** As it was before it was walked. */
  readonly folder: SeenFolder;
  /** The folders that the path leads through in the snapshot. */
  readonly above: readonly SeenFolder[];
}

/** What is named in one folder that is no folder itself. */
export interface ListedSource {
  readonly kind: 'listed';
  readonly listed: ListedFolder;
  readonly state: SourceState;
  /** As for a folder; the last is the one that is listed, if it is not the root. */
  readonly above: readonly SeenFolder[];
}

export type Source = FolderSource | ListedSource;

export interface ResolvedSources {
  readonly sources: readonly Source[];
  /** What the snapshot records as its paths. */
  readonly paths: readonly RawPath[];
  /** Those of them that stand for a long list. */
  readonly listedIn: readonly RawPath[];
  readonly missing: number;
  /** The files that were named, those in folders apart. */
  readonly single: { readonly files: number; readonly bytes: number };
}

export interface SourceContext extends StateContext {
  readonly ownFolders: OwnFolders;
  readonly tally: Tally;
}

/**
 * Looks at each source. Rejects (source) when there is none that can be read, those that are missing are recorded; and
 * (usage) when the names make no sense.
 */
export function resolveSources(options: TakeOptions, context: SourceContext): ResolvedSources {
  const { tally, ownFolders } = context;
  const ways = new Ways();
  const places = new OwnPlaces(ownFolders);
  const named = namedPaths(options);
  const follower = new LinkFollower(options.followLinks ?? 0, places, tally);
  const found = findPaths(
    named.map(({ from }) => from),
    (link) =>
      followSource(link, ways, follower) ?? (options.readDevices ? deviceBehind(link, ways) : undefined),
  );
  const choice = choosePaths(named, found, ways, options, tally);
  const resolver = new Resolver(options, context, ways, places);
  const sources: Source[] = [];
  let problem: string | undefined;
  let missing = 0;
  const fail = (path: RawPath, reason: string, text: string): void => {
    missing++;
    problem ??= text;
    tally.error(path, reason);
  };
  /** What throws for some paths is an error of each of them. */
  const orFail = (paths: readonly NamedPath[], action: () => void): void => {
    try {
      action();
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      for (const { path } of paths) fail(path, error.reason, messageOf(error));
    }
  };
  for (const { path, from, reason, error } of choice.refused) {
    fail(path, reason, error === undefined ? `${displayPath(from)}: ${reason}` : messageOf(error));
  }
  for (const chosen of choice.chosen) orFail([chosen], () => resolver.add(chosen));
  // There may be more than a call takes arguments.
  for (const folder of resolver.folders) sources.push(folder);
  for (const list of resolver.lists) orFail(list, () => sources.push(resolver.listed(list)));
  if (sources.length === 0) {
    throw new CbrError('source', `none of the sources can be read: ${problem}`, {
      hint: 'Check the paths and their mounts. No snapshot was made.',
    });
  }
  const recorded = recordedPaths([...choice.chosen, ...choice.refused], options);
  return { sources, ...recorded, missing, single: resolver.single };
}

/** What a symlink that is named stands for; undefined for itself. */
function followSource(link: RawPath, ways: Ways, follower: LinkFollower): FoundPath | undefined {
  const followed = follower.follow(link, ways.real(link), 0, undefined);
  if (followed === undefined) return undefined;
  const { stats, real, links } = followed;
  return { type: stats.type(0), device: stats.device(0), size: stats.size(0), followed: { real, links } };
}

/** The block device that a named symlink leads to, as those of logical volumes do. */
function deviceBehind(link: RawPath, ways: Ways): FoundPath | undefined {
  const stats = new StatTable(1);
  try {
    const followed = followLink(ways.real(link), Number.POSITIVE_INFINITY, stats);
    if (followed === undefined || stats.type(0) !== 'block device') return undefined;
    return { type: stats.type(0), device: stats.device(0), size: 0, followed };
  } catch (error) {
    if (error instanceof FileError) return undefined; // then it is a link as any other
    throw error;
  }
}

/** Gathers sources: each folder for itself, everything else by the folder it lies in. */
class Resolver {
  readonly single = { files: 0, bytes: 0 };
  readonly folders: FolderSource[] = [];
  private readonly byFolder = new Map<string, ChosenPath[]>();
  private readonly byName: ReadonlySet<RawPath>;

  constructor(
    private readonly options: TakeOptions,
    private readonly its: SourceContext,
    private readonly ways: Ways,
    private readonly places: OwnPlaces,
  ) {
    this.byName = new Set(options.paths.map(rawPath));
  }

  /** Throws FileError (source) for what cannot be taken in. */
  add(chosen: ChosenPath): void {
    const { path, from, found } = chosen;
    const real = found.followed?.real ?? this.ways.real(from);
    const reason = this.places.refusal(found.type === 'directory' || real === '/' ? real : parentPath(real));
    if (reason !== undefined) throw new FileError('source', 'take in', from, reason);
    if (found.type === 'directory') {
      this.folders.push(this.folder(chosen, real));
      return;
    }
    if (path === '/') {
      throw new CbrError('usage', `only a folder can be stored as /, and ${displayPath(from)} is none`);
    }
    if (found.type === 'symlink' && this.byName.has(from)) {
      const text = 'is a symlink: the link itself is stored; name what it points to if that is meant';
      this.its.tally.note(path, text, 'metadata');
    }
    if (found.type === 'file') {
      this.single.files++;
      this.single.bytes += found.size;
    }
    const renamed = baseName(path) === baseName(from) ? '' : baseName(path);
    const key = [parentPath(path), parentPath(from), renamed].join('\0');
    const others = this.byFolder.get(key);
    if (others === undefined) this.byFolder.set(key, [chosen]);
    else others.push(chosen);
  }

  private folder({ path, from, found, mounts, inside }: ChosenPath, real: RawPath): FolderSource {
    const { options, its } = this;
    const stats = new StatTable(1);
    statPath(real, stats);
    const fileSystem = fileSystemOf(real);
    // A folder that cannot be listed is an error here, before anything is made of it.
    const isEmpty = listFolder(real, undefined, 'none').names.length === 0;
    refuseVanishedMount(path, fileSystem.id, isEmpty, its.cache);
    if (options.rules.nodump !== undefined && stats.isNodump(0) === undefined) {
      const text = 'is on a file system that tells no flags: --exclude-nodump leaves nothing out there';
      its.tally.note(path, text);
    }
    const state = sourceState(stateKey('folder', { path, from }, fileSystem, options), options, its);
    const root: SourceRoot = {
      ...{ path, real, state: state.before, trusted: state.trusted, mounts, inside },
      rules: changeRules(options, fileSystem),
      device: options.oneFileSystem ? stats.device(0) : undefined,
      filter: compileRules(options.rules, path),
      followLinks: options.followLinks ?? 0,
      links: found.followed?.links ?? 0,
      isSnapshot: path !== from,
    };
    return { kind: 'folder', root, state, folder: { real, stats }, above: this.above({ path, from }) };
  }

  /** What was added and is no folder, by the folder it lies in. */
  get lists(): Iterable<readonly ChosenPath[]> {
    return this.byFolder.values();
  }

  /** The source that some of `lists` are. Throws FileError (source) where the folder cannot be looked at. */
  listed(chosen: readonly ChosenPath[]): ListedSource {
    const { options, its, ways } = this;
    const first = chosen[0]!;
    const folder = { path: parentPath(first.path), from: parentPath(first.from) };
    const { real } = ways.folder(folder.from);
    const fileSystem = fileSystemOf(real);
    const names = chosen.map(({ path, from, found }) => {
      const isElsewhere = found.followed !== undefined || baseName(path) !== baseName(from);
      const elsewhere = found.followed?.real ?? joinRaw(real, baseName(from));
      const isDevice = options.readDevices === true && found.type === 'block device';
      return { name: baseName(path), isDevice, ...(isElsewhere ? { real: elsewhere } : {}) };
    });
    const state = sourceState(stateKey('listed', folder, fileSystem, options), options, its);
    const rules = changeRules(options, fileSystem);
    const isSnapshot = first.path !== first.from;
    const listed = { path: folder.path, real, names, state, rules, isSnapshot };
    return { kind: 'listed', listed, state, above: this.above(first) };
  }

  /**
   * The folders above a path as it is stored, from the outermost on. Under another name they are those above where it is
   * read, the nearest first.
   */
  private above({ path, from }: NamedPath): SeenFolder[] {
    const depth = path.split('/').length - (path === '/' ? 1 : 2);
    const read = [this.ways.folder('/' as RawPath), ...this.ways.above(from)];
    return Array.from({ length: Math.max(0, depth) }, (_, i) => read[Math.max(0, read.length - depth + i)]!);
  }
}
