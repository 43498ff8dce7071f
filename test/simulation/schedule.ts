import type { ObjectKind } from '../../dist/backends/index.js';
import { type CbrError, chunkIdHex, type SessionId } from '../../dist/core/index.js';
import { chunkReader, forgetSnapshot, loadRepository } from '../../dist/repo/index.js';
import type { Bias } from './bias.js';
import type { PlantedFault } from './faults.js';
import { Machine, type SimulatedProcess } from './machine.js';
import { MemoryDatabase } from './memory-database.js';
import type { ModelRepository } from './model-repository.js';
import type { ModelTrees } from './model-trees.js';
import { type DecodedObjects, Oracle, ViolationError } from './oracle.js';
import { Processes, type SimulatedSystem } from './processes.js';
import { type PrunerOptions, pruneOnce } from './pruner.js';
import { Random, type SeededBytes } from './random.js';
import { immediate, Scheduler, StuckError, type TurnOperation } from './scheduler.js';
import type { Beginning, World } from './world.js';
import { writeSnapshot } from './writer.js';

/** What all schedules of a process share. */
export interface Stage {
  readonly its: ModelRepository;
  readonly trees: ModelTrees;
  readonly decoded: DecodedObjects;
  readonly bytes: SeededBytes;
  readonly system: SimulatedSystem;
  readonly beginnings: readonly Beginning[];
}

export interface ScheduleOptions {
  readonly seed: number;
  readonly bias: Bias;
  readonly fault?: PlantedFault;
  readonly recording?: boolean;
}

export interface ScheduleResult {
  readonly traceHash: number;
  readonly steps: number;
  /** With `recording`. */
  readonly trace: readonly string[];
  /** What went wrong, in order; empty when all went well. */
  readonly violations: readonly ViolationError[];
}

/** Streams of random numbers that do not disturb each other. */
const CHOICES = 1;
const BYTES = 2;

/** Nobody changes anything under a listing at the end. */
const WHOLE_LISTING = 1000;
/** How often everything is read at the end. */
const READ_RATE = 0.2;

const MOST_STEPS = 60_000;

/** On a store that silently overwrites time passes with the steps, the same for all. */
const STEP_MS = 1000;
/** Nobody pauses between looking whether a name is free and writing it for half the waiting period. */
const MOST_URGENT_STEPS = 40;
/** A dead session is seen, and fenced a waiting period later; what it stored is condemned then, and goes with the next prune. */
const MOST_WAITING_PRUNES = 6;

function isUrgent(operation: TurnOperation, kind: ObjectKind | undefined): boolean {
  return (operation === 'stat' || operation === 'write') && SHARED.has(kind ?? 'packs');
}

const SHARED: ReadonlySet<ObjectKind> = new Set(['snapshots', 'leases', 'marks']);
/** The clock of a sleeper may pass the time to live of those it watches. */
const MOST_CLOCK_JUMP = 6000;

/** Runs one schedule: everything in it follows from its seed. */
export async function runSchedule(stage: Stage, options: ScheduleOptions): Promise<ScheduleResult> {
  const { seed, bias, fault, recording = false } = options;
  const random = new Random(seed, CHOICES);
  stage.bytes.use(new Random(seed, BYTES));
  const beginning = random.pick(stage.beginnings);
  const { waitingSteps } = bias;
  const isWaiting = waitingSteps !== undefined;
  const store = beginning.store.copy(random.pick(bias.orders), isWaiting);
  const oracle = new Oracle(stage.its, stage.trees, stage.decoded, isWaiting);
  store.observe(oracle.observe);
  const violations: ViolationError[] = [];
  let isQuiet = false;
  const judge = (check: () => void): void => {
    try {
      check();
    } catch (error) {
      if (!(error instanceof ViolationError)) throw error;
      violations.push(error);
      scheduler.trace.push(`${scheduler.step} violation: ${error.message}`);
    }
  };
  const scheduler = new Scheduler({
    random,
    stopRate: bias.stopRate,
    sleepRate: bias.sleepRate,
    mostSleepSteps: bias.mostSleepSteps,
    mostClockJump: MOST_CLOCK_JUMP,
    mostSteps: MOST_STEPS,
    recording,
    ...(isWaiting ? { isUrgent, mostUrgentSteps: MOST_URGENT_STEPS } : {}),
    beforeStep: (operation) => {
      if (operation === 'write') judge(() => oracle.checkSnapshots());
    },
    afterStep: (operation, kind) => {
      if (operation === 'write' && kind === 'snapshots') judge(() => oracle.checkSnapshots());
    },
  });
  const processes = new Processes(random, bias.wrongGuessRate);
  stage.system.use(processes);
  const world: World = {
    its: stage.its,
    trees: stage.trees,
    random,
    scheduler,
    store,
    pageSize: random.pick(bias.pageSizes),
    oracle,
    processes,
    ...(isWaiting
      ? { waiting: { waitingMs: STEP_MS * waitingSteps, now: () => STEP_MS * scheduler.step } }
      : {}),
    failed: (process, error) => {
      const { message, code, stack } = error as CbrError;
      const told = `${process} failed: ${code ?? ''} ${message} ${recording ? stack : ''}`;
      violations.push(new ViolationError(isQuiet ? 'stuck' : 'failed', told));
    },
  };
  try {
    const machines = startPrograms(world, bias, beginning, fault);
    await scheduler.run();
    judge(() => oracle.checkSnapshots());
    isQuiet = true;
    await endQuietly(world, machines, fault);
    judge(() => oracle.checkSnapshots());
    judge(() => oracle.checkReported());
    if (violations.length === 0) judge(() => oracle.checkNoGarbage());
  } catch (error) {
    if (!(error instanceof StuckError)) throw error;
    violations.push(new ViolationError('stuck', error.message));
  }
  for (const actor of scheduler.actors) if (!actor.finished && !actor.stopped) actor.stop();
  await immediate();
  stage.its.removeStaged();
  return { traceHash: scheduler.traceHash, steps: scheduler.step, trace: scheduler.trace, violations };
}

type Program = (process: SimulatedProcess) => Promise<void>;

/** Every machine runs its programs one after another. */
function startPrograms(
  world: World,
  bias: Bias,
  beginning: Beginning,
  fault: PlantedFault | undefined,
): Machine[] {
  const { random } = world;
  const draw = ([least, most]: readonly [number, number]): number => random.between(least, most);
  const machines: Machine[] = [];
  const hosts = draw(bias.hosts);
  const start = (role: 'writer' | 'forgetter' | 'pruner', count: number, program: () => Program): void => {
    const index = machines.length;
    const database = random.chance(0.7) ? beginning.database.copy() : new MemoryDatabase();
    const machine = new Machine(`${role[0]}${index}`, index, `host${index % hosts}`, database);
    machines.push(machine);
    const wrap = fault?.wrap?.(role);
    void (async () => {
      for (let i = 0; i < count; i++) {
        const delaySteps = random.below(bias.mostDelaySteps + 1);
        await machine.run(world, role, program(), { mortal: true, delaySteps, ...(wrap && { wrap }) });
      }
    })();
  };
  const writers = random.chance(bias.crowdRate) ? 8 : draw(bias.writers);
  for (let i = 0; i < writers; i++) {
    const { remembersAcrossFences = false, sleepsUnnoticed = false } = fault ?? {};
    start(
      'writer',
      draw(bias.sessions),
      () => (its) => writeSnapshot(its, { ...bias, remembersAcrossFences, sleepsUnnoticed }),
    );
  }
  for (let i = draw(bias.forgetters); i > 0; i--)
    start('forgetter', draw(bias.forgets), () => (its) => forgetOne(its, bias));
  for (let i = draw(bias.pruners); i > 0; i--) {
    start('pruner', draw(bias.prunes), () => {
      const options: PrunerOptions = {
        wait: random.chance(bias.waitRate),
        maxUnused: random.pick([0, 0, 0.05, 0.5]),
        maxRepackBytes: random.chance(0.1) ? 1000 : undefined,
        isAlone: false,
      };
      return (its) => pruneWith(its, options, fault);
    });
  }
  return machines;
}

async function pruneWith(
  its: SimulatedProcess,
  options: PrunerOptions,
  fault: PlantedFault | undefined,
): Promise<void> {
  const walk = fault?.walk?.(its);
  await pruneOnce(its, walk === undefined ? options : { ...options, walk });
  await fault?.afterPrune?.(its);
}

async function forgetOne({ world, repository }: SimulatedProcess, { forgetNewestRate }: Bias): Promise<void> {
  const { random, oracle } = world;
  // In the order in which they were committed.
  const valid: SessionId[] = oracle.valid();
  if (valid.length === 0) return;
  const sid = random.chance(forgetNewestRate) ? valid.at(-1)! : random.pick(valid);
  await forgetSnapshot(repository, sid, 'somebody', 1);
}

/**
 * When everybody has ended a prune leaves nothing behind, or a second one does: garbage of sessions that the first one
 * fenced goes with the next (rule 27). What is valid can be read.
 */
async function endQuietly(
  world: World,
  machines: readonly Machine[],
  fault: PlantedFault | undefined,
): Promise<void> {
  const alone: PrunerOptions = { wait: true, maxUnused: 0, maxRepackBytes: undefined, isAlone: true };
  const wrap = fault?.wrap?.('pruner');
  world.pageSize = WHOLE_LISTING;
  const { waiting } = world;
  const most = waiting === undefined ? 2 : MOST_WAITING_PRUNES;
  // Who is silent is known only to a machine that has looked before.
  const looking = waiting === undefined ? undefined : world.random.pick(machines);
  for (let i = 0; i < most && (i === 0 || world.oracle.garbage().length > 0); i++) {
    const machine = looking ?? world.random.pick(machines);
    if (waiting !== undefined) world.scheduler.step += Math.ceil(waiting.waitingMs / STEP_MS) + 1;
    void machine.run(world, 'last', (its) => pruneWith(its, alone, fault), {
      mortal: false,
      ...(wrap && { wrap }),
    });
    await world.scheduler.run();
  }
  if (!world.random.chance(READ_RATE)) return;
  void world.random.pick(machines).run(world, 'reader', readEverything, { mortal: false });
  await world.scheduler.run();
}

/** Reads every chunk of every valid snapshot as a restore does. */
async function readEverything({ repository, world }: SimulatedProcess): Promise<void> {
  const reader = chunkReader(repository, await loadRepository(repository));
  const reached = new Set(world.oracle.valid().flatMap((sid) => world.oracle.rootOf(sid)!.reached));
  for (const { kind, id, content } of reached) {
    const read = await reader.read(kind, id, content.byteLength);
    if (Buffer.compare(read, content) !== 0) throw new Error(`chunk ${chunkIdHex(id)} reads differently`);
  }
}
