import { expect, test } from 'vitest';
import { WAITING } from './bias.js';
import { findFault } from './find-fault.js';
import { FAULT_MS, PART_MS } from './limits.js';
import { runSchedule } from './schedule.js';
import { openStage } from './stage.js';
import { WAITING_FAULTS } from './waiting-faults.js';

/** The protocol on a store that silently overwrites (docs/protocol.md, "Without create-only"). */

const FIRST_SEED = 700_000_000;
const SCHEDULES = process.env.CBR_SOAK === '1' ? 100_000 : 300;

test('nothing is lost or left on a store that silently overwrites', { timeout: PART_MS }, async () => {
  const stage = await openStage();
  try {
    for (let i = 0; i < SCHEDULES; i++) {
      const seed = FIRST_SEED + i;
      const { violations } = await runSchedule(stage, { seed, bias: WAITING });
      const told = violations.map(({ kind, message }) => `seed ${seed}: ${kind}: ${message}`).join('\n');
      expect(told).toBe('');
    }
  } finally {
    stage.close();
  }
});

test.each(WAITING_FAULTS)('the fault is found: $name', { timeout: FAULT_MS }, async (fault) => {
  const found = await findFault(fault);
  expect(found, `no harm in ${fault.within} schedules`).toBeDefined();
  expect(found?.soundly).toBe('');
});
