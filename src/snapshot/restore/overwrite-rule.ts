import type { SeenEntry } from '../../fs/index.js';
import type { Entry, TimeStamp } from '../entry.js';

/** What a restore may do to what exists in the target. */
export type Overwrite = 'never' | 'if-changed' | 'if-newer' | 'always';

export const OVERWRITES: readonly Overwrite[] = Object.freeze(['never', 'if-changed', 'if-newer', 'always']);

/** The rule of one restore. */
export interface OverwriteRule {
  readonly overwrite: Overwrite;
  /** Whether a file of the right size and time counts as right only when its content was read and compared. */
  readonly compareContent: boolean;
}

/** The default: whoever has not said so loses nothing. */
export const OVERWRITE_NOTHING: OverwriteRule = Object.freeze({ overwrite: 'never', compareContent: false });

/**
 * What becomes of an entry that is not a folder, where something has its name:
 *
 * - `keep`: what is there stays as it is;
 * - `right`: it is what is to be restored, but for its metadata perhaps;
 * - `compare`: it is if its content is;
 * - `replace`: it gives way.
 */
export type Fate = 'keep' | 'right' | 'compare' | 'replace';

export function fateOf(entry: Entry, seen: SeenEntry, rule: OverwriteRule): Fate {
  if (!mayReplace(entry, seen, rule)) return 'keep';
  if (entry.type !== seen.type) return 'replace';
  switch (entry.type) {
    case 'file': {
      if (entry.size !== seen.size) return 'replace';
      const isTrusted = rule.overwrite === 'if-changed' && !rule.compareContent;
      return isTrusted && isSameTime(entry.mtime, seen.mtime) ? 'right' : 'compare';
    }
    case 'symlink':
      return entry.linkTarget === seen.linkTarget ? 'right' : 'replace';
    case 'character device':
    case 'block device': {
      const { major, minor } = seen.device;
      return entry.device?.major === major && entry.device.minor === minor ? 'right' : 'replace';
    }
    default:
      return 'right';
  }
}

/** Whether the rule lets go of what was seen in favour of the entry, and sets the metadata of a folder that exists. */
export function mayReplace(entry: Entry, seen: SeenEntry, { overwrite }: OverwriteRule): boolean {
  if (overwrite === 'never') return false;
  return overwrite !== 'if-newer' || isNewer(entry.mtime, seen.mtime);
}

function isSameTime(a: TimeStamp, b: TimeStamp): boolean {
  return a.seconds === b.seconds && a.nanoseconds === b.nanoseconds;
}

function isNewer(a: TimeStamp, b: TimeStamp): boolean {
  return a.seconds > b.seconds || (a.seconds === b.seconds && a.nanoseconds > b.nanoseconds);
}
