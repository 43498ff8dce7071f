import { CbrError, messageOf } from '../../core/index.js';
import type { Replaced } from '../../fs/index.js';
import { contentItems, type ReadTreeChunk } from '../content-list.js';
import { type Content, type ContentItem, itemBytes } from '../entry.js';
import { encodeEntry } from '../tree.js';
import { FileUnderway, type PlacedEntry } from './file-underway.js';
import { hasInlineXattrs, type InlineAttributes } from './inline-attributes.js';
import type { WindowFiller } from './window-filler.js';
import type { WindowRunner } from './window-runner.js';

export interface FilePlannerParts {
  readonly filler: WindowFiller;
  readonly runner: WindowRunner;
  readonly read: ReadTreeChunk;
  readonly attributes: InlineAttributes;
  readonly stopIfAborted: () => void;
  /** Has what is planned carried out. */
  readonly flush: () => Promise<void>;
}

/** Puts files into windows. */
export class FilePlanner {
  constructor(private readonly its: FilePlannerParts) {}

  /** The folder of the file waits for it already. */
  plan({ node, entry, encoded, path }: PlacedEntry, replaces?: Replaced): Promise<void> | undefined {
    if (hasInlineXattrs(entry)) return this.planWhole({ node, entry, encoded, path }, replaces);
    return this.its.attributes
      .of(entry, path)
      .then((whole) => this.planWhole({ node, entry: whole, encoded: encodeEntry(whole), path }, replaces));
  }

  private planWhole(
    { node, entry, encoded, path }: PlacedEntry,
    replaces: Replaced | undefined,
  ): Promise<void> | undefined {
    const file = new FileUnderway(node, entry, encoded.bytes, path, replaces);
    const content = entry.content!;
    if (content.kind === 'list') return this.planParts(file, content);
    // Nearly all files: nothing has to be fetched before they can be planned.
    this.its.filler.add(file, content.items, 0);
    file.isPlanned = true;
    return undefined;
  }

  /** A content of any length, page by page: as many windows as it takes. */
  private async planParts(file: FileUnderway, content: Content): Promise<void> {
    const { read, filler, stopIfAborted, flush } = this.its;
    const pages = contentItems(content, file.size, read);
    let offset = 0;
    for (;;) {
      const items = await this.nextPage(pages, file);
      if (items === undefined) break;
      if (offset > 0) {
        // Before a window begins: one that holds the first part would else take it for the whole.
        file.isParted = true;
        stopIfAborted();
        if (filler.isFull) await flush();
      }
      if (file.lost !== undefined) return;
      filler.add(file, items, offset);
      for (const item of items) offset += itemBytes(item);
    }
    file.isPlanned = true;
  }

  /** Undefined at the end, or where the file has to be given up. */
  private async nextPage(
    pages: AsyncGenerator<readonly ContentItem[]>,
    file: FileUnderway,
  ): Promise<readonly ContentItem[] | undefined> {
    try {
      const next = await pages.next();
      return next.done === true ? undefined : next.value;
    } catch (error) {
      if (!(error instanceof CbrError) || error.code === 'interrupted') throw error;
      this.its.runner.giveUp(file, messageOf(error));
      return undefined;
    }
  }
}
