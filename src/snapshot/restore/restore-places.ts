import { CbrError } from '../../core/index.js';
import { displayPath, identitiesUpFrom, identityOfFolder, type RawPath, rawPath } from '../../fs/index.js';

/**
 * Rejects (usage) a target inside the repository, whose objects the restored files would lie among, and with `deletes` one
 * that holds the repository, whose folder is given. Symlinks and mounts lead nobody past this.
 */
export function checkPlaces(target: RawPath, folder: string, deletes: boolean): void {
  const repository = rawPath(folder);
  const own = identityOfFolder(repository);
  if (own === undefined) return;
  const about = displayPath(target);
  if (identitiesUpFrom(target).includes(own)) {
    throw new CbrError('usage', `the target lies in the repository itself: ${about}`, {
      hint: 'Choose another folder.',
    });
  }
  const to = identityOfFolder(target);
  if (deletes && to !== undefined && identitiesUpFrom(repository).includes(to)) {
    throw new CbrError('usage', `the repository lies in the target, and --delete deletes there: ${about}`, {
      hint: 'Choose another folder, or restore without --delete.',
    });
  }
}
