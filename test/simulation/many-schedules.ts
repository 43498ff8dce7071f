import { memoryInUse } from '../core/garbage.js';
import { BIASES, type Bias, EVERYDAY } from './bias.js';
import { PLANTED_FAULTS, type PlantedFault } from './faults.js';
import { runSchedule, type ScheduleResult, type Stage } from './schedule.js';
import { openStage } from './stage.js';

/** Of the simulation as a whole: it is spread over several test files, so that every core has its own. */
const SCHEDULES = process.env.CBR_SOAK === '1' ? 1_000_000 : 20_000;
/** Seeds of different files do not meet. */
const SEEDS_APART = 10_000_000;
/** Of a few schedules the trace may be that of others. */
const MOST_REPEATED = 0.05;
/** Two thirds of all schedules are everyday ones, the others of the kinds in which planted faults are found. */
const UNUSUAL: readonly Bias[] = [...BIASES, ...PLANTED_FAULTS.map(({ bias }) => bias)];

export function biasOf(seed: number): Bias {
  return seed % 3 !== 0 ? EVERYDAY : UNUSUAL[Math.floor(seed / 3) % UNUSUAL.length]!;
}

export interface ManySchedules {
  readonly distinct: number;
  /** How to see the first ones that went wrong. */
  readonly failures: readonly string[];
  /** Bytes of live memory, when a tenth was done and at the end. */
  readonly memory: readonly [early: number, late: number];
}

/** Runs one of `parts` shares of all schedules, until that many distinct ones have been run or some went wrong. */
export async function runManySchedules(part: number, parts: number): Promise<ManySchedules> {
  const wanted = Math.ceil(SCHEDULES / parts);
  const stage = await openStage();
  const traces = new Set<number>();
  const failures: string[] = [];
  let early = 0;
  try {
    for (let i = 0; i < wanted * (1 + MOST_REPEATED) && traces.size < wanted && failures.length < 3; i++) {
      const seed = part * SEEDS_APART + i;
      const { traceHash, violations } = await runSchedule(stage, { seed, bias: biasOf(seed) });
      traces.add(traceHash);
      if (violations.length > 0) failures.push(await tell(stage, seed));
      if (i === Math.floor(wanted / 10)) early = await liveMemory();
    }
    return { distinct: traces.size, failures, memory: [early, await liveMemory()] };
  } finally {
    stage.close();
  }
}

export function wantedDistinct(parts: number): number {
  return Math.ceil(SCHEDULES / parts);
}

/** Runs a schedule again and shows all of it. */
export async function tell(stage: Stage, seed: number, fault?: PlantedFault): Promise<string> {
  const bias = fault?.bias ?? biasOf(seed);
  const again = await runSchedule(stage, { seed, bias, recording: true, ...(fault && { fault }) });
  return toldOf(again, seed, fault);
}

function toldOf({ trace, violations }: ScheduleResult, seed: number, fault?: PlantedFault): string {
  const how = `CBR_SIMULATION_SEED=${seed}${fault === undefined ? '' : ` CBR_SIMULATION_FAULT=${fault.number}`}`;
  const what = violations.map(({ kind, message }) => `${kind}: ${message}`).join('\n');
  return [`Seed ${seed} (again: ${how}):`, ...trace, what].join('\n');
}

/** Bytes of what is still in use. */
async function liveMemory(): Promise<number> {
  const { heapUsed, external } = await memoryInUse();
  return heapUsed + external;
}
