import { messageOf } from '../../core/index.js';
import {
  FILLED_FOLDER,
  FileError,
  isFilled,
  lookAt,
  type MetadataWriter,
  type Replaced,
  type SeenEntry,
} from '../../fs/index.js';
import type { Entry } from '../entry.js';
import { encodeEntry } from '../tree.js';
import type { ContentComparison } from './content-comparison.js';
import type { EntryEnd } from './entry-end.js';
import type { PlacedEntry } from './file-underway.js';
import { FATAL, metadataOf } from './file-writer.js';
import { hasInlineXattrs, type InlineAttributes } from './inline-attributes.js';
import { fateOf, type OverwriteRule } from './overwrite-rule.js';
import type { RestoreReport } from './restore-report.js';
import { TAKEN_NAME, type TakenNames } from './taken-names.js';

export interface ExistingEntriesParts {
  readonly rule: OverwriteRule;
  readonly metadata: MetadataWriter;
  readonly report: RestoreReport;
  readonly attributes: InlineAttributes;
  readonly comparison: ContentComparison;
  readonly taken: TakenNames;
  /** The name under which a folder in the way is kept until it is deleted; undefined: it must not be. */
  readonly asideFor: (path: string, name: string) => string | undefined;
  /** Restores an entry, in the place of something if there is something. */
  readonly restore: (placed: PlacedEntry, replaces?: Replaced) => Promise<void> | undefined;
  /** An entry that is not restored has ended. */
  readonly ended: (placed: PlacedEntry, end: EntryEnd) => void;
}

/** Decides what becomes of entries that are not folders in folders that were there before. */
export class ExistingEntries {
  constructor(private readonly its: ExistingEntriesParts) {}

  /** Takes an entry that is to be restored into a folder that existed. */
  meet(placed: PlacedEntry): Promise<void> | undefined {
    return this.guarded(placed, () => this.judge(placed));
  }

  private judge(placed: PlacedEntry): Promise<void> | undefined {
    const { node, entry, path } = placed;
    const { rule, comparison, taken, restore, ended } = this.its;
    const seen = lookAt(node.folder, entry.name);
    if (seen === undefined) return restore(placed);
    if (taken.isTaken(node.folder, entry.name, seen)) {
      this.lose(placed, TAKEN_NAME);
      return undefined;
    }
    switch (fateOf(entry, seen, rule)) {
      case 'keep':
        this.its.report.existed(path);
        ended(placed, 'existed');
        return undefined;
      case 'right':
        // Only what is known to be what was stored is given its rights.
        if (seen.names === 1 && this.lendsRights(placed, seen)) return comparison.start(placed, seen);
        return this.correct(placed, seen);
      case 'compare':
        return comparison.start(placed, seen);
      case 'replace':
        return this.replace(placed, seen);
    }
  }

  private lendsRights({ node, entry }: PlacedEntry, seen: SeenEntry): boolean {
    return (
      entry.type === 'file' && this.its.metadata.lendsRights(node.folder, entry.name, seen, metadataOf(entry))
    );
  }

  /** What cannot be looked at is lost. */
  private guarded(placed: PlacedEntry, action: () => Promise<void> | undefined): Promise<void> | undefined {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof FileError) || FATAL.has(error.errno)) throw error;
      this.lose(placed, messageOf(error));
      return undefined;
    }
  }

  /** Goes on with the files that were compared since the last time. */
  async goOn(): Promise<void> {
    for (const { file, seen, isSame } of this.its.comparison.take()) {
      await this.guarded(file, () => (isSame ? this.correct(file, seen) : this.replace(file, seen)));
    }
  }

  /** The content is right: the metadata may differ. */
  private correct(placed: PlacedEntry, seen: SeenEntry): Promise<void> | undefined {
    const { attributes } = this.its;
    if (hasInlineXattrs(placed.entry)) return this.correctWhole(placed, placed.entry, seen);
    return attributes.of(placed.entry, placed.path).then((whole) => this.correctWhole(placed, whole, seen));
  }

  private correctWhole(placed: PlacedEntry, whole: Entry, seen: SeenEntry): Promise<void> | undefined {
    const { metadata, report, ended } = this.its;
    const { node, entry, path } = placed;
    const wanted = metadataOf(whole);
    const { flags = 0 } = entry;
    const isWhole = hasInlineXattrs(whole);
    // Other names of it may lie anywhere, also outside the target: nothing is changed through one of several.
    if (seen.names > 1) {
      const { folder } = node;
      const isWrong =
        metadata.differs(folder, entry.name, seen, wanted) || metadata.lacksFlags(folder, entry.name, flags);
      if (isWhole && isWrong) return this.replaceWhole(placed, seen);
    } else {
      metadata.correctEntry(node.folder, entry.name, seen, wanted);
      if (entry.linkGroup === undefined) metadata.setFlagsOfEntry(node.folder, entry.name, flags, 1);
    }
    if (isWhole) report.right(path, entry.size);
    ended(placed, isWhole ? 'right' : 'lost');
    return undefined;
  }

  /** What exists stays where an attribute of what would replace it is lost: it may be the last copy of that. */
  private replace(placed: PlacedEntry, seen: SeenEntry): Promise<void> | undefined {
    const { node, entry, path } = placed;
    if (hasInlineXattrs(entry)) return this.replaceWhole(placed, seen);
    return this.its.attributes.of(entry, path).then((whole) => {
      if (!hasInlineXattrs(whole)) return this.its.ended(placed, 'lost');
      return this.replaceWhole({ node, entry: whole, encoded: encodeEntry(whole), path }, seen);
    });
  }

  private replaceWhole(placed: PlacedEntry, seen: SeenEntry): Promise<void> | undefined {
    const { node, entry, path } = placed;
    const isBlocked = seen.type === 'directory' && isFilled(node.folder, entry.name);
    const aside = isBlocked ? this.its.asideFor(path, entry.name) : undefined;
    if (!isBlocked || aside !== undefined) return this.its.restore(placed, { seen, aside });
    this.lose(placed, FILLED_FOLDER);
    return undefined;
  }

  private lose(placed: PlacedEntry, reason: string): void {
    this.its.report.lose(placed.path, reason);
    this.its.ended(placed, 'lost');
  }
}
