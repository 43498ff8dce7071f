import type { Backend, ListedObject, ObjectKind } from '../../dist/backends/index.js';
import { ObjectExistsError, ObjectNotFoundError, type SessionId } from '../../dist/core/index.js';
import { decodeRecord, encodeRecord, leaseRecord, outcomeRecord } from '../../dist/repo/index.js';
import type { WalkTrees } from '../../dist/repo/prune/prune-options.js';
import { walkReachable } from '../../dist/snapshot/prune/reach.js';
import type { SimulatedProcess, WrapBackend } from './machine.js';
import type { Actor } from './scheduler.js';
import type { World } from './world.js';

/** Stores and walks that break one rule each, wrapped around those of one process: production code knows nothing of it. */

type Wrapped = Parameters<WrapBackend>[0];

async function* listed(objects: Iterable<ListedObject>): AsyncGenerator<ListedObject> {
  yield* objects;
}

async function allOf(objects: AsyncIterable<ListedObject>): Promise<ListedObject[]> {
  const found: ListedObject[] = [];
  for await (const object of objects) found.push(object);
  return found;
}

/** How far one prune has come, seen from outside. */
export class PruneWatch {
  epoch = 0;
  isMarked = false;
  /** Listed since it wrote its mark. */
  readonly sessions = new Set<string>();
  index = new Set<string>();
  /** Listed by its first reading. */
  forgotten: string[] | undefined;
}

/** What each running prune was seen to do; a process prunes once. */
export class PruneWatches {
  private readonly watches = new WeakMap<Actor, PruneWatch>();

  of(actor: Actor): PruneWatch {
    let watch = this.watches.get(actor);
    if (watch === undefined) {
      watch = new PruneWatch();
      this.watches.set(actor, watch);
    }
    return watch;
  }

  /** Notes what `inner` is asked for. */
  watched({ actor, inner }: Wrapped): Backend {
    const watch = this.of(actor);
    return {
      ...inner,
      async *list(kind: ObjectKind) {
        if (kind === 'index') watch.index = new Set();
        const names: string[] = [];
        for await (const object of inner.list(kind)) {
          names.push(object.name);
          if (kind === 'sessions' && watch.isMarked) watch.sessions.add(object.name.split('/')[0]!);
          if (kind === 'index') watch.index.add(object.name);
          yield object;
        }
        if (kind === 'forgotten') watch.forgotten ??= names;
      },
      write: async (kind, name, data) => {
        await inner.write(kind, name, data);
        if (kind === 'marks') watch.isMarked = true;
        if (kind === 'leases' && !watch.isMarked) watch.epoch = Number(name.split('/')[1]);
      },
    };
  }
}

/** The snapshots, also forgotten ones, whose root tree this is. */
function snapshotsOf({ oracle }: World, root: string): SessionId[] {
  return [...oracle.everCommitted].filter(([, id]) => id === root).map(([sid]) => sid);
}

/** At P8 leaves out the roots of which `isWalked` is true for no snapshot. */
export function walkingOnly(
  watches: PruneWatches,
  isWalked: (sid: SessionId, watch: PruneWatch, world: World) => boolean,
): (process: SimulatedProcess) => WalkTrees {
  return ({ actor, world }) =>
    async (root, visitor) => {
      const watch = watches.of(actor);
      const skipped =
        watch.isMarked && !snapshotsOf(world, root.id).some((sid) => isWalked(sid, watch, world));
      if (!skipped) await walkReachable(root, visitor);
    };
}

/** The segments in the repository now that a session wrote. */
function segmentsOf({ oracle }: World, sid: string): Buffer[] {
  return [...oracle.segments]
    .filter(([, { author }]) => author.kind === 'session' && author.session === sid)
    .map(([name]) => Buffer.from(name, 'hex'));
}

function fenceOf(world: World, sid: string): Buffer {
  const fence = { outcome: 'fence' as const, segments: segmentsOf(world, sid), seen: [] };
  return encodeRecord('snapshots', sid, outcomeRecord, fence, world.its.records);
}

function isFence({ oracle }: World, sid: string): boolean {
  return oracle.outcomes.get(sid as SessionId)?.outcome === 'fence';
}

export function commitByOverwriting({ world, inner }: Wrapped): Backend {
  return {
    ...inner,
    write: async (kind, name, data) => {
      try {
        await inner.write(kind, name, data);
      } catch (error) {
        const isOwn =
          kind === 'snapshots' && data instanceof Uint8Array && error instanceof ObjectExistsError;
        if (!isOwn) throw error;
        const record = decodeRecord('snapshots', name, outcomeRecord, data, world.its.records);
        if (record.outcome !== 'commit') throw error;
        world.store.put(kind, name, data);
      }
    },
  };
}

export function sessionsListedEarly({ inner }: Wrapped): Backend {
  let early: readonly ListedObject[] | undefined;
  return {
    ...inner,
    list: (kind) => (kind === 'sessions' && early !== undefined ? listed(early) : inner.list(kind)),
    write: async (kind, name, data) => {
      if (kind === 'marks') early = await allOf(inner.list('sessions'));
      await inner.write(kind, name, data);
    },
  };
}

export function lateSegmentsCount({ world, inner }: Wrapped): Backend {
  return {
    ...inner,
    read: async (kind, name, range) => {
      const bytes = await inner.read(kind, name, range);
      return kind === 'snapshots' && isFence(world, name) ? fenceOf(world, name) : bytes;
    },
  };
}

export function undecidedCount({ world, cache, inner }: Wrapped): Backend {
  // What is made up here must not be remembered: it is another thing the next time.
  const made = new WeakSet<Uint8Array>();
  const remember = cache.putRecord.bind(cache);
  cache.putRecord = (kind, name, bytes) => {
    if (!made.has(bytes)) remember(kind, name, bytes);
  };
  const isUndecided = (sid: SessionId): boolean =>
    !world.oracle.outcomes.has(sid) && !world.oracle.forgotten.has(sid);
  return {
    ...inner,
    async *list(kind: ObjectKind) {
      yield* inner.list(kind);
      if (kind !== 'snapshots') return;
      const authors = new Set<SessionId>();
      for (const { author } of world.oracle.segments.values()) {
        if (author.kind === 'session' && isUndecided(author.session)) authors.add(author.session);
      }
      yield* [...authors].map((name) => ({ name, size: 1 }));
    },
    read: async (kind, name, range) => {
      try {
        return await inner.read(kind, name, range);
      } catch (error) {
        const isIt =
          kind === 'snapshots' && error instanceof ObjectNotFoundError && isUndecided(name as SessionId);
        if (!isIt) throw error;
        const fence = fenceOf(world, name);
        made.add(fence);
        return fence;
      }
    },
  };
}

/** Closing records that wait for the end of their prune. */
export class LateClosings {
  private readonly waiting = new WeakMap<Actor, () => Promise<void>>();

  readonly wrap = ({ world, actor, inner }: Wrapped): Backend => ({
    ...inner,
    write: async (kind, name, data) => {
      const isLease = kind === 'leases' && /^prune\/\d+$/.test(name) && data instanceof Uint8Array;
      const { records } = world.its;
      if (!isLease || decodeRecord(kind, name, leaseRecord, data, records).role !== 'closing')
        return inner.write(kind, name, data);
      const kept = Buffer.from(data);
      this.waiting.set(actor, () => inner.write(kind, name, kept).catch(() => undefined));
    },
  });

  readonly write = async ({ actor }: SimulatedProcess): Promise<void> => this.waiting.get(actor)?.();
}

export function oldMarksHidden({ inner }: Wrapped): Backend {
  const own = new Set<string>();
  return {
    ...inner,
    async *list(kind: ObjectKind) {
      for await (const object of inner.list(kind)) {
        if (kind !== 'marks' || own.has(object.name)) yield object;
      }
    },
    write: async (kind, name, data) => {
      await inner.write(kind, name, data);
      if (kind === 'marks') own.add(name);
    },
  };
}

export function allSegmentsRemoved(watches: PruneWatches): WrapBackend {
  return (its) => {
    const inner = watches.watched(its);
    return {
      ...inner,
      removeMany: async (kind, names) => {
        await inner.removeMany(kind, names);
        if (kind !== 'index' || names.length === 0) return;
        const { epoch } = watches.of(its.actor);
        const others = [...its.world.oracle.segments]
          .filter(([, { author }]) => author.kind !== 'prune' || author.epoch !== epoch)
          .map(([name]) => name);
        await inner.removeMany(kind, others);
      },
    };
  };
}

export function newOrphansRemoved(watches: PruneWatches): WrapBackend {
  return (its) => {
    const inner = watches.watched(its);
    const { oracle } = its.world;
    return {
      ...inner,
      removeMany: async (kind, names) => {
        await inner.removeMany(kind, names);
        if (kind !== 'packs') return;
        const { epoch, index } = watches.of(its.actor);
        const named = new Set<string>();
        for (const [name, { author, packs }] of oracle.segments) {
          const isOwn = author.kind === 'prune' && author.epoch === epoch;
          if (isOwn || index.has(name)) for (const pack of packs) named.add(pack);
        }
        await inner.removeMany(
          kind,
          [...oracle.packs.keys()].filter((pack) => !named.has(pack)),
        );
      },
    };
  };
}

export function fenceBeatsForgotten({ world, inner }: Wrapped): Backend {
  return {
    ...inner,
    async *list(kind: ObjectKind) {
      for await (const object of inner.list(kind)) {
        if (kind !== 'forgotten' || !isFence(world, object.name)) yield object;
      }
    },
    stat: async (kind, name) => {
      const found = await inner.stat(kind, name);
      if (kind === 'forgotten' && isFence(world, name)) throw new ObjectNotFoundError(`${kind}/${name}`);
      return found;
    },
  };
}

/** Session records that are gone from the store although their session lives, by the store they were in. */
export class LostNumbers {
  private readonly records = new WeakMap<World, Map<string, Uint8Array>>();

  private of(world: World): Map<string, Uint8Array> {
    let records = this.records.get(world);
    if (records === undefined) {
      records = new Map();
      this.records.set(world, records);
    }
    return records;
  }

  readonly wrap: WrapBackend = ({ world, inner }) => ({
    ...inner,
    write: async (kind, name, data) => {
      await inner.write(kind, name, data);
      const [sid, number] = name.split('/');
      if (kind !== 'sessions' || number !== '1') return;
      this.of(world).set(sid!, world.store.read(kind, `${sid}/0`));
      await inner.remove(kind, `${sid}/0`);
    },
    // Who it is can be read all the same: what is missed is missed by listing.
    read: async (kind, name, range) => {
      const [sid, number] = name.split('/');
      const kept = kind === 'sessions' && number === '0' ? this.of(world).get(sid!) : undefined;
      const lives =
        kept !== undefined && [...world.oracle.sessions].some((each) => each.startsWith(`${sid}/`));
      return lives ? kept : inner.read(kind, name, range);
    },
  });
}

export function removeForgotten(watches: PruneWatches): (process: SimulatedProcess) => Promise<void> {
  return async ({ actor, repository }) => {
    const { forgotten, isMarked } = watches.of(actor);
    if (isMarked && forgotten !== undefined) await repository.backend.removeMany('forgotten', forgotten);
  };
}
