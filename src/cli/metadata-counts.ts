import type { Problem } from './problem.js';
import { countText } from './sizes.js';

/** This many of one kind are shown in full. */
const MOST_SHOWN = 5;

/**
 * Problems of metadata by kind, a kind being what could not be set and why: one who is not root cannot set the owner of
 * any file, and a hundred thousand lines of that hide the one about a lost file.
 */
export class MetadataCounts {
  private readonly counts = new Map<string, number>();

  /** Counts a problem; whether it is to be shown in full. */
  shows({ about, severity, reason }: Problem): boolean {
    if (about !== 'metadata' || severity !== 'warning') return true;
    const count = (this.counts.get(reason) ?? 0) + 1;
    this.counts.set(reason, count);
    return count <= MOST_SHOWN;
  }

  /** A line for each kind of which more were counted than shown; forgets them. */
  takeLines(): readonly string[] {
    const hidden = [...this.counts].filter(([, count]) => count > MOST_SHOWN);
    this.counts.clear();
    return hidden.map(([reason, count]) => `${reason}, ${countText(count - MOST_SHOWN)} more; -v lists all`);
  }
}
