import { setTimeout } from 'node:timers/promises';

/** So much may pass at once after a pause: a fifth of a second's worth, so that short requests do not wait. */
const BURST_SECONDS = 0.2;

/** Lets bytes pass at a mean rate. Whoever comes while others wait waits behind them. */
export class Throttle {
  /** When all that passed so far is paid for, in milliseconds of the clock. */
  private paidAt = 0;

  constructor(
    private readonly bytesPerSecond: number | undefined,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Resolves when `bytes` may pass. Rejects when the signal is aborted. */
  async pass(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.bytesPerSecond === undefined) return;
    const now = this.clock();
    this.paidAt = Math.max(this.paidAt, now - BURST_SECONDS * 1000) + (bytes / this.bytesPerSecond) * 1000;
    const wait = this.paidAt - now;
    if (wait > 0) await setTimeout(wait, undefined, { signal });
  }
}
