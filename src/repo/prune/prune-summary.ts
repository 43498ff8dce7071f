import type { ObjectDigest } from '../../core/index.js';
import type { Copied } from './copy-used.js';
import type { MergedSegments } from './merge-segments.js';
import type { PrunePlan } from './plan-prune.js';
import type { PendingSession, PruneSummary } from './prune-options.js';

/** What a prune did, or would do, in figures. */

/** What is known once the plan stands. */
export interface Planned {
  readonly plan: PrunePlan;
  readonly snapshots: number;
  /** Packs that no index segment names, with their stored length. */
  readonly orphans: ReadonlyMap<ObjectDigest, number>;
}

/** What a prune leaves, in stored bytes. */
export interface Staying {
  readonly bytes: number;
  /** Of these what nothing uses. */
  readonly waste: number;
}

export function plannedSummary({ plan, snapshots, orphans }: Planned): PruneSummary {
  return {
    state: 'planned',
    epoch: undefined,
    pending: [],
    snapshots,
    condemned: { packs: 0, bytes: 0 },
    packsRemoved: plan.unused.length + orphans.size,
    packsRewritten: plan.rewritten.length,
    packsAdded: 0,
    bytesFreed: plan.bytesUnused + plan.bytesRewritten + sum(orphans.values()),
    bytesAdded: plan.bytesCopied,
    bytesKept: plan.bytesKept + plan.bytesCopied,
    bytesUnused: plan.wasteKept,
    segmentsRemoved: 0,
    segmentsAdded: 0,
  };
}

function withCopies(planned: Planned, copies: readonly Copied[]): PruneSummary {
  const summary = plannedSummary(planned);
  const stored = sum(copies.map(({ totals }) => totals.stored));
  return {
    ...summary,
    packsAdded: sum(copies.map(({ totals }) => totals.packs)),
    segmentsAdded: sum(copies.map(({ segments }) => segments.length)),
    bytesAdded: stored,
    bytesKept: planned.plan.bytesKept + stored,
  };
}

/** Packs and their stored bytes. */
export interface SomePacks {
  readonly packs: number;
  readonly bytes: number;
}

/** A prune that left the rest to the next one. `condemned`: what is marked now. */
export function pendingSummary(
  planned: Planned,
  copied: Copied,
  epoch: number,
  pending: readonly PendingSession[],
  condemned: SomePacks,
): PruneSummary {
  const summary = withCopies(planned, [copied]);
  return {
    ...summary,
    state: 'pending',
    epoch,
    pending,
    packsRemoved: 0,
    packsRewritten: 0,
    bytesFreed: 0,
    bytesKept: summary.bytesKept + condemned.bytes,
    bytesUnused: summary.bytesUnused + condemned.bytes,
    condemned,
  };
}

/** A prune that has removed what it condemned; `removed`: all packs that went, `droppedBytes`: of index segments. */
export function sweptSummary(
  planned: Planned,
  copies: readonly Copied[],
  epoch: number,
  { dropped, written, bytesWritten }: MergedSegments,
  removed: SomePacks,
  droppedBytes: number,
  staying: Staying,
): PruneSummary {
  const summary = withCopies(planned, copies);
  return {
    ...summary,
    state: 'swept',
    epoch,
    packsRemoved: Math.max(0, removed.packs - planned.plan.rewritten.length),
    bytesFreed: removed.bytes + droppedBytes,
    bytesAdded: summary.bytesAdded + bytesWritten,
    bytesKept: staying.bytes,
    bytesUnused: staying.waste,
    segmentsRemoved: dropped.length,
    segmentsAdded: summary.segmentsAdded + written.length,
  };
}

/** What a prune on a store that silently overwrites has done and left. */
export interface WaitingParts {
  readonly planned: Planned;
  readonly copied: Copied;
  readonly epoch: number;
  /** Because of them something stays whose waiting period is over. */
  readonly pending: readonly PendingSession[];
  readonly merged: MergedSegments;
  readonly removed: SomePacks;
  /** What is marked, and stays. */
  readonly condemned: SomePacks;
  readonly staying: Staying;
  readonly removableAt: number | undefined;
  /** Because of that nothing was removed of what was ripe. */
  readonly tookTooLongMs: number | undefined;
}

export function waitingSummary(parts: WaitingParts): PruneSummary {
  const { planned, copied, epoch, pending, merged, removed, condemned, staying, removableAt, tookTooLongMs } =
    parts;
  const summary = withCopies(planned, [copied]);
  const isWaiting = condemned.packs > 0 && removed.packs === 0;
  return {
    ...summary,
    state: !isWaiting ? 'swept' : pending.length > 0 ? 'pending' : 'waiting',
    epoch,
    pending,
    condemned,
    packsRemoved: removed.packs,
    packsRewritten: 0,
    bytesFreed: removed.bytes,
    bytesAdded: summary.bytesAdded + merged.bytesWritten,
    bytesKept: staying.bytes + condemned.bytes,
    bytesUnused: staying.waste + condemned.bytes,
    segmentsRemoved: 0,
    segmentsAdded: summary.segmentsAdded + merged.written.length,
    ...(removableAt === undefined ? {} : { removableAt }),
    ...(tookTooLongMs === undefined ? {} : { tookTooLongMs }),
  };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
