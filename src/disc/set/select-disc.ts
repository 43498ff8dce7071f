import { CbrError } from '../../core/index.js';
import type { CatalogBuild, CatalogDisc, DiscCatalog } from '../../repo/index.js';

/** How users name one of the discs that the catalog knows. Pure. */

export interface ChosenDisc {
  readonly build: CatalogBuild;
  readonly disc: CatalogDisc;
}

const MOST_CANDIDATES = 8;

/** `home/3`. */
export function discName(
  { set }: Pick<CatalogBuild, 'set'>,
  { number }: Pick<CatalogDisc, 'number'>,
): string {
  return `${set}/${number}`;
}

/**
 * The one disc that `text` means: its set and number (`home/3`), its volume id in any case, or its id or the beginning of it.
 * Rejects with `not-found`, and with `ambiguous`, naming the candidates.
 */
export function selectDisc({ builds }: Pick<DiscCatalog, 'builds'>, text: string): ChosenDisc {
  const all = builds.flatMap((build) => build.discs.map((disc) => ({ build, disc })));
  const named = all.filter(
    ({ build, disc }) =>
      discName(build, disc) === text || (text !== '' && disc.volume.toLowerCase() === text.toLowerCase()),
  );
  const prefix = text.toLowerCase();
  const isId = /^[0-9a-f]{1,32}$/.test(prefix);
  const found = named.length > 0 ? named : isId ? all.filter(({ disc }) => disc.id.startsWith(prefix)) : [];
  if (found.length === 1) return found[0]!;
  const shown = JSON.stringify(text.slice(0, 80));
  if (found.length === 0) {
    throw new CbrError('not-found', `the catalog has no disc ${shown}`, {
      hint: 'Give its set and number (home/3), its volume id, or the beginning of its id. See: cbr disc list',
    });
  }
  const candidates = found.slice(0, MOST_CANDIDATES).map(described).join(', ');
  const more = found.length > MOST_CANDIDATES ? `, and ${found.length - MOST_CANDIDATES} more` : '';
  throw new CbrError('ambiguous', `${found.length} discs are called ${shown}: ${candidates}${more}`, {
    hint: 'Give the set and the number, or more digits of the id.',
  });
}

function described({ build, disc }: ChosenDisc): string {
  return `${disc.id.slice(0, 12)} (${JSON.stringify(discName(build, disc))})`;
}
