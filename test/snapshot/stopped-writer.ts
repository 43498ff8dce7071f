import { expect } from 'vitest';
import type { Backend } from '../../dist/backends/index.js';
import { type FaultPlan, type FaultyBackend, withFaults } from '../../dist/backends/index.js';
import { createRecord, leaseRecord, markRecord, type Repository } from '../../dist/repo/index.js';
import { Copy } from './check-subject.js';
import type { Scratch } from './scratch-repository.js';

/** What happens to writers that name what is stored already: it is condemned, and they are stopped. */

/** Condemns all packs that are there, by a mark. */
export function condemn(its: Copy): Promise<void> {
  const packs = its.objects('packs').map((path) => Buffer.from(path.slice(-64), 'hex'));
  return its.use(async ({ backend, records }) => {
    await createRecord(backend, 'marks', '1', markRecord, { packs }, records);
    const closing = { role: 'closing', segments: [] } as const;
    await createRecord(backend, 'leases', 'prune/2', leaseRecord, closing, records);
  });
}

/**
 * Does something to a copy of a repository of which all packs are condemned, stopped at its first call to the backend, in another
 * copy at its second, and so on until it is done; `then` looks at each. Returns how often it was stopped.
 */
export async function stopAtAnyCall(
  original: Scratch,
  action: (repository: Repository) => Promise<unknown>,
  then: (its: Copy, number: number) => Promise<void>,
): Promise<number> {
  let stops = 0;
  for (let number = 1, isDone = false; !isDone; number++) {
    const its = new Copy(original);
    await condemn(its);
    let faulty: FaultyBackend | undefined;
    let before = Number.POSITIVE_INFINITY;
    const stop: FaultPlan = (call) =>
      call.number === before + number
        ? { when: number % 2 === 0 ? 'before' : 'after', stop: true }
        : undefined;
    const wrapBackend = (medium: Backend): Backend => {
      faulty = withFaults(medium, stop);
      return faulty;
    };
    const doing = async (repository: Repository): Promise<void> => {
      before = faulty!.calls;
      await action(repository);
      isDone = faulty!.calls < before + number;
    };
    await its.use(doing, { wrapBackend }).catch((error: unknown) => {
      stops++;
      expect(String(error)).toContain('injected stop');
    });
    if (number % 4 === 0) expect((await its.check(0)).findings).toEqual([]);
    await then(its, number);
  }
  return stops;
}
