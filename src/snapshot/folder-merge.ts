import { FormatError } from '../core/index.js';
import type { ChunkReference } from './entry.js';
import type { PageSupply } from './page-supply.js';
import { type EncodedEntry, readTreePage } from './tree.js';

/** One name of two versions of a folder; at least one side has it, and the sides differ. */
export interface NamePair {
  readonly name: string;
  readonly before?: EncodedEntry | undefined;
  readonly after?: EncodedEntry | undefined;
}

/** Pages are nested no deeper than this (docs/format.md, "Tree"). */
const MOST_LEVEL = 8;
/** Pages of one folder that are read before they are needed, of each side. */
const PAGES_AHEAD = 8;

/** A page that is still to be read. */
interface UnreadPage {
  /** No name in it comes before this one. */
  readonly name: string;
  readonly page: ChunkReference;
  readonly mostLevel: number;
}

type Item = EncodedEntry | UnreadPage;

function isPage(item: Item): item is UnreadPage {
  return 'page' in item;
}

/** One version of the folder: what is still to come of it, entries and pages in the order of their names. */
class Side {
  /** The next one last. */
  private readonly items: Item[] = [];
  private readonly unread = new Set<string>();
  private lastName: string | undefined;

  constructor(
    root: ChunkReference | undefined,
    private readonly supply: PageSupply,
  ) {
    if (root !== undefined) this.push({ name: '', page: root, mostLevel: MOST_LEVEL });
  }

  get next(): Item | undefined {
    return this.items.at(-1);
  }

  private push(item: UnreadPage): void {
    this.items.push(item);
    this.unread.add(item.page.id);
  }

  private popPage(): UnreadPage {
    const item = this.items.pop() as UnreadPage;
    this.unread.delete(item.page.id);
    return item;
  }

  /** Puts what the next page holds in its place. */
  async expand(): Promise<void> {
    const { page, mostLevel } = this.popPage();
    const read = readTreePage(await this.supply.take(page), 'tree');
    if (read.level > mostLevel) throw new FormatError('tree: pages are nested wrongly');
    if ('entries' in read) {
      for (let i = read.entries.length; i-- > 0; ) this.items.push(read.entries[i]!);
      return;
    }
    for (const { first, id, length } of read.pages.toReversed())
      this.push({ name: first, page: { id, length }, mostLevel: read.level - 1 });
  }

  /** Leaves out the next page, for the other side has it too. */
  skipPage(): void {
    this.supply.dismiss(this.popPage().page);
  }

  /** Begins to read those of the next pages that the other side is not seen to have. */
  expectPages(other: Side): void {
    const { next } = other;
    const known = next !== undefined && isPage(next) ? next.mostLevel : 0;
    for (const item of this.items.slice(-PAGES_AHEAD)) {
      if (isPage(item) && item.mostLevel >= known && !other.unread.has(item.page.id))
        this.supply.expect(item.page);
    }
  }

  /** The next entry, if it has that name. */
  takeEntry(name: string): EncodedEntry | undefined {
    const { next } = this;
    if (next === undefined || isPage(next) || next.name !== name) return undefined;
    this.items.pop();
    // Pages are each in order; that they are it together shows only here.
    if (this.lastName !== undefined && name <= this.lastName)
      throw new FormatError('tree: names are not sorted');
    this.lastName = name;
    return next;
  }
}

/** Compares two versions of one folder. Pages that both have are skipped unread. */
export class FolderMerge {
  private readonly before: Side;
  private readonly after: Side;

  constructor(before: ChunkReference | undefined, after: ChunkReference | undefined, supply: PageSupply) {
    this.before = new Side(before, supply);
    this.after = new Side(after, supply);
  }

  /** Some of the next names that differ, in the order of their bytes, perhaps none; undefined when there are no more. */
  async next(): Promise<readonly NamePair[] | undefined> {
    const { before, after } = this;
    for (let needed = this.pagesNeeded(); needed.length > 0; needed = this.pagesNeeded()) {
      await Promise.all(needed.map((side) => side.expand()));
      before.expectPages(after);
      after.expectPages(before);
    }
    if (before.next === undefined && after.next === undefined) return undefined;
    const pairs: NamePair[] = [];
    while (this.pagesNeeded().length === 0) {
      const pair = this.nextPair();
      if (pair === undefined) break;
      if (!isSame(pair)) pairs.push(pair);
    }
    return pairs;
  }

  /** The sides whose next page has to be read before anything can be said. */
  private pagesNeeded(): readonly Side[] {
    const { before, after } = this;
    for (;;) {
      const [left, right] = [before.next, after.next];
      const [leftPage, rightPage] = [
        left && isPage(left) ? left : undefined,
        right && isPage(right) ? right : undefined,
      ];
      if (leftPage !== undefined && rightPage !== undefined) {
        if (leftPage.page.id === rightPage.page.id) {
          before.skipPage();
          after.skipPage();
          continue;
        }
        if (leftPage.name !== rightPage.name) return leftPage.name < rightPage.name ? [before] : [after];
        // What is below the higher page may be the other one.
        if (leftPage.mostLevel !== rightPage.mostLevel)
          return leftPage.mostLevel > rightPage.mostLevel ? [before] : [after];
        return [before, after];
      }
      if (leftPage !== undefined && (right === undefined || leftPage.name <= right.name)) return [before];
      if (rightPage !== undefined && (left === undefined || rightPage.name <= left.name)) return [after];
      return [];
    }
  }

  private nextPair(): NamePair | undefined {
    const [left, right] = [this.before.next, this.after.next];
    const name =
      left === undefined || (right !== undefined && right.name < left.name) ? right?.name : left.name;
    if (name === undefined) return undefined;
    return { name, before: this.before.takeEntry(name), after: this.after.takeEntry(name) };
  }
}

function isSame({ before, after }: NamePair): boolean {
  return before !== undefined && after !== undefined && Buffer.compare(before.bytes, after.bytes) === 0;
}
