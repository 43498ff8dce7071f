import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backend } from '../../backends/index.js';
import type { CheckedRecords } from './check-records.js';
import type { ReadIndex } from './read-index.js';

/** What is missing from discs by their nature, and what is told of it. */

/** Stands on every disc (docs/format.md, "Discs"), and so in a folder to which discs were copied. */
const LABEL_FILE = 'disc.json';

/**
 * Whether the repository lies on discs, or in a folder to which discs were copied. Discs have the records of those snapshots alone that
 * they were made for. Segments that were written for discs do not tell: they can be copied anywhere.
 */
export async function liesOnDiscs({ gathering, folder }: Backend): Promise<boolean> {
  // Nothing else has parts that somebody puts in. A repository that lives on images keeps its records beside them.
  if (gathering !== undefined) return !gathering.hasAllRecords;
  if (folder === undefined) return false;
  return access(join(folder, LABEL_FILE)).then(
    () => true,
    () => false,
  );
}

/** What is not there, and is no damage: its numbers. `lacksSnapshots`: those that vanished are not findings. */
export function tellOfDiscs(
  { vanished, view, damagedLeases }: CheckedRecords,
  { isOfDiscs, index }: ReadIndex,
  lacksSnapshots: boolean,
): string[] {
  const notes: string[] = [];
  if (lacksSnapshots && vanished.size > 0) {
    notes.push(
      `${are(vanished.size, 'snapshot')} not here, though others saw them and nobody forgot them: discs have the records of those alone that they were made for`,
    );
  }
  const absent = index.absentSegments.length;
  const hasPruned = view.leases.size > 0 || damagedLeases.length > 0;
  if (isOfDiscs && !hasPruned && absent > 0) {
    notes.push(
      `${are(absent, 'index segment')} not here, though snapshots wrote them: others were written for discs in their place`,
    );
  }
  return notes;
}

function are(count: number, noun: string): string {
  return count === 1 ? `1 ${noun} is` : `${count} ${noun}s are`;
}
