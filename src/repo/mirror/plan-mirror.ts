import { objectPath } from '../../backends/index.js';
import type { MirrorMemory } from './mirror-record.js';
import {
  type Listing,
  listingOf,
  MIRRORED_KINDS,
  type MirroredKind,
  type MirroredObject,
} from './mirrored-kinds.js';

export interface MirrorSituation {
  readonly source: Listing;
  readonly target: Listing;
  readonly memory: MirrorMemory | undefined;
  /** Unix seconds. */
  readonly now: number;
  /** How long what the source no longer has stays, in seconds; undefined: for ever. */
  readonly keepGone: number | undefined;
}

/** What a mirror is to do. */
export interface MirrorPlan {
  /** Paths in the target that the mirror did not write: nothing may be done then. */
  readonly foreign: readonly string[];
  /** What the target lacks, in the order of writing. */
  readonly copied: readonly MirroredObject[];
  /** What it has under the same name with another length: one of the two is damaged. */
  readonly differing: readonly MirroredObject[];
  readonly present: number;
  /** Keys that were removed from the source so long ago that they go here too. */
  readonly removedKeys: readonly MirroredObject[];
  /** Names of those that stay for a while. */
  readonly waitingKeys: readonly string[];
  /** What else goes, in the order of removing; of snapshots and notes only what was forgotten. */
  readonly removed: readonly MirroredObject[];
  /** What goes later, keys left out. */
  readonly waiting: number;
  /** Paths of what the source has lost, since cbr never removes such things; it stays. */
  readonly lost: readonly string[];
  /** What the record of the mirror has to say before anything is written; undefined if it says so. */
  readonly nextMemory: Pick<MirrorMemory, 'known' | 'gone'> | undefined;
}

/** Pure; see `mirror` for what is done with it. */
export function planMirror(asked: MirrorSituation): MirrorPlan {
  const { source, target, memory } = asked;
  // A clock that was set back must not make everything look as if it had been gone for years.
  const situation = { ...asked, now: Math.max(asked.now, memory?.time ?? 0) };
  const foreign: string[] = [];
  const copied: MirroredObject[] = [];
  const differing: MirroredObject[] = [];
  let present = 0;
  for (const kind of MIRRORED_KINDS) {
    for (const object of source[kind].values()) {
      const there = target[kind].get(object.name);
      if (there === undefined) copied.push({ kind, ...object });
      else if (there.size === object.size) present++;
      else differing.push({ kind, ...object });
    }
    for (const name of target[kind].keys()) {
      if (!isKnown(situation, kind, name)) foreign.push(objectPath(kind, name));
    }
  }
  const gone = goneFrom(situation);
  const leaving = gone.leaving.filter(({ kind, name }) =>
    isOver(situation, gone.since.get(`${kind}/${name}`)!),
  );
  const order = ['snapshots', 'notes', 'index', 'packs'] as const;
  const waiting = gone.leaving.filter((each) => !leaving.includes(each));
  return {
    foreign,
    copied,
    differing,
    present,
    removedKeys: leaving.filter(({ kind }) => kind === 'keys'),
    waitingKeys: waiting.filter(({ kind }) => kind === 'keys').map(({ name }) => name),
    removed: order.flatMap((kind) => leaving.filter((each) => each.kind === kind)),
    waiting: waiting.filter(({ kind }) => kind !== 'keys').length,
    lost: gone.lost,
    nextMemory: isTold(memory, copied, gone.since)
      ? undefined
      : { known: allNames(source, target), gone: gone.since },
  };
}

/** Without a record it is what a first mirror left that was killed: a key, perhaps a config, and nothing else. */
function isKnown({ source, memory }: MirrorSituation, kind: MirroredKind, name: string): boolean {
  if (memory !== undefined) return memory.known.get(kind)?.has(name) === true;
  return (kind === 'keys' || kind === 'config') && source[kind].has(name);
}

interface Gone {
  /** Keys; snapshots and notes that were forgotten; index segments and packs, which a prune removes. */
  readonly leaving: MirroredObject[];
  /** When each of these was first missed. */
  readonly since: Map<string, number>;
  readonly lost: string[];
}

/** What the target has and the source no longer, by what may have become of it there. */
function goneFrom({ source, target, memory, now }: MirrorSituation): Gone {
  const gone: Gone = { leaving: [], since: new Map(), lost: [] };
  const wasPruned = hasPruned(source, target, memory);
  for (const kind of MIRRORED_KINDS) {
    for (const object of target[kind].values()) {
      const { name } = object;
      if (source[kind].has(name)) continue;
      const path = `${kind}/${name}`;
      const snapshot = name.split('/')[0]!;
      const isOfForgotten = (kind === 'snapshots' || kind === 'notes') && source.forgotten.has(snapshot);
      const since = memory?.gone.get(path);
      const isPruned = kind === 'index' || (kind === 'packs' && (wasPruned || since !== undefined));
      if (kind === 'keys' || isOfForgotten || isPruned) {
        gone.leaving.push({ kind, ...object });
        gone.since.set(path, since ?? now);
      } else gone.lost.push(objectPath(kind, name));
    }
  }
  return gone;
}

/**
 * Whether a prune may have removed packs since the last mirror: it has closed its epoch by a lease record before, and drops the
 * index segments that name what it removes. Packs alone that are gone were lost.
 */
function hasPruned(source: Listing, target: Listing, memory: MirrorMemory | undefined): boolean {
  const isNew = (name: string): boolean => memory?.known.get('leases')?.has(name) !== true;
  return (
    [...source.leases.keys()].some(isNew) ||
    [...target.index.keys()].some((name) => !source.index.has(name) && !memory?.gone.has(`index/${name}`))
  );
}

function isOver({ now, keepGone }: MirrorSituation, since: number): boolean {
  return keepGone !== undefined && now - since >= keepGone;
}

/** Whether the record names all that will be written, and knows since when what is gone is gone. */
function isTold(
  memory: MirrorMemory | undefined,
  copied: readonly MirroredObject[],
  since: ReadonlyMap<string, number>,
): boolean {
  if (memory === undefined) return false;
  const isNamed = copied.every(({ kind, name }) => memory.known.get(kind)?.has(name) === true);
  // What has come back must be forgotten too: gone again, it waits anew.
  const isSame = memory.gone.size === since.size && [...since.keys()].every((path) => memory.gone.has(path));
  return isNamed && isSame;
}

function allNames(source: Listing, target: Listing): MirrorMemory['known'] {
  const all = listingOf((kind) => new Map([...target[kind], ...source[kind]]));
  return new Map(MIRRORED_KINDS.map((kind) => [kind, new Set(all[kind].keys())]));
}
