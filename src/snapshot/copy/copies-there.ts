import { type SessionId, toHex } from '../../core/index.js';
import type { Repository } from '../../repo/index.js';
import { copyOf, type SnapshotOrigin } from '../snapshot-extensions.js';
import type { Snapshot } from '../snapshot-record.js';

/** Which snapshots of one repository stand for which of another. */

/** The id of a repository as it is written down. */
export function repositoryName({ config }: Pick<Repository, 'config'>): string {
  return toHex(config.repository);
}

/**
 * What a snapshot is known as, itself first. Of a copy also what it is a copy of, unless it was made from one by rewriting: then
 * it is something else.
 */
export function knownAs(repository: string, { id, about }: Snapshot): readonly SnapshotOrigin[] {
  const origins = copyOf(about);
  const [self] = origins;
  const isAsCopied = self?.repository === repository && self.snapshot === id;
  return isAsCopied ? origins : [{ repository, snapshot: id }];
}

/** The snapshots of a repository by all that they stand for: what they are copies of, rewritten since or not. */
export class CopiesThere {
  private readonly standing = new Map<string, Snapshot>();
  private readonly ids = new Set<SessionId>();

  constructor(
    private readonly repository: string,
    snapshots: readonly Snapshot[],
  ) {
    for (const each of snapshots) this.add(each);
  }

  /** Whether a snapshot was never added. */
  isNews(id: SessionId): boolean {
    return !this.ids.has(id);
  }

  /** The last one that was added counts. */
  add(snapshot: Snapshot): void {
    this.ids.add(snapshot.id);
    const own = { repository: this.repository, snapshot: snapshot.id };
    for (const origin of [own, ...copyOf(snapshot.about)]) this.standing.set(keyOf(origin), snapshot);
  }

  /** What stands for a snapshot that is known as this. */
  of(names: readonly SnapshotOrigin[]): Snapshot | undefined {
    for (const name of names) {
      const found = this.standing.get(keyOf(name));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function keyOf({ repository, snapshot }: SnapshotOrigin): string {
  return `${repository}/${snapshot}`;
}
