import { CbrError, PROGRAM, type SessionId } from '../../core/index.js';
import { Owners } from '../../fs/index.js';
import {
  fixedChunkReader,
  knownChunks,
  type LoadedRepository,
  type Repository,
  validSnapshots,
} from '../../repo/index.js';
import type { Listener } from '../events.js';
import { isPartial, withListedIn, withPartial } from '../snapshot-extensions.js';
import { type AboutSnapshot, type Level, snapshotOf } from '../snapshot-record.js';
import { EarlyEnd } from './early-end.js';
import type { FolderTakerParts } from './folder-taker.js';
import { LinkedFiles } from './linked-files.js';
import { findOwnFolders } from './own-folders.js';
import { type ResolvedSources, resolveSources } from './sources.js';
import type { TakeOptions } from './take-options.js';
import { Tally } from './tally.js';

/** Everything one run works with. */
export interface Run {
  readonly repository: Repository;
  readonly options: TakeOptions;
  readonly loaded: LoadedRepository;
  readonly tally: Tally;
  readonly early: EarlyEnd;
  readonly resolved: ResolvedSources;
  readonly level: Level;
  readonly parent: SessionId | undefined;
  readonly parts: Omit<FolderTakerParts, 'addFile' | 'addFileAgain' | 'storeTreeChunk' | 'check'>;
}

/** Looks at the sources and gathers what the run needs. Rejects (source) when none can be read. */
export function prepareRun(
  repository: Repository,
  options: TakeOptions,
  listener: Listener,
  loaded: LoadedRepository,
): Run {
  const { cache, keys, algorithms } = repository;
  const valid = validSnapshots(loaded.view);
  const tally = new Tally(listener, options.items, () => performance.now());
  const ownFolders = findOwnFolders(options.ownFolders, repository.backend.folder);
  const isValid = (sid: SessionId): boolean => loaded.sync.isSound && valid.has(sid);
  const { stream } = options;
  const resolved =
    stream === undefined
      ? resolveSources(options, { cache, ownFolders, isValid, tally })
      : { sources: [], paths: [stream.path], listedIn: [], missing: 0, single: { files: 0, bytes: 0 } };
  const parent = resolved.sources.find(({ state }) => state.parent !== undefined)?.state.parent;
  const before = aboutOf(parent, loaded);
  const isWhole = before !== undefined && !isPartial(before);
  // What goes on from a partial snapshot has read everything together with it.
  const level =
    options.level ?? (parent === undefined || (before !== undefined && !isWhole) ? 'full' : 'incr');
  // What the last snapshot held is the best guess of what this one will.
  if (isWhole) tally.expect({ files: before.statistics.files, bytes: before.statistics.sourceBytes });
  const early = new EarlyEnd(
    options.signal,
    options.partial === true && stream === undefined && !options.dryRun,
  );
  // It relies on what it read when it registered, and on nothing later (W2).
  const reader = fixedChunkReader(repository);
  return {
    repository,
    options,
    loaded,
    tally,
    early,
    resolved,
    level,
    parent,
    parts: {
      owners: new Owners(),
      problem: ({ path, what, reason }) => tally.note(path, `${what}: ${reason}`, 'metadata'),
      readTreeChunk: (reference) => reader.read('tree', reference.id, reference.length),
      known: knownChunks(cache, loaded.sync.unreliable),
      directoryKeys: algorithms.blake3.create({ context: 'cbr 2026 directory states' }),
      linkGroups: keys.linkGroups(),
      linkedFiles: new LinkedFiles(repository.now() / 1000),
      tally,
      early,
      ownFolders,
      now: repository.now,
    },
  };
}

/** What the last snapshot says of itself. */
function aboutOf(parent: SessionId | undefined, { view }: LoadedRepository): AboutSnapshot | undefined {
  const outcome = parent === undefined ? undefined : view.outcomes.get(parent);
  if (parent === undefined || outcome === undefined || outcome instanceof CbrError) return undefined;
  if (outcome.outcome !== 'commit') return undefined;
  try {
    return snapshotOf(parent, outcome).about;
  } catch {
    return undefined; // check says what is wrong with the record
  }
}

/** A record is bounded; all errors were told as they occurred. */
const MAX_ERRORS = 5000;
const MAX_ERROR_TEXT = 4096;

/** What the snapshot will say of itself. */
export function describe(
  run: Run,
  startedMs: number,
  milliseconds: number,
  storedBytes: number,
): AboutSnapshot {
  const { options, tally, early, level, parent, resolved } = run;
  const { files, folders, others, newFiles, changedFiles, unchangedFiles, sourceBytes, newBytes } = tally;
  const time = options.time ?? {
    seconds: Math.floor(startedMs / 1000),
    nanoseconds: Math.floor((startedMs % 1000) * 1e6),
  };
  const about: AboutSnapshot = {
    seconds: time.seconds,
    nanoseconds: time.nanoseconds,
    zoneOffset: options.zoneOffset,
    host: options.host,
    user: options.user,
    paths: resolved.paths,
    level,
    ...(options.job === undefined ? {} : { job: options.job }),
    tags: [...new Set(options.tags)].sort(),
    ...(options.comment === undefined ? {} : { comment: options.comment }),
    ...(parent === undefined ? {} : { parent: Buffer.from(parent, 'hex') }),
    program: PROGRAM,
    statistics: {
      files,
      folders,
      others,
      newFiles,
      changedFiles,
      unchangedFiles,
      sourceBytes,
      newBytes,
      storedBytes,
      milliseconds: Math.round(milliseconds),
    },
    errors: tally.errors.slice(0, MAX_ERRORS).map(({ path, reason }) => ({
      path: path.slice(0, MAX_ERROR_TEXT),
      reason: reason.slice(0, MAX_ERROR_TEXT),
    })),
    ...(tally.errors.length > MAX_ERRORS ? { moreErrors: tally.errors.length - MAX_ERRORS } : {}),
  };
  const listed = withListedIn(about, resolved.listedIn);
  return early.isPartial ? withPartial(listed) : listed;
}
