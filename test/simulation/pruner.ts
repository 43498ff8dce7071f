import { CbrError } from '../../dist/core/index.js';
import { prune } from '../../dist/repo/prune/prune.js';
import type { WalkTrees } from '../../dist/repo/prune/prune-options.js';
import { walkReachable } from '../../dist/snapshot/prune/reach.js';
import type { SimulatedProcess } from './machine.js';

export interface PrunerOptions {
  readonly wait: boolean;
  readonly maxUnused: number;
  readonly maxRepackBytes: number | undefined;
  /** What stands for the walk through trees: for planted faults. */
  readonly walk?: WalkTrees;
  /** Nobody else runs any more: whoever has not ended is dead. */
  readonly isAlone: boolean;
}

const POLL_MS = 1000;
const POLLS_TO_LIVE = 4;
/** How many steps a pruner sleeps at most between two looks. */
const MOST_POLL_STEPS = 25;

/** Prunes once. Another prune may be at work, or may take over: that is no failure. */
export async function pruneOnce(
  { repository, actor, world }: SimulatedProcess,
  options: PrunerOptions,
): Promise<void> {
  const { random, processes } = world;
  const limits = {
    maxUnused: { fraction: options.maxUnused },
    ...(options.maxRepackBytes === undefined ? {} : { maxRepackBytes: options.maxRepackBytes }),
  };
  try {
    await prune(repository, options.walk ?? walkReachable, {
      ...limits,
      wait: options.wait,
      dryRun: false,
      signal: new AbortController().signal,
      timing: {
        clock: () => world.waiting?.now() ?? ++actor.clockMs,
        sleep: async (milliseconds) => {
          actor.asleepUntil = world.scheduler.step + random.below(MOST_POLL_STEPS);
          await actor.turn('sleep', undefined, '', () => undefined);
          actor.clockMs += milliseconds;
        },
        timeToLiveMs: POLLS_TO_LIVE * POLL_MS,
        pollMs: POLL_MS,
        heartbeatMs: 0,
      },
      examine: ({ pid }) => {
        // A store without create-only has nothing but truth to go by here.
        if (options.isAlone || world.waiting !== undefined) return processes.isAlive(pid) ? 'alive' : 'dead';
        if (processes.seemsDead(pid)) return random.chance(0.5) ? 'dead' : 'unknown';
        return 'unknown';
      },
    });
  } catch (error) {
    if (!(error instanceof CbrError) || options.isAlone) throw error;
    // Who was taken over may find things gone that the other one removed.
    // Beside another one under the same number: it may find gone what that one removed.
    if (world.waiting !== undefined && ['busy', 'damaged', 'backend'].includes(error.code)) return;
    if (error.code !== 'busy' && !world.oracle.wasTakenOver(actor.pid)) throw error;
  }
}
