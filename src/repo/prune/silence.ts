import type { RepositoryCache } from '../cache/index.js';
import type { PruneTiming } from './prune-options.js';

/** Kept in the cache between runs: a prune that does not wait needs what an earlier one saw. */
const KIND = 'observed';
const NAME = 'signs of life';
/** Whoever is still of interest is asked about by every prune. */
const KEPT_MS = 90 * 24 * 3_600_000;

interface Seen {
  readonly sign: string;
  /** By the clock of the timing. */
  readonly since: number;
}

/**
 * Who shows no sign of life: judged by this machine's own clock from what it saw itself, for nobody compares clocks. A wrong
 * verdict, after a jump of the clock say, costs the other one its work and nobody any data.
 */
export class SilenceObserver {
  private readonly seen: Map<string, Seen>;

  constructor(
    private readonly cache: RepositoryCache,
    private readonly now: () => number,
    private readonly timing: PruneTiming,
  ) {
    this.seen = this.load();
  }

  /** Whether `who` has shown the same sign for its time to live; the first look only remembers it. */
  isSilent(who: string, sign: string): boolean {
    const seen = this.seen.get(who);
    if (seen?.sign !== sign) {
      this.seen.set(who, { sign, since: this.timing.clock() });
      return false;
    }
    return this.timing.clock() - seen.since >= this.timing.timeToLiveMs;
  }

  /** Remembers what was seen, but of those of whom nothing was heard for long. */
  save(): void {
    const [clock, now] = [this.timing.clock(), this.now()];
    const kept = [...this.seen]
      .filter(([, { since }]) => clock - since < KEPT_MS)
      .map(([who, { sign, since }]) => [who, sign, now - (clock - since)] as const);
    if (kept.length === 0) this.cache.removeRecord(KIND, NAME);
    else this.cache.putRecord(KIND, NAME, Buffer.from(JSON.stringify(kept)));
  }

  private load(): Map<string, Seen> {
    const seen = new Map<string, Seen>();
    const stored = this.cache.getRecord(KIND, NAME);
    if (stored === undefined) return seen;
    const [clock, now] = [this.timing.clock(), this.now()];
    const kept = JSON.parse(Buffer.from(stored).toString()) as (readonly [string, string, number])[];
    for (const [who, sign, at] of kept) seen.set(who, { sign, since: clock - Math.max(0, now - at) });
    return seen;
  }
}
