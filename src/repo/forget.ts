import { encode, ObjectExistsError, ObjectNotFoundError, type SessionId } from '../core/index.js';
import { requireRemoval } from './may-remove.js';
import { createRecord, readRecord } from './record-store.js';
import { forgottenRecord, type OutcomeRecord, outcomeRecord } from './records.js';
import type { SessionContext } from './session.js';

/** What the protocol says about snapshots that are forgotten: docs/protocol.md rules 7 and 14. */

/**
 * Forgets one snapshot (rule 14). `gone`: there is no commit under that id, because it was forgotten before, was ended by a
 * fence, or never was; nothing is changed then. A forget that was killed half way is finished. Rejects when the outcome
 * cannot be opened, for whether it is a commit is unknown then, and when the backend fails; done again it goes on. `known`: its
 * commit, where it was read a moment ago.
 */
export async function forgetSnapshot(
  { backend, records }: SessionContext,
  sid: SessionId,
  by: string,
  nowSeconds: number,
  known?: OutcomeRecord,
): Promise<'forgotten' | 'gone'> {
  requireRemoval(backend, 'forgetting');
  const outcome = known ?? (await readOutcome({ backend, records }, sid));
  // A fence stays for ever: its session could commit again without it.
  if (outcome?.outcome !== 'commit') return 'gone';
  const record = { outcome: encode(outcomeRecord, outcome), by, time: nowSeconds };
  try {
    await createRecord(backend, 'forgotten', sid, forgottenRecord, record, records);
  } catch (error) {
    if (!(error instanceof ObjectExistsError)) throw error;
  }
  // Only now: a snapshot without either record would have vanished, and its segments would not count.
  await backend.remove('snapshots', sid);
  return 'forgotten';
}

/** Undefined when there is none. Rejects when it cannot be opened. */
export async function readOutcome(
  { backend, records }: Pick<SessionContext, 'backend' | 'records'>,
  sid: SessionId,
): Promise<OutcomeRecord | undefined> {
  try {
    return await readRecord(backend, 'snapshots', sid, outcomeRecord, records);
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return undefined;
    throw error;
  }
}
