import { toLatin1 } from '../core/index.js';
import { type EntryFilter, type FilterRule, NODUMP_FLAG } from '../fs/index.js';
import type { Entry } from './entry.js';

/**
 * The rule that leaves out an entry of a tree, where the folders above it are taken; `path` is raw and relative to the
 * root of the filter. What a folder says by files in it (ignore files, CACHEDIR.TAG) counts at a source only.
 */
export function excludedEntry(
  filter: EntryFilter,
  path: string,
  entry: Pick<Entry, 'tree' | 'size' | 'flags' | 'xattrs'>,
): FilterRule | undefined {
  const { nodump } = filter.rules;
  return (
    filter.excludedByPath(path, entry.tree !== undefined) ??
    (entry.size === undefined ? undefined : filter.excludedBySize(entry.size)) ??
    (nodump !== undefined && ((entry.flags ?? 0) & NODUMP_FLAG) !== 0 ? nodump : undefined) ??
    (filter.rules.xattrs.length > 0 && entry.xattrs !== undefined
      ? filter.excludedByXattrs(
          entry.xattrs.map(({ name, value }) => ({
            name,
            value: value instanceof Uint8Array ? toLatin1(value) : undefined,
          })),
        )
      : undefined)
  );
}
