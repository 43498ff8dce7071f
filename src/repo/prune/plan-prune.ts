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
  /** Size of a full pack. */
  readonly packBytes: number;
}

/** P3, pure. Numbers of packs. */
export interface PrunePlan {
  /** Condemned, and nothing of them is in use. */
  readonly unused: readonly number[];
  /** Condemned, and what is in use of them is copied. */
  readonly rewritten: readonly number[];
  readonly bytesUnused: number;
  readonly bytesRewritten: number;
  /** Of the packs that stay, and what nothing uses of them. */
  readonly bytesKept: number;
  readonly wasteKept: number;
}

/** Packs below this part of a full one are small. */
const SMALL_PART = 4;
/** So many small packs of a kind are gathered into one: fewer would be rewritten again every night. */
const MANY_SMALL = 10;

/**
 * Condemns what nothing uses, what is condemned already, packs with the most waste per byte until what stays is within the
 * limit, and small packs where there are many.
 */
export function planPrune(packs: readonly PlannedPack[], limits: PlanLimits): PrunePlan {
  const unused = packs.filter(({ isUsed }) => !isUsed);
  const used = packs.filter(({ isUsed }) => isUsed);
  const rewritten = new Set(used.filter(({ isMarked }) => isMarked));
  const choosable = used.filter(({ isMarked, isBad }) => !isMarked && !isBad);
  let waste = sum(choosable, (pack) => pack.waste);
  let left = limits.maxRepackBytes;
  const take = (pack: PlannedPack): boolean => {
    if (pack.size > left) return false;
    left -= pack.size;
    waste -= pack.waste;
    rewritten.add(pack);
    return true;
  };
  const allowed = allowedWaste(
    limits.maxUnused,
    sum(used, (pack) => pack.size - pack.waste),
  );
  const byWaste = choosable
    .filter((pack) => pack.waste > 0)
    .sort((a, b) => b.waste / b.size - a.waste / a.size);
  for (const pack of byWaste) {
    if (waste <= allowed) break;
    take(pack);
  }
  for (const kind of ['data', 'tree'] as const) {
    const small = choosable.filter(
      (pack) => pack.kind === kind && !rewritten.has(pack) && pack.size < limits.packBytes / SMALL_PART,
    );
    let bytes = 0;
    const fitting = small.filter(({ size }) => {
      bytes += size;
      return bytes <= left;
    });
    if (fitting.length >= MANY_SMALL) fitting.forEach(take);
  }
  const kept = used.filter((pack) => !rewritten.has(pack));
  return {
    unused: unused.map(({ number }) => number),
    rewritten: [...rewritten].map(({ number }) => number),
    bytesUnused: sum(unused, ({ size }) => size),
    bytesRewritten: sum([...rewritten], ({ size }) => size),
    bytesKept: sum(kept, ({ size }) => size),
    wasteKept: sum(kept, (pack) => pack.waste),
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
