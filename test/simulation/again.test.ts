import { expect, test } from 'vitest';
import { PLANTED_FAULTS } from './faults.js';
import { replay } from './find-fault.js';
import { FAULT_MS } from './limits.js';
import { biasOf } from './many-schedules.js';
import { runSchedule } from './schedule.js';
import { openStage } from './stage.js';

/** Set: this schedule is run and shown. CBR_SIMULATION_FAULT: with that fault. */
const { CBR_SIMULATION_SEED, CBR_SIMULATION_FAULT } = process.env;
const SEEDS = 12;

test('the same seed is the same schedule, step by step', { timeout: FAULT_MS }, async () => {
  if (CBR_SIMULATION_SEED !== undefined) {
    const fault = CBR_SIMULATION_FAULT === undefined ? undefined : Number(CBR_SIMULATION_FAULT);
    console.log(await replay(Number(CBR_SIMULATION_SEED), fault));
  }
  const runs: string[] = [];
  for (let run = 0; run < 2; run++) {
    const stage = await openStage();
    const traces: string[] = [];
    // In another order, so that what one schedule leaves behind would show in the next.
    const seeds = Array.from({ length: SEEDS }, (_, i) => i);
    for (const seed of run === 0 ? seeds : seeds.toReversed()) {
      const { trace, traceHash } = await runSchedule(stage, { seed, bias: biasOf(seed), recording: true });
      traces[seed] = [...trace, String(traceHash)].join('\n');
    }
    stage.close();
    runs.push(traces.join('\n\n'));
  }
  expect(runs[1]).toBe(runs[0]);
  expect(runs[0]!.split('\n').length).toBeGreaterThan(100 * SEEDS);
});

test('every fault of the protocol has been planted', () => {
  expect(PLANTED_FAULTS.map(({ number }) => number)).toEqual(Array.from({ length: 14 }, (_, i) => i + 1));
});
