import { catalogOnDiscs, labelledDiscs } from '../disc/index.js';
import { type DiscCatalog, type Repository, readDiscCatalog } from '../repo/index.js';
import type { CommandContext } from './command.js';
import { countOf } from './sizes.js';

/**
 * What the repository knows of discs. One that is read from discs knows what was known before they were written: that it does not know better is
 * said, and discs that were planned then count as built. Rejects as `readDiscCatalog`.
 */
export async function knownDiscs(
  { output }: Pick<CommandContext, 'output'>,
  repository: Repository,
): Promise<DiscCatalog> {
  const stored = await readDiscCatalog(repository);
  const isOnLabel = await labelledDiscs(repository.backend);
  if (isOnLabel === undefined) return stored;
  const { catalog, assumed } = catalogOnDiscs(stored, isOnLabel);
  if (assumed > 0) {
    output.problem({
      severity: 'note',
      about: 'repository',
      code: 'assumed-built',
      reason: `this is what was known when these discs were made: ${countOf(assumed, 'disc')} that ${assumed === 1 ? 'was' : 'were'} planned then ${assumed === 1 ? 'counts' : 'count'} as built, and later ones are not known`,
    });
  }
  return catalog;
}

/** Said where there are no discs: what lives on images itself has some, of which nobody keeps a list. */
export function noDiscsText({ backend }: Repository): string {
  if (backend.gathering === undefined && !backend.location.startsWith('disc:'))
    return 'There are no discs yet.';
  return 'No discs were built from this repository. It lives on images itself, which are not listed here.';
}
