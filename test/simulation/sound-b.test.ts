import { expect, test } from 'vitest';
import { PART_MS } from './limits.js';
import { runManySchedules, wantedDistinct } from './many-schedules.js';

const [PART, PARTS] = [1, 2];

test('nothing is lost, left or stuck, whatever the order of steps', { timeout: PART_MS }, async () => {
  const { distinct, failures, memory } = await runManySchedules(PART, PARTS);
  expect(failures.join('\n\n')).toBe('');
  expect(distinct).toBe(wantedDistinct(PARTS));
  // What the traces themselves take, and what was not collected yet; 10 KB a schedule would be more.
  const [early, late] = memory;
  expect(late - early).toBeLessThan(64 * 2 ** 20 + 100 * distinct);
});
