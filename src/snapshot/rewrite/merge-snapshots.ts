import { CbrError, type SessionId } from '../../core/index.js';
import { parentPath, type RawPath } from '../../fs/index.js';
import { chunkReader, loadRepository, type Repository } from '../../repo/index.js';
import type { ReadTreeChunk, StoreTreeChunk } from '../content-list.js';
import type { Listener } from '../events.js';
import {
  isPartial,
  listedIn,
  MOST_REWRITTEN,
  withListedIn,
  withoutPartial,
  withPartial,
} from '../snapshot-extensions.js';
import type { AboutSnapshot, Snapshot } from '../snapshot-record.js';
import { dryTrees } from '../take/dry-run.js';
import { commitRoot } from './commit-root.js';
import { NOTHING } from './entry-counts.js';
import type { NewWords, RewriteOptions, Rewritten } from './rewrite-options.js';
import { madeBefore, recordOf, refuseForgotten, unreadable, withWords } from './rewritten-record.js';
import { newestFirst, newestOf, takeOver, unitedTags } from './take-over.js';
import { type Difference, LinkGroups, type Union, uniteTrees } from './unite-trees.js';

export interface MergeRequest {
  /** Whose entry is taken where a path is not the same: that of the newest snapshot, of the first named, or modified last. */
  readonly prefer: 'newest' | 'first' | 'modified';
  readonly words: NewWords;
}

export interface Merged extends Rewritten {
  /** Paths of which one was taken, and those among them that are a folder in some snapshots and not in others. */
  readonly different: number;
  readonly conflicts: number;
  /** It may lack some of what its sources held. */
  readonly isPartial: boolean;
}

/**
 * Makes one snapshot of several, whose tree is their union: folders are united, of all else that differs one is taken. What it
 * says of itself is said by the newest of them; sources, tags and errors are those of all. The old ones stay until they are
 * forgotten; where that is asked for, only after the new one is committed. Nothing is made when one of them holds all there is,
 * and no second one when it is done again.
 * Rejects with `usage` for fewer than two, and where whole ones would be forgotten for a partial one, with `limit` for too many, with `not-found` when one was forgotten meanwhile, with
 * `damaged` when one cannot be read, and with the signal's reason; nothing is changed then, unless the new snapshot was committed
 * before: then it is found by the next call.
 */
export function mergeSnapshots(
  repository: Repository,
  snapshots: readonly Snapshot[],
  request: MergeRequest,
  options: RewriteOptions,
  listener: Listener,
): Promise<Merged> {
  refuseCount(snapshots.length);
  if (options.forget) refuseLoss(snapshots);
  return new Merge(repository, snapshots, request, options, listener).run();
}

class Merge {
  private readonly started = performance.now();
  /** Those first whose entries are taken. */
  private readonly ordered: readonly Snapshot[];
  private readonly about: AboutSnapshot;

  constructor(
    private readonly repository: Repository,
    private readonly from: readonly Snapshot[],
    private readonly request: MergeRequest,
    private readonly options: RewriteOptions,
    private readonly listener: Listener,
  ) {
    this.ordered = request.prefer === 'first' ? from : newestFirst(from);
    this.about = withWords(unitedRecord(from), request.words);
  }

  async run(): Promise<Merged> {
    const { about, from, options, repository } = this;
    const { union, links, ...told } = await this.plan();
    const root = union.tree;
    const rest = {
      isPartial: isPartial(about),
      forgotten: [],
      left: union.counts,
      leftOut: NOTHING,
      storedAgain: 0,
      ...told,
    };
    const result = { from, ...rest };
    const whole = this.holdingAll(root);
    if (whole !== undefined) return { ...result, state: 'unchanged', snapshot: whole };
    if (options.dryRun) return { ...result, state: 'new', snapshot: undefined };
    const there = await madeBefore(repository, idsOf(from), root, about);
    const isNew = there === undefined;
    const made = there === undefined ? await this.commit(links) : { snapshot: there, storedAgain: 0 };
    const taken = await takeOver(repository, from, made.snapshot, isNew, options);
    return { ...result, ...made, ...taken, state: isNew ? 'new' : 'there' };
  }

  /** What it would become: nothing is stored. Groups of hard links that stand for several files are known afterwards. */
  private async plan() {
    const { keys } = this.repository;
    const reader = chunkReader(this.repository, await loadRepository(this.repository));
    const read: ReadTreeChunk = ({ id, length }) => {
      this.options.signal.throwIfAborted();
      return reader.read('tree', id, length);
    };
    const put = dryTrees(keys.chunkIds('tree'));
    let different = 0;
    let conflicts = 0;
    const links = new LinkGroups(keys.linkGroups());
    const union = await this.unite(read, put, links, (difference) => {
      different++;
      if (difference.isConflict) conflicts++;
      this.tell(difference);
    });
    const again = { union: links.isSplit ? await this.unite(read, put, links.settled()) : union };
    return { ...again, links, different, conflicts };
  }

  private unite(
    read: ReadTreeChunk,
    put: StoreTreeChunk,
    links: LinkGroups,
    different: (difference: Difference) => void = () => undefined,
  ): Promise<Union> {
    const roots = this.ordered.map(({ root }) => root);
    const prefer = this.request.prefer === 'modified' ? 'modified' : 'first';
    const paths = new Set(this.about.paths);
    return uniteTrees(roots, { prefer, read, put, paths, different, links });
  }

  private tell({ path, isConflict, taken }: Difference): void {
    if (!isConflict) {
      this.listener({ type: 'item', action: 'differs', path });
      return;
    }
    const id = this.ordered[taken]!.id.slice(0, 8);
    const reason = `is a folder in some of the snapshots and not in others: what ${id} has there is taken`;
    this.listener({ type: 'problem', severity: 'note', subject: path, reason });
  }

  private holdingAll(root: Snapshot['root']): Snapshot | undefined {
    if (Object.keys(this.request.words).length > 0) return undefined;
    const paths = this.about.paths.join('\0');
    return this.from.find((each) => each.root.id === root.id && each.about.paths.join('\0') === paths);
  }

  private commit(links: LinkGroups) {
    const { about, from } = this;
    return commitRoot(this.repository, {
      make: async ({ read, put, isValid }) => {
        refuseForgotten(from, isValid);
        const { tree, counts } = await this.unite(read, put, links.settled());
        const milliseconds = (): number => performance.now() - this.started;
        return {
          root: tree,
          about: (stored) => recordOf(about, idsOf(from), counts, stored, milliseconds()),
        };
      },
      lost: unreadable(from, 'merged'),
      signal: this.options.signal,
    });
  }
}

function idsOf(snapshots: readonly Snapshot[]): readonly SessionId[] {
  return snapshots.map(({ id }) => id);
}

function refuseCount(count: number): void {
  if (count < 2) {
    throw new CbrError('usage', 'a merge takes two snapshots or more, and all that were named are the same', {
      hint: 'See: cbr snapshots',
    });
  }
  if (count > MOST_REWRITTEN)
    throw new CbrError('limit', `${count} snapshots are too many to be merged at once`, {
      hint: `At most ${MOST_REWRITTEN} are possible: merge some, then merge what they became.`,
    });
}

/** What the newest says, with the sources, tags and errors of all. */
function unitedRecord(snapshots: readonly Snapshot[]): AboutSnapshot {
  const { about } = newestOf(snapshots);
  const errors = new Map(
    snapshots.flatMap((each) => each.about.errors.map((error) => [`${error.path}\0${error.reason}`, error])),
  );
  const all = [...errors.values()];
  const more = snapshots.reduce((sum, each) => sum + (each.about.moreErrors ?? 0), 0);
  const moreErrors = more + Math.max(0, all.length - MOST_ERRORS);
  const { moreErrors: _, ...rest } = about;
  const united: AboutSnapshot = {
    ...rest,
    paths: outermost(snapshots.flatMap((each) => each.about.paths)),
    tags: unitedTags(snapshots),
    errors: all.slice(0, MOST_ERRORS),
    ...(moreErrors === 0 ? {} : { moreErrors }),
  };
  const listed = withListedIn(
    united,
    snapshots.flatMap((each) => listedIn(each.about)),
  );
  return isUnionPartial(snapshots) ? withPartial(listed) : withoutPartial(listed);
}

/**
 * What a partial one did not reach, a whole one has, if it is of the same sources and not older: the union bears the time of the newest
 * one, and nobody has what came between an older whole one and that.
 */
function isUnionPartial(snapshots: readonly Snapshot[]): boolean {
  if (isPartial(newestOf(snapshots).about)) return true;
  const abouts = snapshots.map(({ about }) => about);
  const whole = abouts.filter((each) => !isPartial(each));
  const had = outermost(whole.flatMap((each) => wholeSources(each)));
  const reached = abouts.filter((each) => isPartial(each)).flatMap(({ paths }) => paths);
  return outermost([...had, ...reached]).some((path) => !had.includes(path));
}

/** A folder that stands for a list is none. */
function wholeSources(about: AboutSnapshot): readonly string[] {
  const lists = new Set(listedIn(about));
  return about.paths.filter((path) => !lists.has(path));
}

function refuseLoss(snapshots: readonly Snapshot[]): void {
  const whole = snapshots.find(({ about }) => !isPartial(about));
  if (whole === undefined || !isUnionPartial(snapshots)) return;
  const text = `what they become would be partial, and ${whole.id.slice(0, 8)} is whole: it is not forgotten for that`;
  throw new CbrError('usage', text, {
    hint: 'No policy counts a partial snapshot. Merge them without --forget, then forget the partial ones.',
  });
}

/** As many as a snapshot that is taken has (take/run.ts). */
const MOST_ERRORS = 5000;

/** Without those that lie inside others. */
function outermost(paths: readonly string[]): readonly string[] {
  const all = new Set(paths);
  const isInside = (path: string): boolean => {
    for (let at = path as RawPath; at !== '/'; ) {
      at = parentPath(at);
      if (all.has(at)) return true;
    }
    return false;
  };
  return [...all].filter((path) => !isInside(path)).sort();
}
