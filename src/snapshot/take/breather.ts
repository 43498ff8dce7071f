import { setImmediate } from 'node:timers/promises';
import type { RawPath } from '../../fs/index.js';
import type { EarlyEnd } from './early-end.js';
import type { Tally } from './tally.js';

/** The scan gives way to messages, heartbeats and signals at least so often. */
const SLICE_MS = 20;

export interface BreatherParts {
  readonly tally: Tally;
  readonly early: EarlyEnd;
  /** Throws when the run has failed elsewhere. */
  readonly check: () => void;
}

/** Lets a synchronous scan pause now and then. */
export class Breather {
  private sliceStart = performance.now();

  constructor(private readonly its: BreatherParts) {}

  /** To be waited for, where there is something. Rejects (interrupted) where the run must not end early, and with what made the run fail. */
  breathe(path: RawPath): Promise<void> | undefined {
    return performance.now() - this.sliceStart < SLICE_MS ? undefined : this.pause(path);
  }

  private async pause(path: RawPath): Promise<void> {
    this.its.tally.progress(() => path);
    await setImmediate();
    this.its.check();
    this.its.early.check();
    this.sliceStart = performance.now();
  }
}
