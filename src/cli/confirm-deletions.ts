import { CbrError } from '../core/index.js';
import { displayPath } from '../fs/index.js';
import type { Deletion } from '../snapshot/index.js';
import { askYes } from './ask.js';
import type { CommandContext } from './command.js';
import { canAsk } from './prompt.js';
import { rawField } from './raw-names.js';
import { countOf } from './sizes.js';

/**
 * What asks before anything is deleted: lists it, and then asks on a terminal, or refuses (usage) where nobody can be asked.
 * `isAgreed`: it was said beforehand (`--yes`).
 */
export function confirmingDeletions(
  { output, signal }: CommandContext,
  isAgreed: boolean,
): (deletions: readonly Deletion[]) => Promise<void> {
  return async (deletions) => {
    if (isAgreed) return;
    for (const { path, seen } of deletions) {
      const end = seen.type === 'directory' ? '/' : '';
      output.item(
        { action: 'delete', ...rawField('path', path) },
        () => `delete     ${displayPath(path)}${end}`,
      );
    }
    const what = countOf(deletions.length, 'entry', 'entries');
    if (!canAsk()) {
      throw new CbrError('usage', `--delete would delete ${what} from the target, and nobody can be asked`, {
        hint: 'Say --yes to delete them. Nothing was restored or deleted.',
      });
    }
    if (!(await askYes(`Restore, and then delete ${what} from the target?`, signal))) {
      throw new CbrError('target', 'not confirmed: nothing was restored or deleted');
    }
  };
}
