import { decode, readAhead, type SessionId, toHex } from '../../core/index.js';
import { ifDamaged } from '../damage.js';
import { recordMemory } from '../load-repository.js';
import { decodeRecord } from '../record-store.js';
import { forgottenRecord, outcomeRecord } from '../records.js';
import type { Repository } from '../repository.js';

/**
 * The snapshots that forgotten ones saw when they were taken: their records stay for ever, and bear witness to what somebody
 * removed when all later snapshots are forgotten, too. Records that cannot be opened tell nothing.
 */
export async function seenByForgotten(
  { backend, records, cache }: Repository,
  forgotten: ReadonlySet<SessionId>,
): Promise<Set<SessionId>> {
  const memory = recordMemory(cache);
  const seen = new Set<SessionId>();
  const read = async (sid: SessionId): Promise<readonly Uint8Array[]> => {
    const kept = memory.get('forgotten', sid);
    try {
      const stored = kept ?? (await backend.read('forgotten', sid));
      const { outcome } = decodeRecord('forgotten', sid, forgottenRecord, stored, records);
      if (kept === undefined) memory.put('forgotten', sid, stored);
      return decode(outcomeRecord, outcome, `forgotten/${sid}`).seen;
    } catch (error) {
      ifDamaged(error);
      return [];
    }
  };
  for await (const ids of readAhead(forgotten, backend.concurrency, read)) {
    for (const id of ids) seen.add(toHex(id) as SessionId);
  }
  return seen;
}
