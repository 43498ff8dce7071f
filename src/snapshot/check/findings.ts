/** Damage of one object of the repository. */
export interface Finding {
  /** Where it lies below the repository: `packs/3f/3f0a...`; a folder where no single object can be blamed. */
  readonly object: string;
  readonly reason: string;
  /** Files and folders that cannot be restored whole: the first 8 digits of the snapshot's id, ':', the raw path. */
  readonly affected: readonly string[];
  /** Affected ones beyond those in `affected`. */
  readonly unlisted?: number;
}

interface Collected {
  readonly reasons: string[];
  readonly affected: string[];
  unlisted: number;
}

/** One pack may reach every file of a thousand snapshots: more than this nobody reads, and memory is bounded. */
const MOST_AFFECTED = 100_000;
const MOST_REASONS = 3;

/** Gathers findings by object: what is found of an object in several ways is one finding. */
export class Findings {
  private readonly byObject = new Map<string, Collected>();
  /** Something was not there: it may have moved while it was looked for (rule 28). */
  sawMissing = false;

  add(object: string, reason: string): void {
    const { reasons } = this.collected(object);
    if (reasons.length < MOST_REASONS && !reasons.includes(reason)) reasons.push(reason);
  }

  addMissing(object: string, reason: string): void {
    this.sawMissing = true;
    this.add(object, reason);
  }

  /** Names what the damage of an object reaches. */
  affect(object: string, path: string): void {
    const found = this.collected(object);
    if (found.affected.at(-1) === path) return;
    if (found.affected.length < MOST_AFFECTED) found.affected.push(path);
    else found.unlisted++;
  }

  private collected(object: string): Collected {
    let found = this.byObject.get(object);
    if (found === undefined) {
      found = { reasons: [], affected: [], unlisted: 0 };
      this.byObject.set(object, found);
    }
    return found;
  }

  list(): Finding[] {
    return [...this.byObject]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([object, { reasons, affected, unlisted }]) => ({
        object,
        reason: reasons.join('; '),
        affected,
        ...(unlisted === 0 ? {} : { unlisted }),
      }));
  }
}
