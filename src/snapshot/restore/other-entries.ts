import { type MetadataWriter, type Replaced, replaceByOther } from '../../fs/index.js';
import type { Entry } from '../entry.js';
import type { EntryEnd } from './entry-end.js';
import type { PlacedEntry } from './file-underway.js';
import { metadataOf } from './file-writer.js';
import type { InlineAttributes } from './inline-attributes.js';
import { makeOther, UnmakeableEntry } from './other-entry.js';
import { loseRefused } from './refused-entry.js';
import type { RestoreReport } from './restore-report.js';
import type { TakenNames } from './taken-names.js';

/** Restores what is neither a file nor a folder. */
export class OtherEntries {
  constructor(
    private readonly metadata: MetadataWriter,
    private readonly report: RestoreReport,
    private readonly attributes: InlineAttributes,
    private readonly taken: TakenNames,
    private readonly ended: (placed: PlacedEntry, end: EntryEnd) => void,
  ) {}

  async restore(placed: PlacedEntry, replaces?: Replaced): Promise<void> {
    let end: EntryEnd = 'lost';
    try {
      end = this.make(placed, await this.attributes.of(placed.entry, placed.path), replaces);
    } catch (error) {
      loseRefused(placed.path, error, this.report);
    } finally {
      this.ended(placed, end);
    }
  }

  private make({ node, path }: PlacedEntry, entry: Entry, replaces: Replaced | undefined): EntryEnd {
    const { folder } = node;
    const { name } = entry;
    const make = (under: string): boolean | UnmakeableEntry => {
      const made = makeOther(folder, { ...entry, name: under });
      if (made === true) this.metadata.applyToEntry(folder, under, metadataOf(entry), folder.locate(name));
      return made;
    };
    const made = replaces === undefined ? make(name) : replaceByOther(folder, name, replaces, make);
    if (made instanceof UnmakeableEntry) {
      const { what, reason } = made;
      this.report.metadata([{ path: folder.locate(name), what, reason }]);
      return 'lost';
    }
    if (!made) return this.taken.endOf(folder, name, path);
    this.report.restored(path, 0, 'other', replaces !== undefined);
    return 'restored';
  }
}
