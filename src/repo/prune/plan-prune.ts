import type { PackKind } from '../index-segment.js';
import type { UnusedLimit } from './prune-options.js';

/** What a plan has to know of a pack. Sizes are stored bytes. */
export interface PlannedPack {
  readonly number: number;
  readonly kind: PackKind;
  readonly size: number;
  /** Of its size what nothing uses. */
  readonly waste: number;
  readonly isUsed: boolean;
  /** An earlier prune condemned it: it is never taken back into use. */
  readonly isMarked: boolean;
  /** Known to be damaged: what is left of it is not to be touched. */
  readonly isBad: boolean;
}

export interface PlanLimits {
  readonly maxUnused: UnusedLimit;
  /** Stored bytes of packs that are rewritten at most, beside those that are marked. */
  readonly maxRepackBytes: number;
  /** So much of what is in use of packs may be copied: copies come before anything is removed. */
  readonly roomBytes: number;
  /** Size of a full pack. */
  readonly packBytes: number;
}

/** P3, pure. Numbers of packs. */
export interface PrunePlan {
  /** Condemned, and nothing of them is in use. */
  readonly unused: readonly number[];
  /** Condemned, and what is in use of them is copied. */
  readonly rewritten: readonly number[];
  /** Condemned by an earlier prune and in use still: not to be copied now, and so not to be removed. */
  readonly left: readonly number[];
  /** How many packs should go and cannot, for want of room. */
  readonly forgone: number;
  /** Stored bytes in use of the smallest of them; 0 if there is none. */
  readonly leastForgone: number;
  readonly bytesUnused: number;
  readonly bytesRewritten: number;
  /** Of these what is in use, and so is stored again. */
  readonly bytesCopied: number;
  /** Of the packs that stay, and what nothing uses of them. */
  readonly bytesKept: number;
  readonly wasteKept: number;
}

/** Packs below this part of a full one are small. */
const SMALL_PART = 16;
/** So many small packs of a kind are gathered into one: fewer would be rewritten again every night. */
const MANY_SMALL = 10;

/**
 * Condemns what nothing uses, what is condemned already, packs with the most waste per byte until what stays is within the
 * limit, and small packs where there are many.
 */
export function planPrune(packs: readonly PlannedPack[], limits: PlanLimits): PrunePlan {
  const unused = packs.filter(({ isUsed }) => !isUsed);
  const used = packs.filter(({ isUsed }) => isUsed);
  const rewritten = new Set<PlannedPack>();
  let roomLeft = limits.roomBytes;
  let repackLeft = limits.maxRepackBytes;
  let forgone = 0;
  const fits = (pack: PlannedPack): boolean => inUseOf(pack) <= roomLeft && pack.size <= repackLeft;
  const take = (pack: PlannedPack): void => {
    rewritten.add(pack);
    roomLeft -= inUseOf(pack);
    if (!pack.isMarked) repackLeft -= pack.size;
  };
  const marked = used.filter(({ isMarked }) => isMarked);
  for (const pack of marked) if (!pack.isBad && inUseOf(pack) <= roomLeft) take(pack);
  const choosable = used.filter(({ isMarked, isBad }) => !isMarked && !isBad);
  let waste = sum(choosable, (pack) => pack.waste);
  const allowed = allowedWaste(limits.maxUnused, sum(used, inUseOf));
  const byWaste = choosable
    .filter((pack) => pack.waste > 0)
    .sort((a, b) => b.waste / b.size - a.waste / a.size);
  for (const pack of byWaste) {
    if (waste <= allowed) break;
    if (!fits(pack)) {
      if (pack.size <= repackLeft) forgone++;
      continue;
    }
    take(pack);
    waste -= pack.waste;
  }
  for (const kind of ['data', 'tree'] as const) {
    const small = choosable.filter(
      (pack) => pack.kind === kind && !rewritten.has(pack) && pack.size < limits.packBytes / SMALL_PART,
    );
    const room = { in: roomLeft, repack: repackLeft };
    const fitting = small.filter((pack) => {
      room.in -= inUseOf(pack);
      room.repack -= pack.size;
      return room.in >= 0 && room.repack >= 0;
    });
    if (fitting.length >= MANY_SMALL) fitting.forEach(take);
  }
  const kept = used.filter((pack) => !rewritten.has(pack));
  const wanting = kept.filter((pack) => !pack.isBad && pack.waste > 0 && inUseOf(pack) > roomLeft);
  return {
    unused: unused.map(({ number }) => number),
    rewritten: [...rewritten].map(({ number }) => number),
    left: marked.filter((pack) => !rewritten.has(pack)).map(({ number }) => number),
    forgone: forgone + marked.filter((pack) => !rewritten.has(pack)).length,
    leastForgone: leastInUse(wanting),
    bytesUnused: sum(unused, ({ size }) => size),
    bytesRewritten: sum([...rewritten], ({ size }) => size),
    bytesCopied: sum([...rewritten], inUseOf),
    bytesKept: sum(kept, ({ size }) => size),
    wasteKept: sum(kept, (pack) => pack.waste),
  };
}

/** What rewriting a pack stores again. */
function inUseOf({ size, waste }: PlannedPack): number {
  return size - waste;
}

/** Of the pack with least in use; 0 of none. */
function leastInUse(packs: readonly PlannedPack[]): number {
  return packs.reduce((least, pack) => (least === 0 ? inUseOf(pack) : Math.min(least, inUseOf(pack))), 0);
}

/** The plan without some packs that cannot go after all: those that are marked are left, others are not condemned. */
export function leaveOut(plan: PrunePlan, packs: readonly PlannedPack[]): PrunePlan {
  if (packs.length === 0) return plan;
  const numbers = new Set(packs.map(({ number }) => number));
  const size = (pack: PlannedPack): number => pack.size;
  return {
    unused: plan.unused.filter((number) => !numbers.has(number)),
    rewritten: plan.rewritten.filter((number) => !numbers.has(number)),
    left: [...plan.left, ...packs.filter(({ isMarked }) => isMarked).map(({ number }) => number)],
    forgone: plan.forgone + packs.length,
    leastForgone: plan.leastForgone || leastInUse(packs.filter(({ isUsed }) => isUsed)),
    bytesUnused:
      plan.bytesUnused -
      sum(
        packs.filter(({ isUsed }) => !isUsed),
        size,
      ),
    bytesRewritten:
      plan.bytesRewritten -
      sum(
        packs.filter(({ isUsed }) => isUsed),
        size,
      ),
    bytesCopied:
      plan.bytesCopied -
      sum(
        packs.filter(({ isUsed }) => isUsed),
        inUseOf,
      ),
    bytesKept: plan.bytesKept + sum(packs, size),
    wasteKept: plan.wasteKept + sum(packs, ({ waste }) => waste),
  };
}

/** Of so many bytes in use: how many may stay that are not. */
function allowedWaste(limit: UnusedLimit, inUse: number): number {
  if ('bytes' in limit) return limit.bytes;
  return limit.fraction >= 1 ? Number.POSITIVE_INFINITY : (limit.fraction / (1 - limit.fraction)) * inUse;
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}
