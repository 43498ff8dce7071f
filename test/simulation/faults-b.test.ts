import { expect, test } from 'vitest';
import { PLANTED_FAULTS } from './faults.js';
import { findFault } from './find-fault.js';
import { FAULT_MS } from './limits.js';

const soak = process.env.CBR_SOAK === '1';
const faults = PLANTED_FAULTS.filter(({ number, isRare = false }) => number % 2 === 0 && (soak || !isRare));

test.each(faults)('fault $number is found: $name', { timeout: FAULT_MS }, async (fault) => {
  const found = await findFault(fault);
  expect(found, `no harm in ${fault.within} schedules`).toBeDefined();
  // The protocol, kept, comes out of the very same schedule without a scratch.
  expect(found?.soundly).toBe('');
});
