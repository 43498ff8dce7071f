import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BackendError } from '../../dist/core/index.js';
import { countTransactions, type Order, Prunable, recordCalls, runAndKill } from './prune-faults.js';
import { forget, prune } from './prune-subject.js';
import { isSoak } from './scratch-repository.js';

const CHANGING = new Set(['write', 'remove', 'removeMany']);

let original: Prunable;
beforeAll(async () => {
  original = await Prunable.make();
});
afterAll(() => original.remove());

const DEEDS = [
  {
    deed: 'prune',
    forgets: false,
    calls: () => recordCalls(original, (its, plan) => its.pruneFailing(plan)),
    transactions: () => countTransactions(original, (its) => prune(its)),
  },
  {
    deed: 'forget',
    forgets: true,
    calls: () => recordCalls(original, (its, plan) => its.forgetFailing(plan)),
    transactions: () => countTransactions(original, (its) => forget(its, its.victim)),
  },
] as const;

/** Kills at each of the places, and sees that nothing is lost, with the cache that was left and with a new one. */
async function killAtAll(orders: readonly Order[], forgets: boolean, isCaseOfAll: boolean): Promise<void> {
  const cases: (Order & { readonly its: Prunable })[] = [];
  try {
    for (const order of orders) cases.push({ ...order, its: original.copy() });
    const endings = runAndKill(cases, forgets);
    const stopped = [...endings.values()].filter((ending) => ending.includes('injected stop'));
    expect(endings.size).toBe(cases.length);
    if (isCaseOfAll) expect(stopped.length).toBeGreaterThan(cases.length / 2);
    for (const [i, { its, ...order }] of cases.entries()) {
      const isNew = i % 3 === 2;
      const opening = isNew ? { cacheRoot: join(its.root, 'another cache') } : {};
      try {
        await its.expectRecovery(opening, isSoak || i % 10 === 0);
      } catch (error) {
        const cache = isNew ? 'a new cache' : 'the same cache';
        throw new Error(`${JSON.stringify(order)}, ${cache}: ${endings.get(its.repo)}`, { cause: error });
      }
    }
  } finally {
    for (const { its } of cases) its.remove();
  }
}

describe.each(DEEDS)('the process dies in a $deed', ({ forgets, calls, transactions }) => {
  test('at any call to the repository', { timeout: 1_800_000 }, async () => {
    const orders: Order[] = [];
    for (const { number, operation } of await calls()) {
      // Between two changes the repository is the same, whichever look is the last one.
      if (!isSoak && !CHANGING.has(operation) && number % 9 > 0) continue;
      // What is only looked at is the same before and after.
      for (const when of ['before', 'after'] as const) {
        if (when === 'before' || CHANGING.has(operation)) orders.push({ call: number, when });
      }
    }
    await killAtAll(orders, forgets, true);
  });

  test('at any transaction of the cache', { timeout: 1_800_000 }, async () => {
    const count = await transactions();
    // The cache before a transaction is the one after the last: what happens to the repository meanwhile is the other test's.
    const times = isSoak ? (['before', 'after'] as const) : (['after'] as const);
    const orders = Array.from({ length: count }, (_, i) =>
      times.map((when) => ({ transaction: i + 1, when })),
    ).flat();
    await killAtAll(orders, forgets, false);
  });
});

describe.each(DEEDS)('one call of a $deed fails', ({ deed, forgets, calls }) => {
  test.each(['retryable', 'final'] as const)('%s', { timeout: 1_800_000 }, async (sort) => {
    for (const { number, operation } of await calls()) {
      const isFinal = Number(sort === 'final');
      // Some looks fail, in turns one way or the other.
      if (!isSoak && !CHANGING.has(operation) && number % 6 !== 3 * isFinal) continue;
      for (const when of ['before', 'after'] as const) {
        if (when === 'after' && !CHANGING.has(operation)) continue;
        // Of changes each way is tried before one call and after the next.
        if (!isSoak && CHANGING.has(operation) && (number + isFinal + Number(when === 'after')) % 2 > 0)
          continue;
        const its = original.copy();
        try {
          const error = new BackendError('the store has hiccups', sort === 'retryable');
          const plan = (call: { number: number }) => (call.number === number ? { when, error } : undefined);
          await (forgets ? its.forgetFailing(plan) : its.pruneFailing(plan)).catch((each: unknown) => {
            if (!(each instanceof Error) || !each.message.includes('hiccups')) throw each;
          });
          await its.expectRecovery({}, isSoak);
        } catch (cause) {
          throw new Error(`${deed}, ${when} call ${number} (${operation})`, { cause });
        } finally {
          its.remove();
        }
      }
    }
  });
});
