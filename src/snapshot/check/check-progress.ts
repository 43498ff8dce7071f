import type { Listener } from '../events.js';

const INTERVAL_MS = 200;

/** Tells how far a check is, a few times a second. */
export class CheckProgress {
  /** Entries of type file met in trees that were read, each tree once. */
  files = 0;
  /** Stored bytes of packs read whole, and of those to be read. */
  bytes = 0;
  totalBytes: number | undefined;
  private last = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly listener: Listener,
    /** Milliseconds on a monotonic clock. */
    private readonly clock: () => number,
  ) {}

  /** `current`: names the object that is being looked at. */
  tell(current: () => string): void {
    const now = this.clock();
    if (now - this.last < INTERVAL_MS) return;
    this.last = now;
    const { files, bytes, totalBytes } = this;
    const total = totalBytes === undefined ? {} : { totalBytes };
    this.listener({ type: 'progress', phase: 'check', files, bytes, ...total, current: current() });
  }
}
