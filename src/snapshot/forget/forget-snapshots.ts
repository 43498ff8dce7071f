import { forEachParallel } from '../../backends/index.js';
import type { SessionId } from '../../core/index.js';
import { forgetSnapshot, isOutOfRoom, type OutcomeRecord, type Repository } from '../../repo/index.js';

export interface ForgetOptions {
  /** Who forgets them, at most 1024 bytes; it stands in their `forgotten` records. */
  readonly by: string;
  /** Seconds since 1970. */
  readonly nowSeconds: number;
  readonly signal: AbortSignal;
  /** Called for each that was forgotten. */
  readonly onForgotten?: (id: SessionId) => void;
}

/**
 * Forgets snapshots (docs/protocol.md rule 14); returns those that were forgotten, without those that others had forgotten
 * before. Their space is free after a prune, and until then they can be brought back. Rejects when a record cannot be opened
 * or the backend fails: each snapshot is then still there or forgotten, and doing it again goes on. On a full disk the reserve
 * of the repository is used: what frees room must not fail for want of it. `known`: outcomes that were read a moment ago.
 */
export async function forgetSnapshots(
  repository: Pick<Repository, 'backend' | 'records' | 'report'>,
  ids: readonly SessionId[],
  { by, nowSeconds, signal, onForgotten }: ForgetOptions,
  known: ReadonlyMap<SessionId, OutcomeRecord> = new Map(),
): Promise<readonly SessionId[]> {
  const { backend, records } = repository;
  let isReserveUsed = false;
  const forgetOne = async (id: SessionId): Promise<'forgotten' | 'gone'> => {
    const outcome = known.get(id);
    try {
      return await forgetSnapshot({ backend, records }, id, by, nowSeconds, outcome);
    } catch (error) {
      if (!isOutOfRoom(error) || backend.room === undefined) throw error;
      isReserveUsed = true;
      backend.room.release();
      return forgetSnapshot({ backend, records }, id, by, nowSeconds, outcome);
    }
  };
  const forgotten = new Set<SessionId>();
  try {
    await forEachParallel([...new Set(ids)], backend.concurrency, async (id) => {
      signal.throwIfAborted();
      if ((await forgetOne(id)) === 'gone') return;
      forgotten.add(id);
      onForgotten?.(id);
    });
  } finally {
    if (isReserveUsed && backend.room?.reserve() === false) {
      const what = 'The disk is full, and the reserve of the repository is used up';
      repository.report(`${what}: prune next.`, 'notice');
    }
  }
  return ids.filter((id) => forgotten.has(id));
}
