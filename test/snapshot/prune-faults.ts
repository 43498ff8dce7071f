import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type BackendCall, type FaultPlan, withFaults } from '../../dist/backends/index.js';
import { Database } from '../../dist/repo/cache/database.js';
import { forgetSnapshot, type OpenOptions, type PruneOptions } from '../../dist/repo/index.js';
import { pruneRepository } from '../../dist/snapshot/index.js';
import { SMALL } from './check-subject.js';
import {
  expectClean,
  expectNoGarbage,
  expectRestored,
  forget,
  prune,
  pruneOptions,
  writeFiles,
} from './prune-subject.js';
import { Scratch } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { type Facts, factsOf } from './tree-facts.js';

/** What a prune is made to stumble over. */

/** A repository in which a prune has everything to do: whole packs and parts of packs are garbage, small ones abound. */
export class Prunable extends Scratch {
  readonly kept = new Map<string, Facts>();
  /** To be forgotten by those who try forgetting. */
  victim = '';

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
   * leaves nothing behind. `isThorough`: every chunk is read where it costs most.
   */
  async expectRecovery(opening: Partial<OpenOptions>, isThorough: boolean): Promise<void> {
    await expectClean(this, isThorough ? 100 : 0);
    const fresh = { cacheRoot: join(this.root, 'fresh') };
    const there = new Set((await this.snapshots(fresh)).map(({ id }) => id as string));
    for (const id of this.kept.keys()) if (!there.has(id)) this.kept.delete(id);
    if (isThorough) for (const [id, facts] of this.kept) await expectRestored(this, id, facts, fresh);
    const next = await this.take({ threads: 1 }, opening);
    expect(next.summary.errors).toBe(0);
    this.kept.set(next.summary.snapshot!, factsOf(this.source));
    await expectRestored(this, next.summary.snapshot!, factsOf(this.source), fresh);
    expect((await prune(this, {}, opening)).state).toBe('swept');
    expectNoGarbage(this);
    await expectClean(this, 100);
    for (const [id, facts] of this.kept) await expectRestored(this, id, facts, opening);
  }
}

export async function recordCalls(run: (its: Prunable, plan: FaultPlan) => Promise<unknown>) {
  const its = await Prunable.make();
  const calls: BackendCall[] = [];
  await run(its, (call) => {
    calls.push(call);
    return undefined;
  });
  its.remove();
  return calls;
}

/** How many transactions of the cache a run takes. */
export async function countTransactions(run: (its: Prunable) => Promise<unknown>): Promise<number> {
  const its = await Prunable.make();
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

export const leases = (its: Scratch): string[] => readdirSync(join(its.repo, 'leases/prune'));
