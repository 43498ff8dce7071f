import { discard, type TargetFolder, type TemporaryFile } from '../../fs/index.js';

/**
 * Discards a file that is lost for another reason, which must not be hidden by one that removing it may have. What stays of
 * it is removed by the next restore into its folder.
 */
export function abandon(folder: TargetFolder, file: TemporaryFile): void {
  try {
    discard(folder, file);
  } catch {
    // The descriptor is closed whatever happens.
  }
}
