import {
  appendOnly,
  type FaultPlan,
  readOnly,
  withFaults,
  withRetry,
  withTraffic,
} from '../../dist/backends/index.js';
import { conformance, readingConformance } from '../backends/conformance.js';
import { isSoak } from '../snapshot/scratch-repository.js';
import { backends, gateway } from './s3-subject.js';

const make = backends(gateway);

/** One call in five fails, in no regular order, after the store has carried it out. */
const unreliable: FaultPlan = ({ number }) =>
  (Math.imul(number, 0x9e3779b1) >>> 8) % 5 === 0 ? { when: 'after' } : undefined;

// One in the other: each alone is judged over other media.
conformance('gateway with traffic, faults and retry', async (folder) =>
  withRetry(withFaults(withTraffic(await make(folder)), unreliable), { attempts: 60, sleep: async () => {} }),
);
readingConformance('gateway append-only and read-only', async (folder) => {
  const writer = await make(folder);
  return { reader: readOnly(appendOnly(writer)), writer: appendOnly(writer) };
});

if (isSoak) {
  conformance('gateway with retry', async (folder) => withRetry(await make(folder)));
  conformance('gateway with traffic', async (folder) => withTraffic(await make(folder)));
  conformance('gateway without faults', async (folder) => withFaults(await make(folder), () => undefined));
  readingConformance('gateway read-only', async (folder) => {
    const writer = await make(folder);
    return { reader: readOnly(writer), writer };
  });
  readingConformance('gateway append-only', async (folder) => {
    const writer = appendOnly(await make(folder));
    return { reader: writer, writer };
  });
}
