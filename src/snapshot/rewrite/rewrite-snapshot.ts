import { CbrError } from '../../core/index.js';
import type { FilterRule, RawPath } from '../../fs/index.js';
import { chunkReader, loadRepository, type Repository } from '../../repo/index.js';
import type { ReadTreeChunk, StoreTreeChunk } from '../content-list.js';
import type { ChunkReference } from '../entry.js';
import type { Listener } from '../events.js';
import { listedIn, withListedIn } from '../snapshot-extensions.js';
import type { AboutSnapshot, Snapshot } from '../snapshot-record.js';
import { dryTrees } from '../take/dry-run.js';
import { commitRoot } from './commit-root.js';
import { addCounts, type EntryCounts, NOTHING } from './entry-counts.js';
import { leaveOut } from './leave-out.js';
import { isAtOrBelow, movedPath, movedSources, moveSources } from './move-sources.js';
import type { RewriteChange, RewriteOptions, Rewritten } from './rewrite-options.js';
import {
  madeBefore,
  recordOf,
  refuseForgotten,
  saysTheSame,
  unreadable,
  withWords,
} from './rewritten-record.js';
import { leavesOut, type PlaceRules, placeRules } from './source-places.js';
import { takeOver } from './take-over.js';

/** What snapshots become, each by a call of its own; the listener is told what is left out, as items. */
export type Rewriter = (snapshot: Snapshot, listener: Listener) => Promise<Rewritten>;

/**
 * Rewrites snapshots: what is left out, said anew or moved makes a new one of each, and the old one stays until it is forgotten;
 * where that is asked for, only after the new one is committed. Only folders in which something changes are encoded anew. A
 * change that changes nothing makes no snapshot, and done again it makes no second one.
 * A call rejects with `usage` when nothing would be left or sources would be mixed, with `not-found` when the snapshot was
 * forgotten meanwhile, with `damaged` when it cannot be read, and with the signal's reason; nothing is changed then, unless the
 * new snapshot was committed before: then it is found by the next call.
 */
export function rewriter(repository: Repository, change: RewriteChange, options: RewriteOptions): Rewriter {
  const unchanged = new Map<string, EntryCounts>();
  return (snapshot, listener) =>
    new Rewrite(repository, change, options, unchanged, snapshot, listener).run();
}

/** What a tree becomes. */
interface Planned {
  readonly root: ChunkReference;
  readonly about: AboutSnapshot;
  readonly left: EntryCounts;
  readonly leftOut: EntryCounts;
}

type TellLeftOut = (path: string, counts: EntryCounts, rule: FilterRule) => void;

class Rewrite {
  private readonly started = performance.now();
  private readonly rules: PlaceRules | undefined;

  constructor(
    private readonly repository: Repository,
    private readonly change: RewriteChange,
    private readonly options: RewriteOptions,
    private readonly unchanged: Map<string, EntryCounts>,
    private readonly old: Snapshot,
    private readonly listener: Listener,
  ) {
    this.rules = placeRules(new Set(old.about.paths), change.rules);
  }

  async run(): Promise<Rewritten> {
    const { old, options, repository } = this;
    const planned = await this.plan();
    const { root, about, left, leftOut } = planned;
    const result = { from: [old], forgotten: [], left, leftOut, storedAgain: 0 };
    if (root.id === old.root.id && saysTheSame(about, old.about))
      return { ...result, state: 'unchanged', snapshot: undefined };
    if (options.dryRun) return { ...result, state: 'new', snapshot: undefined };
    const there = await madeBefore(repository, [old.id], root, about);
    const made = there === undefined ? await this.commit() : { snapshot: there, storedAgain: 0 };
    const isNew = there === undefined;
    const taken = await takeOver(repository, [old], made.snapshot, isNew, options);
    return { ...result, ...made, ...taken, state: isNew ? 'new' : 'there' };
  }

  /** What it would become: nothing is stored. */
  private async plan(): Promise<Planned> {
    const { signal } = this.options;
    const reader = chunkReader(this.repository, await loadRepository(this.repository));
    const read: ReadTreeChunk = ({ id, length }) => {
      signal.throwIfAborted();
      return reader.read('tree', id, length);
    };
    const put = dryTrees(this.repository.keys.chunkIds('tree'));
    return this.make(read, put, (path, { bytes }, rule) => {
      this.listener({ type: 'item', action: 'excluded', path, bytes, rule });
    });
  }

  private commit() {
    const { old, options, repository } = this;
    return commitRoot(repository, {
      make: async ({ read, put, isValid }) => {
        refuseForgotten([old], isValid);
        const { root, about, left } = await this.make(read, put, () => undefined);
        return {
          root,
          about: (stored) => recordOf(about, [old.id], left, stored, performance.now() - this.started),
        };
      },
      lost: unreadable([old], 'rewritten'),
      signal: options.signal,
    });
  }

  private async make(read: ReadTreeChunk, put: StoreTreeChunk, tell: TellLeftOut): Promise<Planned> {
    const { about } = this.old;
    const { words, moves } = this.change;
    const above = new Kept(read, put);
    const { root, left, leftOut, paths } = await this.leaveOut(above, put, tell);
    const sources = movedSources(paths, moves);
    const time = { seconds: about.seconds, nanoseconds: about.nanoseconds };
    const moved =
      moves.length === 0
        ? root
        : await moveSources(root, paths, moves, { read: above.read, put: above.put, time });
    const errors = about.errors
      .filter(({ path }) => this.rules === undefined || !leavesOut(this.rules, path as RawPath))
      .map(({ path, reason }) => ({ path: movedPath(path, moves), reason }));
    const lists = listedIn(about).map((path) => movedPath(path, moves));
    return {
      root: moved,
      about: withListedIn(withWords({ ...about, paths: sources, errors }, words), lists),
      left,
      leftOut,
    };
  }

  private async leaveOut(above: Kept, put: StoreTreeChunk, tell: TellLeftOut) {
    const { old, rules, unchanged } = this;
    const { paths, statistics } = old.about;
    const { files, folders, others, sourceBytes } = statistics;
    const all = { files, folders, others, bytes: sourceBytes };
    if (rules === undefined) return { root: old.root, left: all, leftOut: NOTHING, paths };
    let leftOut = NOTHING;
    const gone: RawPath[] = [];
    const { tree, counts } = await leaveOut(old.root, '/' as RawPath, rules.top, {
      rules,
      paths,
      read: above.read,
      put,
      putAbove: above.put,
      leftOut: (path, out, rule, sources) => {
        leftOut = addCounts(leftOut, out);
        if (sources !== undefined) gone.push(sources);
        tell(path, out, rule);
      },
      unchanged,
    });
    const rest = paths.filter((path) => !gone.some((each) => isAtOrBelow(path, each)));
    if (tree === undefined || rest.length === 0) {
      throw new CbrError('usage', `nothing would be left of snapshot ${old.id.slice(0, 8)}`, {
        hint: `To be rid of all of it: cbr forget ${old.id.slice(0, 8)}`,
      });
    }
    return { root: tree, left: counts, leftOut, paths: rest };
  }
}

/** Reads what was put a moment ago, and is not durable yet. For folders above sources, of which there are few. */
class Kept {
  private readonly chunks = new Map<string, Uint8Array>();

  constructor(
    private readonly reader: ReadTreeChunk,
    private readonly store: StoreTreeChunk,
  ) {}

  readonly read: ReadTreeChunk = async (reference) => this.chunks.get(reference.id) ?? this.reader(reference);

  readonly put: StoreTreeChunk = (plain) => {
    const reference = this.store(plain);
    this.chunks.set(reference.id, Uint8Array.from(plain));
    return reference;
  };
}
