import { type Backend, lookingFirst } from '../../dist/backends/index.js';
import type { ProcessIdentity } from '../../dist/core/index.js';
import { RepositoryCache } from '../../dist/repo/cache/repository-cache.js';
import { RecentView, type Repository } from '../../dist/repo/index.js';
import { actorBackend } from './actor-backend.js';
import type { MemoryDatabase } from './memory-database.js';
import { Actor } from './scheduler.js';
import type { World } from './world.js';

/** One run of a program on a machine. */
export interface SimulatedProcess {
  readonly world: World;
  readonly machine: Machine;
  readonly actor: Actor;
  readonly repository: Repository;
  /** A path for the next staged file. */
  stagingPath(): string;
  /** What a system does for a process that is stopped: closes its files and timers. */
  atStop(release: () => void): void;
}

/** Wraps the store for one process: how faults are planted. */
export type WrapBackend = (process: {
  readonly world: World;
  readonly actor: Actor;
  readonly cache: RepositoryCache;
  readonly inner: Backend;
}) => Backend;

/** A machine that runs one program after another, all with the same cache. */
export class Machine {
  /** What a process that removes objects leaves when it is killed. */
  private interrupted = false;
  private staged = 0;
  private clockMs = 1000;

  constructor(
    readonly name: string,
    readonly index: number,
    private readonly host: string,
    private database: MemoryDatabase,
  ) {}

  /** The cache as it is now, for other machines to start with. */
  copyOfDatabase(): MemoryDatabase {
    return this.database.copy();
  }

  /** Starts a program on this machine: `life` is all that it does. Resolves when it has ended or was stopped. */
  run(
    world: World,
    what: string,
    life: (process: SimulatedProcess) => Promise<void>,
    options: {
      readonly mortal: boolean;
      readonly wrap?: WrapBackend;
      readonly delaySteps?: number;
      readonly waitingMs?: number;
    },
  ): Promise<void> {
    const pid = world.processes.nextPid();
    const releases: (() => void)[] = [];
    const name = `${this.name}.${what}${pid % 1000}`;
    const actor = new Actor(name, this.index, pid, options.mortal, () => {
      world.processes.ended(pid);
      // What it still does to its cache nobody will see.
      this.database = this.database.copy();
      for (const release of releases) release();
    });
    actor.clockMs = this.clockMs;
    actor.asleepUntil = world.scheduler.step + (options.delaySteps ?? 0);
    const { database } = this;
    const cache = new RepositoryCache(database.asDatabase(), {
      spillFolder: world.its.folder,
      isPrivate: false,
      beginDestructive: () => {
        if (!actor.stopped) this.interrupted = true;
      },
      endDestructive: () => {
        if (!actor.stopped) this.interrupted = false;
      },
      leave: () => undefined,
    });
    const inner = actorBackend(actor, world, world.its.folder);
    const { its } = world;
    const identity: ProcessIdentity = {
      host: this.host,
      machine: `machine of ${this.host}`,
      pid,
      startTime: pid,
      bootId: `boot of ${this.host}`,
    };
    const { waiting } = world;
    const backend = options.wrap?.({ world, actor, cache, inner }) ?? inner;
    const repository: Repository = {
      ...(waiting === undefined
        ? { backend }
        : { backend: lookingFirst(backend), waitingMs: options.waitingMs ?? waiting.waitingMs }),
      config: its.config,
      configNumber: 1,
      keys: its.keys,
      algorithms: its.algorithms,
      records: its.records,
      cache,
      keySlot: undefined,
      identity,
      portable: false,
      now: () => 1_700_000_000_000 + (waiting?.now() ?? actor.clockMs),
      report: () => undefined,
      recentView: new RecentView(),
      openRowStore: () => Promise.reject(new Error('nobody looks for paths here')),
      close: async () => undefined,
    };
    const process: SimulatedProcess = {
      world,
      machine: this,
      actor,
      repository,
      stagingPath: () => `${its.folder}/${this.index}-${pid}-${this.staged++}`,
      atStop: (release) => releases.push(release),
    };
    return new Promise((resolve) => {
      const wholeLife = async (): Promise<void> => {
        try {
          await cache.prepare(this.interrupted);
          this.interrupted = false;
          await life(process);
          await cache.close();
          if (database.isDamaged) throw new Error(`the cache of ${name} is damaged`);
        } finally {
          world.processes.ended(pid);
          this.clockMs = actor.clockMs;
          resolve();
        }
      };
      world.scheduler.start(actor, wholeLife, (error) => world.failed(name, error));
    });
  }
}
