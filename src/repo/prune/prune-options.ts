import type { ChunkId, ProcessIdentity, SessionId } from '../../core/index.js';
import type { PackKind } from '../index-segment.js';
import type { Repository } from '../repository.js';
import type { PruneWorkers } from './prune-workers.js';

/** The root tree of a snapshot, or any other chunk that a tree names. */
export interface Reference {
  readonly id: ChunkId;
  /** Plain bytes. */
  readonly length: number;
}

/** What a walk through trees tells and asks. */
export interface ReachVisitor {
  /** Called for every chunk that is reached; false when it was seen before, and what it names need not be walked again. */
  see(kind: PackKind, reference: Reference): boolean;
  /** The plain bytes of a tree chunk. Many are asked for at the same time. */
  read(reference: Reference): Promise<Uint8Array>;
}

/** Visits all that a root tree reaches: trees, content lists, attributes, content. Rejects when a tree cannot be read. */
export type WalkTrees = (root: Reference, visitor: ReachVisitor) => Promise<void>;

/** The observer's own clock: nobody compares clocks. */
export interface PruneTiming {
  /** Milliseconds, never going back. */
  clock(): number;
  /** Rejects with the signal's reason when it is aborted. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Without a sign of life for so long another process is held for dead. A wrong guess costs work, not data. */
  readonly timeToLiveMs: number;
  /** Milliseconds between two looks at those who are waited for. */
  readonly pollMs: number;
  /** Milliseconds between two signs of life of this prune; 0 for none. */
  readonly heartbeatMs: number;
}

/** How much waste may stay, of all that is stored: a fraction, or bytes. */
export type UnusedLimit = { readonly fraction: number } | { readonly bytes: number };

/** How far a step of a prune is. */
export interface PruneProgress {
  readonly step: 'reading trees' | 'rewriting packs' | 'waiting' | 'removing';
  readonly done: number;
  readonly total: number;
}

export interface PruneOptions {
  /** Threads; without them this one does all the work. */
  readonly startWorkers?: (repository: Repository) => PruneWorkers;
  readonly onProgress?: (progress: PruneProgress) => void;
  readonly maxUnused: UnusedLimit;
  /** Stored bytes of packs that are rewritten at most; without it as many as it takes. */
  readonly maxRepackBytes?: number;
  /** Wait for running sessions instead of leaving the rest to the next prune. */
  readonly wait: boolean;
  /** Only plan. */
  readonly dryRun: boolean;
  /** Of a dry run: snapshots that are taken for forgotten. */
  readonly without?: ReadonlySet<SessionId>;
  /** Go on although records of snapshots are gone that nobody forgot: what only they need is removed. */
  readonly acceptVanished?: boolean;
  readonly signal: AbortSignal;
  readonly timing: PruneTiming;
  /** What is known of another process: `isAlive`, but in simulations. */
  readonly examine: (process: ProcessIdentity) => 'alive' | 'dead' | 'unknown';
}

/** Someone a prune waits for, or could not wait for. */
export interface PendingSession {
  readonly session: string;
  readonly host: string | undefined;
  readonly pid: number | undefined;
  /** Seconds since 1970, by the clock of its host. */
  readonly started: number | undefined;
}

export interface PruneSummary {
  /**
   * swept: all is done. pending: what is condemned stays until the sessions named here have ended. waiting: nothing was removed,
   * since what is condemned stays for the waiting period of its store. planned: a dry run.
   */
  readonly state: 'swept' | 'pending' | 'waiting' | 'planned';
  /** On a store that silently overwrites, where something waits: when a prune can remove the first of it, in milliseconds since 1970. */
  readonly removableAt?: number;
  /**
   * On such a store, where what was ripe stays all the same: how long this prune took, in milliseconds. It was more than half of the
   * waiting period, so that what it saw at its beginning may not hold any more.
   */
  readonly tookTooLongMs?: number;
  readonly epoch: number | undefined;
  readonly pending: readonly PendingSession[];
  readonly snapshots: number;
  /** What a later prune removes; stored bytes. */
  readonly condemned: { readonly packs: number; readonly bytes: number };
  /** Packs with nothing in use, and mixed or small ones that are rewritten. */
  readonly packsRemoved: number;
  readonly packsRewritten: number;
  readonly packsAdded: number;
  /** Stored bytes: of removed packs and index segments, and of those added. */
  readonly bytesFreed: number;
  readonly bytesAdded: number;
  /** Stored bytes of all packs that stay, and the part of them that nothing uses. */
  readonly bytesKept: number;
  readonly bytesUnused: number;
  readonly segmentsRemoved: number;
  readonly segmentsAdded: number;
}
