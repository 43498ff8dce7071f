import { leftProbes, staleTemporaries } from '../backends/index.js';
import { isAlive, type SessionId } from '../core/index.js';
import type { Repository } from './repository.js';
import { hasOutcome, listSessions } from './session.js';

/** What is left over in a repository, as far as this machine can tell; nothing is changed by asking. */
export interface LeftOver {
  /** Sessions of this machine whose process is gone: rule 9 ends them when the next session begins. */
  readonly dead: readonly { readonly id: SessionId; readonly pid: number; readonly hasOutcome: boolean }[];
  /** Staged files of processes of this machine that have ended: paths. */
  readonly staged: readonly string[];
  /** Names of objects that probes have left; some may be of a probe that runs. */
  readonly probes: readonly string[];
}

export async function leftOver({ backend, records, identity, now }: Repository): Promise<LeftOver> {
  const dead: LeftOver['dead'][number][] = [];
  for (const { id, record } of await listSessions({ backend, records })) {
    if (record === undefined || isAlive(record, identity) !== 'dead') continue;
    dead.push({ id, pid: record.pid, hasOutcome: await hasOutcome(backend, id) });
  }
  const { stagingFolder } = backend;
  const staged = stagingFolder === undefined ? [] : await staleTemporaries(stagingFolder, 0, now());
  return { dead, staged, probes: await leftProbes(backend) };
}
