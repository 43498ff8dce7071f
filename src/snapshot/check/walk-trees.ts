import { objectPath } from '../../backends/index.js';
import { type CbrError, type ChunkId, chunkIdHex, FormatError } from '../../core/index.js';
import { checkEntryName } from '../../fs/index.js';
import { ChunkReader } from '../../repo/index.js';
import { readListPage } from '../content-list.js';
import { type ChunkReference, type ContentItem, type Entry, itemBytes } from '../entry.js';
import { readDecodedPage } from '../tree.js';
import type { CheckContext } from './check-context.js';
import type { CheckedIndex } from './checked-index.js';
import { FLAG } from './chunk-table.js';
import { isDamage, reasonOf } from './damage.js';
import { Pace } from './pace.js';

/** A chunk that a tree names, and what it is to be. */
type Step =
  | {
      readonly kind: 'tree';
      readonly chunk: ChunkReference;
      readonly mostLevel: number;
      readonly first?: string;
    }
  | {
      readonly kind: 'list';
      readonly chunk: ChunkReference;
      readonly mostLevel: number;
      readonly bytes: number;
    }
  | { readonly kind: 'attribute'; readonly chunk: ChunkReference };

/** Trees are nested in pages no deeper than this (docs/format.md, "Tree" and "Content list"). */
const MOST_LEVEL = 8;

/** Reads chunks of trees by the checked index, turning to another copy when one is damaged. */
export class TreeChunks {
  private readonly reader: ChunkReader;

  constructor(
    private readonly its: CheckContext,
    private readonly index: CheckedIndex,
  ) {
    const { keys, algorithms } = its.repository;
    // What is missing is looked for again by the check as a whole, once it has seen everything.
    this.reader = new ChunkReader(its.backend, keys, algorithms, index, async () => false, {
      isUncached: true,
      headerDamaged: ({ name }) =>
        its.findings.add(objectPath('packs', name), 'its header is damaged; the copy of it is used'),
    });
  }

  /** With the row of the place that holds it. Undefined when none does; each place that fails is a finding. */
  async read({ id, length }: ChunkReference): Promise<{ plain: Uint8Array; row: number } | undefined> {
    const { index, its } = this;
    for (let row = index.usableRow(id); row >= 0; row = index.usableRow(id)) {
      try {
        return { plain: await this.reader.read('tree', id, length), row };
      } catch (error) {
        if (!isDamage(error)) throw error;
        if (this.isAbsent(row, error)) continue;
        if (error.code === 'object-not-found') its.findings.sawMissing = true;
        index.table.set(row, FLAG.lost);
        index.isHurt = true;
        its.findings.add(index.objectOf(row), reasonOf(error));
      }
    }
    return undefined;
  }

  /** What could not be had put in says nothing about the repository. No other chunk of it is asked for by this place again. */
  private isAbsent(row: number, { code }: CbrError): boolean {
    const { table } = this.index;
    const pack = this.index.packs[table.pack(row)]!;
    const { gathering } = this.its.repository.backend;
    if (code !== 'object-not-found' || gathering?.isAbsent(pack.name) !== true) return false;
    table.set(row, FLAG.lost);
    pack.isTrusted = true;
    return true;
  }
}

/** Reads every tree, list page and attribute that snapshots reach, each once, and looks up every chunk of content. */
export class TreeWalk {
  private readonly chunks: TreeChunks;
  private readonly pace: Pace;
  /** What is still to be taken, the next one last. */
  private readonly steps: Step[] = [];

  constructor(
    private readonly its: CheckContext,
    private readonly index: CheckedIndex,
  ) {
    this.chunks = new TreeChunks(its, index);
    this.pace = new Pace(its.signal);
  }

  /** A stack of its own: trees may be nested deeper than calls may be, and no path is needed yet. */
  async walk(root: ChunkReference): Promise<void> {
    this.steps.push({ kind: 'tree', chunk: root, mostLevel: MOST_LEVEL });
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      if (this.pace.isDue) await this.pace.rest();
      if (!this.isKnown(step)) await this.take(step);
    }
  }

  private isKnown({ kind, chunk }: Step): boolean {
    const row = this.index.usableRow(chunk.id);
    return row >= 0 && this.index.table.has(row, FLAG[kind]);
  }

  private async take(step: Step): Promise<void> {
    const { chunk } = step;
    const found = await this.chunks.read(chunk);
    if (found === undefined) return this.lacks(chunk.id);
    const { plain, row } = found;
    this.index.table.set(row, FLAG[step.kind]);
    this.its.progress.tell(() => this.index.objectOf(row));
    const waiting = this.steps.length;
    try {
      if (step.kind === 'tree') this.takeTree(step, plain);
      else if (step.kind === 'list') this.takeList(step, plain);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.malformed(chunk.id, row, error.message);
    }
    // What was named first is taken first: that is the order in which it was stored.
    for (let from = waiting, to = this.steps.length - 1; from < to; from++, to--) {
      [this.steps[from], this.steps[to]] = [this.steps[to]!, this.steps[from]!];
    }
  }

  /** The chunk is what was written, and not what it should be: a fault of the program that wrote it, or a forgery. */
  private malformed(id: ChunkId, row: number, reason: string): void {
    const object = this.index.objectOf(row);
    this.index.malformed.set(id, object);
    this.index.isHurt = true;
    this.its.findings.add(object, `tree chunk ${chunkIdHex(id).slice(0, 16)}: ${reason}`);
  }

  private takeTree({ mostLevel, first }: Step & { kind: 'tree' }, plain: Uint8Array): void {
    const page = readDecodedPage(plain, 'tree');
    if (page.level > mostLevel) throw new FormatError('pages are nested wrongly');
    const parts = 'entries' in page ? page.entries : page.pages;
    const begins = parts[0] !== undefined && ('name' in parts[0] ? parts[0].name : parts[0].first);
    if (first !== undefined && begins !== first)
      throw new FormatError('a page does not begin where it should');
    if ('entries' in page) this.takeEntries(page.entries);
    else {
      for (const below of page.pages) {
        this.steps.push({ kind: 'tree', chunk: below, mostLevel: page.level - 1, first: below.first });
      }
    }
  }

  /** All of them, though one may be wrong. */
  private takeEntries(entries: readonly Entry[]): void {
    let problem: FormatError | undefined;
    for (const entry of entries) {
      try {
        this.takeEntry(entry);
        checkEntryName(entry.name);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        problem ??= error;
      }
    }
    if (problem !== undefined) throw problem;
  }

  private takeEntry({ content, size = 0, tree, xattrs }: Entry): void {
    for (const { value } of xattrs ?? []) {
      if (!(value instanceof Uint8Array)) this.steps.push({ kind: 'attribute', chunk: value });
    }
    if (tree !== undefined) this.steps.push({ kind: 'tree', chunk: tree, mostLevel: MOST_LEVEL });
    if (content === undefined) return;
    this.its.progress.files++;
    if (content.kind === 'items') this.takeItems(content.items, size);
    else this.steps.push({ kind: 'list', chunk: content.root, mostLevel: MOST_LEVEL, bytes: size });
  }

  private takeList({ mostLevel, bytes }: Step & { kind: 'list' }, plain: Uint8Array): void {
    const page = readListPage(plain, 'content list');
    if (page.level > mostLevel) throw new FormatError('content list: pages are nested wrongly');
    if ('items' in page) {
      this.takeItems(page.items, bytes);
      return;
    }
    const sum = page.pages.reduce((total, below) => total + below.bytes, 0);
    if (sum !== bytes) throw new FormatError(`content list: ${sum} bytes where ${bytes} are expected`);
    for (const below of page.pages) {
      this.steps.push({ kind: 'list', chunk: below, mostLevel: page.level - 1, bytes: below.bytes });
    }
  }

  private takeItems(items: readonly ContentItem[], bytes: number): void {
    let sum = 0;
    for (const item of items) {
      sum += itemBytes(item);
      if (item.id !== undefined) this.lookUp(item.id, item.length);
    }
    if (sum !== bytes) throw new FormatError(`content of ${sum} bytes where ${bytes} are expected`);
  }

  private lookUp(id: ChunkId, length: number): void {
    const { index } = this;
    const row = index.usableRow(id);
    if (row < 0) this.lacks(id);
    else if (index.table.length(row) !== length) {
      index.isHurt = true;
      const what = `chunk ${chunkIdHex(id).slice(0, 16)}`;
      const reason = `${what} is ${index.table.length(row)} bytes long by the index, ${length} by a tree`;
      this.its.findings.add(index.objectOf(row), reason);
    }
  }

  /** What has a place somewhere, though a bad one, is a finding already. */
  private lacks(id: ChunkId): void {
    const { index } = this;
    if (index.isOnTrust(id)) return;
    index.isHurt = true;
    if (index.table.find(id, () => true) < 0) index.noteUnnamed(id);
  }

  /** To be called when everything was walked: chunks that no index segment names. */
  reportUnnamed(): void {
    const { unnamed, lostSegments } = this.index;
    if (unnamed.size === 0) return;
    this.its.findings.sawMissing = true;
    const [example] = unnamed;
    const reason = `no index segment names ${unnamed.size === 1 ? 'a chunk' : `${unnamed.size} chunks`} that snapshots reach, such as ${chunkIdHex(example!).slice(0, 16)}`;
    // The objects to blame say themselves why.
    if (lostSegments.length > 0) return;
    for (const object of this.index.blamed()) {
      this.its.findings.add(object, object === 'index' ? reason : `is missing; ${reason}`);
    }
  }
}
