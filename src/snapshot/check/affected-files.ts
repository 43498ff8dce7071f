import type { SessionId } from '../../core/index.js';
import { readListPage } from '../content-list.js';
import type { ChunkReference, Content, Entry } from '../entry.js';
import { joinShown } from '../find-path.js';
import type { Snapshot } from '../snapshot-record.js';
import { readDecodedPage, type TreePage } from '../tree.js';
import type { CheckContext } from './check-context.js';
import type { CheckedIndex } from './checked-index.js';
import { FLAG } from './chunk-table.js';
import { Pace } from './pace.js';
import { TreeChunks } from './walk-trees.js';

/** One page of a tree on the way from the root to where the walk is. */
interface OpenPage {
  readonly chunk: ChunkReference;
  readonly path: string;
  readonly page: TreePage<Entry>;
  next: number;
  /** Something below is damaged. */
  isHurt: boolean;
}

/**
 * The second walk, made only when there is damage: names the files it reaches, in every snapshot. What is found sound is
 * marked in the table and not entered again, so the walk costs each sound tree once and each hurt one once a snapshot.
 */
export class AffectedFiles {
  /** Snapshots that cannot be restored whole. */
  readonly snapshots = new Set<SessionId>();
  private readonly chunks: TreeChunks;
  private readonly pace: Pace;

  constructor(
    private readonly its: CheckContext,
    private readonly index: CheckedIndex,
  ) {
    this.chunks = new TreeChunks(its, index);
    this.pace = new Pace(its.signal);
  }

  async walk(snapshot: Snapshot): Promise<void> {
    const open: OpenPage[] = [];
    const first = await this.open(snapshot, snapshot.root, '/');
    if (first !== undefined) open.push(first);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      if (this.pace.isDue) await this.pace.rest();
      const below = await this.advance(snapshot, top);
      if (below !== undefined) open.push(below);
      else if (top.next === partsOf(top.page).length) {
        open.pop();
        const parent = open.at(-1);
        if (!top.isHurt) this.setClean(top.chunk);
        else if (parent !== undefined) parent.isHurt = true;
      }
    }
  }

  /** Looks at the next parts of a page until one is to be entered. */
  private async advance(snapshot: Snapshot, top: OpenPage): Promise<OpenPage | undefined> {
    const parts = partsOf(top.page);
    while (top.next < parts.length) {
      const part = parts[top.next++]!;
      let chunk: ChunkReference | undefined;
      let path = top.path;
      if ('name' in part) {
        path = joinShown(top.path, part.name);
        const causes = await this.causesOfEntry(part);
        this.blame(snapshot, path, causes);
        if (causes.size > 0) top.isHurt = true;
        chunk = part.tree;
      } else chunk = part;
      if (chunk === undefined || this.isClean(chunk)) continue;
      const opened = await this.open(snapshot, chunk, path);
      if (opened !== undefined) return opened;
      top.isHurt = true;
    }
    return undefined;
  }

  /** Undefined when it cannot be read, and then the folder counts as affected, whatever was in it. */
  private async open(snapshot: Snapshot, chunk: ChunkReference, path: string): Promise<OpenPage | undefined> {
    const found = this.index.malformed.has(chunk.id) ? undefined : await this.chunks.read(chunk);
    if (found !== undefined) {
      return { chunk, path, page: readDecodedPage(found.plain, 'tree'), next: 0, isHurt: false };
    }
    this.blame(
      snapshot,
      path === '/' ? path : `${path}/`,
      new Set(this.index.causesOf(chunk.id, chunk.length)),
    );
    return undefined;
  }

  private blame({ id }: Snapshot, path: string, causes: ReadonlySet<string>): void {
    if (causes.size === 0) return;
    this.snapshots.add(id);
    for (const object of causes) this.its.findings.affect(object, `${id.slice(0, 8)}:${path}`);
  }

  /** The objects to blame for what cannot be restored of an entry itself. */
  private async causesOfEntry({ content, xattrs }: Entry): Promise<ReadonlySet<string>> {
    const causes = new Set<string>();
    for (const { value } of xattrs ?? []) {
      if (!(value instanceof Uint8Array)) this.add(causes, value);
    }
    if (content !== undefined) await this.addContent(causes, content);
    return causes;
  }

  private add(causes: Set<string>, { id, length }: ChunkReference): void {
    for (const object of this.index.causesOf(id, length)) causes.add(object);
  }

  private async addContent(causes: Set<string>, content: Content): Promise<void> {
    if (content.kind === 'items') {
      for (const item of content.items) if (item.id !== undefined) this.add(causes, item);
    } else await this.addList(causes, content.root);
  }

  /** At most nine levels deep: pages name their level. */
  private async addList(causes: Set<string>, chunk: ChunkReference): Promise<void> {
    if (this.isClean(chunk)) return;
    const found = this.index.malformed.has(chunk.id) ? undefined : await this.chunks.read(chunk);
    if (found === undefined) return this.add(causes, chunk);
    const before = causes.size;
    const page = readListPage(found.plain, 'content list');
    if ('items' in page) await this.addContent(causes, { kind: 'items', items: page.items });
    else for (const below of page.pages) await this.addList(causes, below);
    if (causes.size === before && before === 0) this.setClean(chunk);
  }

  private isClean({ id }: ChunkReference): boolean {
    const row = this.index.usableRow(id);
    return row >= 0 && this.index.table.has(row, FLAG.clean);
  }

  private setClean({ id }: ChunkReference): void {
    const row = this.index.usableRow(id);
    if (row >= 0) this.index.table.set(row, FLAG.clean);
  }
}

function partsOf(page: TreePage<Entry>): readonly (Entry | ChunkReference)[] {
  return 'entries' in page ? page.entries : page.pages;
}
