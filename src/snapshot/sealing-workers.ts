import { discardPacks, type FinishedPack } from '../repo/index.js';

/** What worker threads that put chunks into packs have in common. */

type Nothing = Record<never, never>;

/** A pool of threads each of which fills packs of its own. */
export interface SealingPool {
  eachRun(task: 'finish', input: Nothing): readonly Promise<readonly FinishedPack[]>[];
  runOnEach(task: 'abandon', input: Nothing): Promise<unknown>;
}

/** What all of them finish. Rejects when one fails; what the others have finished is thrown away then. */
export async function finishEach(pool: SealingPool): Promise<readonly FinishedPack[]> {
  const outcomes = await Promise.allSettled(pool.eachRun('finish', {}));
  const finished = outcomes.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
  const failed = outcomes.find((each) => each.status === 'rejected');
  if (failed === undefined) return finished;
  discardPacks(finished);
  throw failed.reason;
}

/** Has all of them throw away what is not handed over. */
export async function abandonEach(pool: SealingPool): Promise<void> {
  // A thread that failed has nothing left to throw away.
  await pool.runOnEach('abandon', {}).catch(() => undefined);
}

/** Handed over, not copied; but a part of a larger buffer would take all of it along. */
export function handedOver(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const isWhole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
  return isWhole ? (bytes as Uint8Array<ArrayBuffer>) : Uint8Array.from(bytes);
}
