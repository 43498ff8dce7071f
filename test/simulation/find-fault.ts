import { PLANTED_FAULTS, type PlantedFault } from './faults.js';
import { tell } from './many-schedules.js';
import { runSchedule } from './schedule.js';
import { openStage } from './stage.js';

export interface FoundFault {
  /** How many schedules it took. */
  readonly after: number;
  /** That very schedule without the fault. */
  readonly soundly: string;
}

/** Seeds of planted faults are not those of sound schedules. */
const FIRST_SEED = 900_000_000;

/** The first schedule in which the fault does harm, within as many as it is to be found in. */
export async function findFault(fault: PlantedFault): Promise<FoundFault | undefined> {
  const { bias, within, number } = fault;
  const from = process.env.CBR_SOAK === '1' ? 0 : (fault.from ?? 0);
  const stage = await openStage();
  try {
    for (let i = from; i < within; i++) {
      const seed = FIRST_SEED + number * 1_000_000 + i;
      const { violations } = await runSchedule(stage, { seed, bias, fault });
      if (!violations.some(({ kind }) => kind === 'lost' || kind === 'stuck')) continue;
      const sound = await runSchedule(stage, { seed, bias });
      return { after: i + 1, soundly: sound.violations.map(({ message }) => message).join() };
    }
    return undefined;
  } finally {
    stage.close();
  }
}

/** One schedule again, with or without a fault: every step of it. */
export async function replay(seed: number, faultNumber: number | undefined): Promise<string> {
  const stage = await openStage();
  try {
    const fault = PLANTED_FAULTS.find(({ number }) => number === faultNumber);
    return await tell(stage, seed, fault);
  } finally {
    stage.close();
  }
}
