import { FormatError } from '../core/index.js';
import { displayPath } from './raw-path.js';

/** The most bytes a name may have on any file system cbr writes to (NAME_MAX). */
const NAME_BYTES = 255;

/** NUL and '/' end or divide a path; characters above 0xff are not bytes. */
const NOT_IN_NAMES = /[/\0\u0100-\uffff]/;

/** Whether raw bytes may name an entry of a folder: anything that cannot lead out of it. */
export function isEntryName(name: string): boolean {
  return (
    name !== '' && name !== '.' && name !== '..' && name.length <= NAME_BYTES && !NOT_IN_NAMES.test(name)
  );
}

/** Rejects (FormatError) a name that a forged or damaged tree could use to write elsewhere. */
export function checkEntryName(name: string): void {
  if (isEntryName(name)) return;
  const shown = displayPath(name.length > 64 ? `${name.slice(0, 64)}...` : name);
  throw new FormatError(`"${shown}" (${name.length} bytes) is not the name of an entry`, {
    hint: 'The tree is damaged or forged: run cbr check.',
  });
}
