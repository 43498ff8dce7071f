import type { RepositoryView } from './view.js';

/** What is older is read again: whoever reads for so long has not just chosen a snapshot. */
const RECENT_MS = 10_000;

/** What was read of a repository last, for a reader that goes on with it at once. */
export class RecentView {
  private kept: { readonly view: RepositoryView; readonly at: number } | undefined;

  /** `now` in milliseconds, from before the reading began. */
  keep(view: RepositoryView, now: number): void {
    this.kept = { view, at: now };
  }

  /** Once, and only shortly afterwards. */
  take(now: number): RepositoryView | undefined {
    const { kept } = this;
    this.kept = undefined;
    return kept !== undefined && now >= kept.at && now - kept.at < RECENT_MS ? kept.view : undefined;
  }
}
