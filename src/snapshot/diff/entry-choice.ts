import {
  compileRules,
  type EntryFilter,
  type FilterRules,
  NODUMP_FLAG,
  type RawPath,
} from '../../fs/index.js';
import type { Entry } from '../entry.js';

/** Of an entry: it is chosen, only what is below it may be, or neither. */
export type Choice = 'chosen' | 'on the way' | 'left out';

/**
 * Applies rules to the entries of a walk that comes to each folder before what is in it. Paths are relative to `root`. What
 * is below something left out need not be asked for, and is left out too.
 */
export class EntryChoice {
  private readonly filter: EntryFilter | undefined;
  private leftOut: string | undefined;
  private chosen: string | undefined;

  constructor(
    private readonly rules: FilterRules,
    root: RawPath,
  ) {
    this.filter = compileRules(rules, root);
  }

  of(path: string, entry: Entry): Choice {
    const { filter } = this;
    if (filter === undefined) return 'chosen';
    if (this.leftOut !== undefined && path.startsWith(this.leftOut)) return 'left out';
    this.leftOut = undefined;
    const isFolder = entry.type === 'directory';
    if (this.isExcluded(filter, path, entry)) {
      if (isFolder) this.leftOut = `${path}/`;
      return 'left out';
    }
    if (this.chosen !== undefined && path.startsWith(this.chosen)) return 'chosen';
    this.chosen = undefined;
    if (!filter.chooses(path, isFolder)) return isFolder ? 'on the way' : 'left out';
    if (isFolder) this.chosen = path === '' ? '' : `${path}/`;
    return 'chosen';
  }

  private isExcluded(
    filter: EntryFilter,
    path: string,
    { type, size, flags = 0, xattrs = [] }: Entry,
  ): boolean {
    if (filter.excludedByPath(path, type === 'directory') !== undefined) return true;
    if (size !== undefined && filter.excludedBySize(size) !== undefined) return true;
    if (this.rules.nodump !== undefined && (flags & NODUMP_FLAG) !== 0) return true;
    if (this.rules.xattrs.length === 0) return false;
    const named = xattrs.map(({ name, value }) => ({
      name,
      value: value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : undefined,
    }));
    return filter.excludedByXattrs(named) !== undefined;
  }
}
