import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type BackendCall, type FaultPlan, withFaults } from '../../dist/backends/index.js';
import { Database } from '../../dist/repo/cache/database.js';
import { forgetSnapshot, type OpenOptions, type PruneOptions } from '../../dist/repo/index.js';
import { listSnapshots, pruneRepository } from '../../dist/snapshot/index.js';
import { SMALL } from './check-subject.js';
import {
  accountOf,
  expectClean,
  expectNoGarbage,
  expectRestored,
  forget,
  prune,
  pruneOptions,
  writeFiles,
} from './prune-subject.js';
import { restoreFrom, Scratch, takeFrom } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { type Facts, factsOf } from './tree-facts.js';

/** What a prune is made to stumble over. */

/** A repository in which a prune has everything to do: whole packs and parts of packs are garbage, small ones abound. */
export class Prunable extends Scratch {
  override readonly source: string;
  readonly kept: Map<string, Facts>;
  /** To be forgotten by those who try forgetting. */
  victim: string;

  /** Without an original it has everything yet to come. */
  constructor(original?: Prunable) {
    super();
    this.source = original?.source ?? join(this.root, 'source');
    this.kept = new Map(original?.kept);
    this.victim = original?.victim ?? '';
  }

  static async make(changes: Parameters<Scratch['init']>[0] = {}): Promise<Prunable> {
    const made = new Prunable();
    await made.init({ ...SMALL, ...changes });
    writeFiles(made, 'steady', 1, 16, 20_000);
    writeFiles(made, 'passing', 2, 16, 20_000);
    await made.keep();
    writeFiles(made, 'passing', 3, 30, 20_000);
    const { summary } = await made.take({ threads: 1 });
    writeFiles(made, 'steady', 4, 4, 15_000);
    writeFiles(made, 'passing', 2, 8, 20_000);
    writeFiles(made, 'later', 5, 5, 15_000);
    await made.keep();
    await forget(made, summary.snapshot!);
    made.leaveDeadSession();
    writeFiles(made, 'later', 6, 3, 9000);
    made.victim = [...made.kept.keys()][0]!;
    return made;
  }

  /** The same repository in another place, with what the cache knows of it, and the same source. */
  copy(): Prunable {
    const made = new Prunable(this);
    cpSync(this.repo, made.repo, { recursive: true });
    cpSync(this.cache, made.cache, { recursive: true });
    for (const name of readdirSync(made.cache)) {
      if (!statSync(join(made.cache, name)).isDirectory()) continue;
      const folder = join(made.cache, name.replace(placeOf(this.repo), placeOf(made.repo)));
      renameSync(join(made.cache, name), folder);
      // As if its process had been killed: a closed one is known by times that no copy has.
      const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
      writeFileSync(join(folder, 'state'), JSON.stringify({ state: 'open', bootId }));
    }
    return made;
  }

  private async keep(): Promise<void> {
    const { summary } = await this.take({ threads: 1 });
    this.kept.set(summary.snapshot!, factsOf(this.source));
  }

  /** A snapshot that was killed when it was about to name what it had stored. */
  private leaveDeadSession(): void {
    runScript(this.source, ['echo of a dead session > dead']);
    const args = [this.repo, this.cache, this.source, 'index'];
    const child = spawnSync(process.execPath, [join(import.meta.dirname, 'check-killed.mjs'), ...args]);
    expect(child.signal).toBe('SIGKILL');
    runScript(this.source, ['rm dead']);
  }

  /** Prunes, with faults from when the repository is open. */
  pruneFailing(plan: FaultPlan, changes: Partial<PruneOptions> = {}) {
    return this.failing(plan, (repository) => pruneRepository(repository, pruneOptions(changes)));
  }

  forgetFailing(plan: FaultPlan) {
    return this.failing(plan, (repository) => forgetSnapshot(repository, this.victim as never, 'tester', 1));
  }

  private failing<T>(plan: FaultPlan, action: Parameters<typeof this.use<T>>[0]): Promise<T> {
    let before: number | undefined;
    let faulty: ReturnType<typeof withFaults> | undefined;
    return this.use(
      (repository) => {
        before = faulty!.calls;
        return action(repository);
      },
      {
        wrapBackend: (medium) => {
          faulty = withFaults(medium, (call) =>
            before === undefined ? undefined : plan({ ...call, number: call.number - before }),
          );
          return faulty;
        },
      },
    );
  }

  /**
   * After what happened: everything committed is whole, the next snapshot and the next prune have no trouble, and that one
   * leaves nothing behind. `isThorough`: not only to a reader that shares no line with the program.
   */
  async expectRecovery(opening: Partial<OpenOptions>, isThorough: boolean): Promise<void> {
    const fresh = { cacheRoot: join(this.root, 'fresh') };
    // It reads all that valid snapshots reach.
    const there = accountOf(this).snapshots;
    for (const id of this.kept.keys()) if (!there.includes(id)) this.kept.delete(id);
    expect([...this.kept.keys()].sort()).toEqual([...there].sort());
    if (isThorough) await this.expectWhole(fresh);
    await this.use(async (repository) => {
      const { summary } = await takeFrom(repository, { paths: [this.source], threads: 1 });
      expect(summary.errors).toBe(0);
      this.kept.set(summary.snapshot!, factsOf(this.source));
      const snapshot = (await listSnapshots(repository)).snapshots.find(({ id }) => id === summary.snapshot)!;
      const target = this.newTarget();
      const changes = { snapshot, target, path: this.source, verify: false, threads: 1 };
      expect((await restoreFrom(repository, changes)).problems).toEqual([]);
      expect(factsOf(target)).toEqual(factsOf(this.source));
    }, opening);
    expect((await prune(this, {}, opening)).state).toBe('swept');
    expectNoGarbage(this);
    if (isThorough) await this.expectWhole(opening);
  }

  private async expectWhole(opening: Partial<OpenOptions>): Promise<void> {
    await expectClean(this, 100, opening);
    for (const [id, facts] of this.kept) await expectRestored(this, id, facts, opening);
  }
}

/** How caches tell places apart. */
const placeOf = (location: string): string =>
  createHash('sha256').update(location).digest('hex').slice(0, 16);

export async function recordCalls(
  original: Prunable,
  run: (its: Prunable, plan: FaultPlan) => Promise<unknown>,
): Promise<BackendCall[]> {
  const its = original.copy();
  const calls: BackendCall[] = [];
  await run(its, (call) => {
    calls.push(call);
    return undefined;
  });
  its.remove();
  return calls;
}

/** How many transactions of the cache a run takes. */
export async function countTransactions(
  original: Prunable,
  run: (its: Prunable) => Promise<unknown>,
): Promise<number> {
  const its = original.copy();
  const { transact } = Database.prototype;
  let [count, depth] = [0, 0];
  Database.prototype.transact = function <T>(this: Database, action: () => T): T {
    if (depth === 0) count++;
    depth++;
    try {
      return transact.call(this, action) as T;
    } finally {
      depth--;
    }
  };
  try {
    await run(its);
  } finally {
    Database.prototype.transact = transact;
    its.remove();
  }
  return count;
}

export interface Order {
  readonly call?: number;
  readonly transaction?: number;
  readonly when: 'before' | 'after';
}

/** Has a process do it in all repositories, each cut off as ordered, and kills it. Returns how each ended, by its repository. */
export function runAndKill(
  orders: readonly (Order & { readonly its: Prunable })[],
  forgets: boolean,
): Map<string, string> {
  const input = orders.map(({ its, ...order }) => ({
    ...order,
    repo: its.repo,
    cache: its.cache,
    ...(forgets ? { forget: its.victim } : {}),
  }));
  const child = spawnSync(process.execPath, [join(import.meta.dirname, 'prune-faults-child.mjs')], {
    input: JSON.stringify({ orders: input }),
    encoding: 'utf8',
  });
  expect(child).toMatchObject({ signal: 'SIGKILL', stderr: '' });
  const lines = child.stdout.split('\n').filter(Boolean);
  return new Map(lines.map((line) => JSON.parse(line)).map(({ repo, ended }) => [repo, ended]));
}
