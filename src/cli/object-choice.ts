import type { ObjectKind } from '../backends/index.js';
import { CbrError } from '../core/index.js';
import { displayText } from './raw-names.js';

/** Finding objects by what a user writes of their names. */

const MOST_CANDIDATES = 8;
/** Kinds whose names are numbers: the beginning of one is another one. */
const NUMBERED: ReadonlySet<ObjectKind> = new Set(['config', 'policies', 'catalog', 'marks']);

/**
 * The name of an object among all of its kind: a number, or the beginning of an id. Of a session its record is meant, of the
 * notes of a snapshot the last one, unless a number follows behind a '/'. Rejects with `not-found` and, naming the
 * candidates, with `ambiguous`.
 */
export function chosenObject(kind: ObjectKind, names: readonly string[], wanted: string): string {
  const [first = '', second] = wanted.split('/');
  const prefix = first.toLowerCase();
  const isMeant = (name: string): boolean => {
    if (name === wanted) return true;
    const [id = '', number] = name.split('/');
    if (kind === 'leases') return name === `prune/${wanted}`;
    if (NUMBERED.has(kind)) return false;
    if (!/^[0-9a-f]+$/.test(prefix) || !id.startsWith(prefix)) return false;
    return second === undefined ? kind !== 'sessions' || number === '0' : number === second;
  };
  const exact = names.find((name) => name === wanted);
  const found = exact === undefined ? names.filter(isMeant) : [exact];
  const last = kind === 'notes' ? lastOfOne(found) : found.length === 1 ? found[0] : undefined;
  if (last !== undefined) return last;
  if (found.length === 0) {
    throw new CbrError('not-found', `there is no ${kind}/${displayText(wanted)}`, {
      hint: 'Without a name, cbr cat lists those that there are.',
    });
  }
  const shown = found.slice(0, MOST_CANDIDATES).map((name) => name.slice(0, 24));
  const more = found.length > shown.length ? `, and ${found.length - shown.length} more` : '';
  throw new CbrError(
    'ambiguous',
    `${found.length} of ${kind} begin with ${displayText(wanted)}: ${shown.join(', ')}${more}`,
    {
      hint: 'Give more digits.',
    },
  );
}

/** The note with the highest number, where all are of one snapshot. */
function lastOfOne(names: readonly string[]): string | undefined {
  const ids = new Set(names.map((name) => name.split('/')[0]));
  return ids.size === 1 ? highest(names) : undefined;
}

/** Of names that end with a number. */
export function highest(names: readonly string[]): string | undefined {
  const numberOf = (name: string): number => Number(name.slice(name.lastIndexOf('/') + 1));
  return [...names].sort((a, b) => numberOf(a) - numberOf(b)).at(-1);
}
