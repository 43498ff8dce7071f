import { readdir } from 'node:fs/promises';
import { objectPath } from '../../backends/index.js';
import { errnoOf, isAlive } from '../../core/index.js';
import { listSessions } from '../../repo/index.js';
import type { CheckContext } from './check-context.js';
import type { ReadIndex } from './read-index.js';

/** What killed runs leave behind is no damage: it is told as notes. */
export async function tellLeftovers(its: CheckContext, read: ReadIndex): Promise<string[]> {
  const { backend, records, identity } = its.repository;
  const notes: string[] = [];
  const sessions = await listSessions({ backend, records }, { ended: 'skip' });
  for (const { id, record } of sessions) {
    if (record === undefined) {
      notes.push(
        `the record of session ${id.slice(0, 8)} cannot be read (${objectPath('sessions', `${id}/0`)})`,
      );
      continue;
    }
    const state = isAlive(record, identity);
    const who = `session ${id.slice(0, 8)} of process ${record.pid} on ${record.host}`;
    if (state === 'dead') {
      notes.push(`${who} was killed; the next snapshot of this host ends it and uses what it stored`);
    } else if (state === 'unknown') notes.push(`${who} is not ended: it may be running, or was killed`);
  }
  const { segments, packs, bytes } = read.undecided;
  if (segments > 0)
    notes.push(`${segments} index segments do not count: the sessions that wrote them did not end`);
  if (packs > 0) {
    notes.push(
      `${packs === 1 ? '1 pack' : `${packs} packs`} (${bytes} bytes) ${packs === 1 ? 'is' : 'are'} named by no index segment that counts: killed or running snapshots wrote ${packs === 1 ? 'it' : 'them'}`,
    );
  }
  for (const object of read.strangers) notes.push(`${object} is not a name that cbr gives: it is ignored`);
  const staged = await countStaged(its);
  if (staged > 0)
    notes.push(`files are staged in ${backend.stagingFolder}, by killed or running snapshots: ${staged}`);
  return notes;
}

async function countStaged({ repository }: CheckContext): Promise<number> {
  const folder = repository.backend.stagingFolder;
  if (folder === undefined) return 0;
  try {
    return (await readdir(folder)).length;
  } catch (error) {
    // No such folder, or none that may be looked into: nothing to tell.
    if (errnoOf(error) === undefined) throw error;
    return 0;
  }
}
