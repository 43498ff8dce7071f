/** Who waits until it is its turn, first come, first served. */
type Queue = Set<() => void>;

/**
 * Lets so many requests be under way at the same time; whoever comes while all are waits its turn. Bodies of packs take long.
 * What keeps a session alive and ends it is small and must not wait for them: it has one place more, and goes first.
 */
export class Turns {
  private underway = 0;
  private readonly bodies: Queue = new Set();
  private readonly small: Queue = new Set();

  /** `places`: how many there are for all; small requests have one more. */
  constructor(private readonly places: number) {}

  /** Resolves when it is the caller's turn, which `end` ends. Rejects with the signal's reason when it is aborted before. */
  async begin(signal: AbortSignal | undefined, isBody: boolean): Promise<void> {
    if (this.underway < this.places + (isBody ? 0 : 1)) {
      this.underway++;
      return;
    }
    const waiting = isBody ? this.bodies : this.small;
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        waiting.delete(go);
        reject(signal?.reason);
      };
      const go = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      waiting.add(go);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  end(): void {
    this.underway--;
    this.admit(this.small, this.places + 1);
    this.admit(this.bodies, this.places);
  }

  private admit(waiting: Queue, places: number): void {
    const [next] = waiting;
    if (next === undefined || this.underway >= places) return;
    waiting.delete(next);
    this.underway++;
    next();
  }
}
