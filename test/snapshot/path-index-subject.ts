import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessagePackWriter, ownIdentity, type SessionId } from '../../dist/core/index.js';
import { openRowStore } from '../../dist/repo/cache/index.js';
import type { Entry } from '../../dist/snapshot/entry.js';
import type { ListedSnapshots, Snapshot } from '../../dist/snapshot/index.js';
import { HistoryReader } from '../../dist/snapshot/paths/find-paths.js';
import { updatePathIndex } from '../../dist/snapshot/paths/index-snapshots.js';
import { PathIndex } from '../../dist/snapshot/paths/path-index.js';
import { PATH_INDEX } from '../../dist/snapshot/paths/path-index-store.js';
import { type PathState, stateOf } from '../../dist/snapshot/paths/path-state.js';
import { snapshotGroups } from '../../dist/snapshot/paths/snapshot-groups.js';
import { ABOUT, memoryStore } from '../repo/snapshot-samples.js';
import { flatModel, type ModelFolder, storeModel } from './model-tree.js';

/** A path index and snapshots of models, without a repository around them. */
export class PathIndexSubject {
  readonly folder = mkdtempSync(join(tmpdir(), 'cbr-test-'));
  readonly memory = memoryStore();
  readonly said: string[] = [];
  private readonly models = new Map<SessionId, ModelFolder>();
  private taken = 0;

  open(): Promise<PathIndex> {
    return openPathIndexAt(this.folder, this.said);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  take(
    model: ModelFolder,
    host = 'here',
    seconds = this.taken,
    extras: Partial<Snapshot['about']> = {},
  ): Snapshot {
    const id = (++this.taken).toString(16).padStart(32, '0') as SessionId;
    this.models.set(id, model);
    const about = { ...ABOUT, host, seconds, errors: [], ...extras };
    return { id, root: storeModel(model, this.memory.store), about };
  }

  update(index: PathIndex, all: readonly Snapshot[], wanted = all, damaged: ListedSnapshots['damaged'] = []) {
    return updatePathIndex(index, { snapshots: all, damaged }, wanted, async () => this.memory.read);
  }

  /** What the models say: each path in each snapshot. */
  expected(snapshots: readonly Snapshot[]): Map<string, PathState> {
    const found = new Map<string, PathState>();
    for (const { id } of snapshots)
      for (const [path, entry] of flatModel(this.models.get(id)!, this.memory.store))
        found.set(`${id} ${path}`, stateOfEntry(entry));
    return found;
  }

  /** The same by way of the index. */
  found(index: PathIndex, snapshots: readonly Snapshot[]): Map<string, PathState> {
    const groups = snapshotGroups(snapshots, index);
    const reader = new HistoryReader(index, groups);
    const found = new Map<string, PathState>();
    const wanted = new Set(snapshots);
    for (const path of index.paths('')) {
      for (const [group, runs] of reader.runs(path)) {
        let at = 0;
        for (const { from, to, state } of runs) {
          if (from !== at) throw new Error('runs do not follow each other');
          at = to;
          for (const { id } of group.snapshots.slice(from, to))
            if (state !== undefined) found.set(`${id} ${path.path}`, state);
        }
        if (at !== group.snapshots.length) throw new Error('runs do not reach the end');
        for (const each of group.snapshots)
          if (!wanted.has(each)) throw new Error('a snapshot nobody asked for');
      }
    }
    return found;
  }
}

const WRITER = new MessagePackWriter(256);
export const stateOfEntry = (entry: Entry): PathState => stateOf(entry, WRITER);

export async function openPathIndexAt(folder: string, said: string[] = []): Promise<PathIndex> {
  const options = {
    folder: join(folder, 'paths'),
    location: '/somewhere',
    repositoryId: Buffer.alloc(16, 7),
    encrypted: true,
    identity: ownIdentity('here'),
    now: () => Date.now(),
    report: (message: string) => void said.push(message),
  };
  return new PathIndex(await openRowStore(options, { ...PATH_INDEX, patienceMs: 200 }));
}
