import { setImmediate } from 'node:timers/promises';
import { stopIfAborted } from './damage.js';

/** Messages of workers, reads under way and signals are looked at this often. */
const SLICE_MS = 20;

/** Keeps a long stretch of work on the main thread from holding up everything else. */
export class Pace {
  private sliceEnd = performance.now() + SLICE_MS;

  constructor(private readonly signal: AbortSignal) {}

  get isDue(): boolean {
    return performance.now() >= this.sliceEnd;
  }

  /** Lets other work run; rejects (interrupted) when the run is to stop. */
  async rest(): Promise<void> {
    await setImmediate();
    stopIfAborted(this.signal);
    this.sliceEnd = performance.now() + SLICE_MS;
  }
}
