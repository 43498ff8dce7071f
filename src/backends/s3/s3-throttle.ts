import { setTimeout } from 'node:timers/promises';
import type { Underway } from './s3-request.js';

/** So much may pass at once after a pause: a fifth of a second's worth, so that short requests do not wait. */
const BURST_SECONDS = 0.2;

/** Whoever waits says so often: a request that is held back here is not one that the store has forgotten. */
const STEP_MS = 250;

/**
 * Lets bytes pass at a mean rate. Whoever comes while others wait waits behind them, except for what is small and keeps a session
 * alive: that passes at once, and those who come later wait the longer for it.
 */
export class Throttle {
  /** When all that passed so far is paid for, in milliseconds of the clock. */
  private paidAt = 0;

  constructor(
    private readonly bytesPerSecond: number | undefined,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Resolves when `bytes` may pass. Rejects when the request is given up. */
  async pass(bytes: number, { signal, moved, isBody }: Underway): Promise<void> {
    if (this.bytesPerSecond === undefined) return;
    const now = this.clock();
    this.paidAt = Math.max(this.paidAt, now - BURST_SECONDS * 1000) + (bytes / this.bytesPerSecond) * 1000;
    if (!isBody) return;
    const until = this.paidAt;
    for (let wait = until - now; wait > 0; wait = until - this.clock()) {
      await setTimeout(Math.min(wait, STEP_MS), undefined, { signal });
      moved();
    }
  }
}
