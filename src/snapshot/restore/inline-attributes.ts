import { CbrError, messageOf } from '../../core/index.js';
import { displayPath } from '../../fs/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { Entry, ExtendedAttribute } from '../entry.js';
import type { RestoreReport } from './restore-report.js';

/** Fetches large attribute values, which lie beside the entries. */
export class InlineAttributes {
  constructor(
    private readonly read: ReadTreeChunk,
    private readonly report: RestoreReport,
  ) {}

  /** The entry with all values; those that cannot be fetched are reported, and stay what they are. */
  async of<E extends Entry | undefined>(entry: E, path: string): Promise<E> {
    if (entry?.xattrs === undefined || hasInlineXattrs(entry)) return entry;
    const xattrs: ExtendedAttribute[] = [];
    for (const { name, value } of entry.xattrs) {
      if (value instanceof Uint8Array) xattrs.push({ name, value });
      else {
        try {
          xattrs.push({ name, value: Uint8Array.from(await this.read(value)) });
        } catch (error) {
          if (!(error instanceof CbrError)) throw error;
          this.report.lose(path, `attribute ${displayPath(name)}: ${messageOf(error)}`);
          xattrs.push({ name, value });
        }
      }
    }
    return { ...entry, xattrs };
  }
}

/** Nearly all entries: nothing of them has to be fetched. */
export function hasInlineXattrs({ xattrs }: Entry): boolean {
  return xattrs === undefined || xattrs.every(({ value }) => value instanceof Uint8Array);
}
