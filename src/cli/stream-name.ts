import { CbrError, toLatin1 } from '../core/index.js';
import { isEntryName, joinRaw, type RawPath } from '../fs/index.js';
import { displayText } from './raw-names.js';

/** As long as the longest path that Linux takes. */
const MOST_BYTES = 4096;

/**
 * Where a file that comes from a stream stands in the snapshot: `db/dump.sql` is `/db/dump.sql`. Rejects with `usage` a name
 * that leads elsewhere, or that no folder can hold.
 */
export function streamPath(name: string): RawPath {
  const raw = toLatin1(Buffer.from(name, 'utf8'));
  const names = raw.split('/').filter((each) => each !== '' && each !== '.');
  const refuse = (why: string): never => {
    throw new CbrError('usage', `--stdin-name '${displayText(name.slice(0, 100))}' ${why}`, {
      hint: 'Give the path of a file in the snapshot, such as db/dump.sql.',
    });
  };
  if (names.length === 0) refuse('names nothing');
  if (/(^|\/)\.?$/.test(raw)) refuse('is the name of a folder');
  if (names.includes('..')) refuse("leads elsewhere by '..'");
  if (raw.length > MOST_BYTES) refuse(`is longer than ${MOST_BYTES} bytes`);
  if (!names.every(isEntryName)) refuse('has a part that is longer than 255 bytes');
  return names.reduce<RawPath>(joinRaw, '/' as RawPath);
}
