import { forgetSnapshot } from '../../dist/repo/index.js';
import { EVERYDAY } from './bias.js';
import { Machine } from './machine.js';
import { MemoryDatabase } from './memory-database.js';
import { modelRepository } from './model-repository.js';
import { ModelTrees } from './model-trees.js';
import { DecodedObjects, Oracle } from './oracle.js';
import { Processes, simulateSystem } from './processes.js';
import { pruneOnce } from './pruner.js';
import { Random, seedRandomBytes } from './random.js';
import type { Stage } from './schedule.js';
import { Scheduler } from './scheduler.js';
import { SimulatedStore } from './simulated-store.js';
import type { Beginning, World } from './world.js';
import { writeSnapshot } from './writer.js';

/** Different histories that schedules begin with. */
const BEGINNINGS = 24;

/** Prepares a process for schedules: from now on its random bytes are not random. */
export async function openStage(): Promise<Stage & { close(): void }> {
  const its = await modelRepository();
  const trees = new ModelTrees(its.keys);
  const decoded = new DecodedObjects();
  const bytes = seedRandomBytes();
  const system = simulateSystem(its.folder);
  const parts = { its, trees, decoded, bytes, system };
  const beginnings: Beginning[] = [];
  for (let i = 0; i < BEGINNINGS; i++) beginnings.push(await makeBeginning({ ...parts, beginnings }, i));
  return {
    ...parts,
    beginnings,
    close: () => {
      bytes.restore();
      system.restore();
      its.dispose();
    },
  };
}

/** Some snapshots taken one after another, some of them forgotten, some prunes; the last run may have been killed. */
async function makeBeginning(
  { its, trees, decoded, bytes, system }: Stage,
  number: number,
): Promise<Beginning> {
  const random = new Random(number, 3);
  bytes.use(new Random(number, 4));
  const store = new SimulatedStore('name');
  const oracle = new Oracle(its, trees, decoded);
  store.observe(oracle.observe);
  const isKilled = number % 6 === 5;
  const scheduler = new Scheduler({
    random,
    stopRate: 0.04,
    sleepRate: 0,
    mostSleepSteps: 0,
    mostClockJump: 0,
    mostSteps: 10_000,
    recording: false,
    beforeStep: () => undefined,
    afterStep: () => undefined,
  });
  const processes = new Processes(random, 0);
  system.use(processes);
  let failure: unknown;
  const failed = (_: string, error: unknown): void => {
    failure ??= error;
  };
  const world: World = { its, trees, random, scheduler, store, pageSize: 1000, oracle, processes, failed };
  const machine = new Machine('first', 0, 'elsewhere', new MemoryDatabase());
  const writing = { ...EVERYDAY, beatRate: 0, abortRate: 0, remembersAcrossFences: false };
  let database = machine.copyOfDatabase();
  const snapshots = number % 4;
  for (let i = 0; i <= snapshots; i++) {
    const mortal = isKilled && i === snapshots;
    void machine.run(world, 'writer', (process) => writeSnapshot(process, writing), { mortal });
    await scheduler.run();
    if (random.chance(0.7)) database = machine.copyOfDatabase();
    if (random.chance(0.3)) {
      void machine.run(
        world,
        'forgetter',
        async ({ repository }) => {
          const [sid] = oracle.valid().sort();
          if (sid !== undefined) await forgetSnapshot(repository, sid, 'somebody', 1);
        },
        { mortal: false },
      );
      await scheduler.run();
    }
    if (random.chance(0.25)) {
      const options = { wait: true, maxUnused: 0, maxRepackBytes: undefined, isAlone: true };
      void machine.run(world, 'pruner', (process) => pruneOnce(process, options), { mortal: false });
      await scheduler.run();
    }
  }
  if (failure !== undefined) throw failure;
  oracle.checkSnapshots();
  return { store, database };
}
