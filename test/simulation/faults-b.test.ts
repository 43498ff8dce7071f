import { expect, test } from 'vitest';
import { PLANTED_FAULTS } from './faults.js';
import { findFault } from './find-fault.js';
import { FAULT_MS } from './limits.js';

const faults = PLANTED_FAULTS.filter(({ number }) => number % 2 === 0);

test.each(faults)('fault $number is found: $name', { timeout: FAULT_MS }, async (fault) => {
  const found = await findFault(fault);
  expect(found, `no harm in ${fault.within} schedules`).toBeDefined();
  expect(found?.soundly).toBe('');
});
