import { CbrError } from '../core/index.js';
import { readIso, readIsoFile } from './iso/read-iso.js';
import type { SectorSource } from './iso/sectors.js';
import { type DiscLabel, LABEL_BYTES, LABEL_FILE, parseLabel } from './label.js';

/**
 * Reads the label of a disc or an image. `subject` names it in messages. Rejects with `not-a-repository` for a disc that has none, and as
 * `readIso` and `parseLabel`.
 */
export async function labelOnDisc(source: SectorSource, subject: string): Promise<DiscLabel> {
  const { files } = await readIso(source);
  const file = files.get(LABEL_FILE);
  if (file === undefined || file.size > LABEL_BYTES) {
    throw new CbrError('not-a-repository', `${subject} is no disc of cbr: it has no ${LABEL_FILE}`, {
      hint: 'Name an image or a drive with a disc that cbr has made.',
    });
  }
  return parseLabel(await readIsoFile(source, file, 0, file.size), subject);
}
