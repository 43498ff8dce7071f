import { CbrError } from '../../core/index.js';

/** Names of disc sets, and of their discs. */

const MOST_LETTERS = 64;
/** Volume ids have 32 letters: those that are left beside `CBR_` and a number. */
const MOST_IN_VOLUME = 20;

/** Rejects with `usage` what is no name of a set. */
export function checkSetName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) && name.length <= MOST_LETTERS) return name;
  throw new CbrError('usage', `${JSON.stringify(name)} is no name of a disc set`, {
    hint: `Use up to ${MOST_LETTERS} letters, digits, dots, dashes and underlines, such as photos-2026.`,
  });
}

/** The volume id of a disc: `CBR_PHOTOS_2026_0003`. */
export function volumeIdOf(set: string, number: number): string {
  const letters = set
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .slice(0, MOST_IN_VOLUME);
  return `CBR_${letters}_${String(number).padStart(4, '0')}`;
}
