import { CbrError, type ChunkId, chunkIdHex } from '../../core/index.js';
import type { PackStore } from '../../repo/index.js';
import {
  ContentListBuilder,
  contentItems,
  type ReadTreeChunk,
  type StoreTreeChunk,
} from '../content-list.js';
import type { ChunkReference } from '../entry.js';
import { readTreeReferences } from '../prune/page-references.js';
import type { CopiedIds } from './copied-ids.js';
import type { TargetContents } from './missing-chunks.js';
import { translatedPage } from './translated-page.js';

/** Pages are nested no deeper than this (docs/format.md, "Tree"). */
const MOST_LEVEL = 8;
/** Pages between two looks at everything else that waits: a heartbeat must not. */
const PAGES_AT_ONCE = 64;

export interface TreeCopyParts {
  /** Of the source. */
  readonly read: ReadTreeChunk;
  /** Into the target. */
  readonly put: StoreTreeChunk;
  readonly ids: CopiedIds;
  readonly target: TargetContents;
  /** Of the target; all content is in it, or the target has it. */
  readonly store: PackStore;
  /** The number of the session that copies. */
  readonly session: number;
  readonly signal: AbortSignal;
}

/** The source was read again meanwhile, and what was found in one pack lies in another one now: see again what is missing. */
export class ContentMoved extends Error {}

/**
 * Makes trees anew for a repository that names their chunks otherwise, from the leaves up. Trees that an earlier session has
 * copied with all below them are not read, as long as what that session committed is there.
 */
export class TreeCopier {
  private pages = 0;

  constructor(private readonly its: TreeCopyParts) {}

  /** Rejects as `read` does, with FormatError when a tree is not understood, and with ContentMoved. */
  async tree(reference: ChunkReference, mostLevel = MOST_LEVEL): Promise<ChunkReference> {
    const known = this.known(reference);
    if (known !== undefined) return known;
    await this.pause();
    const plain = await this.its.read(reference);
    const trees = new Map<ChunkId, ChunkReference>();
    const lists = new Map<ChunkId, ChunkReference>();
    const attributes = new Map<ChunkId, ChunkReference>();
    const work: (() => Promise<void>)[] = [];
    const below = (into: typeof trees, { id }: ChunkReference, copy: () => Promise<ChunkReference>): void => {
      work.push(async () => {
        if (!into.has(id)) into.set(id, await copy());
      });
    };
    readTreeReferences(plain, mostLevel, {
      page: (page, level) => below(trees, page, () => this.tree(page, level)),
      tree: (root) => below(trees, root, () => this.tree(root)),
      list: (root, size) => below(lists, root, () => this.list(root, size)),
      attribute: (value) => below(attributes, value, () => this.attribute(value)),
      content: () => undefined,
    });
    for (const each of work) await each();
    const page = translatedPage(plain, {
      tree: ({ id }) => trees.get(id)!,
      list: ({ id }) => lists.get(id)!,
      attribute: ({ id }) => attributes.get(id)!,
      content: (id) => this.content(id),
    });
    return this.done(reference, this.its.put(page));
  }

  private known({ id }: ChunkReference): ChunkReference | undefined {
    const { ids, session, target } = this.its;
    const copied = ids.tree(id);
    if (copied === undefined) return undefined;
    const { reference } = copied;
    if (copied.session === session) return reference;
    return target.isProven(copied.session) && target.has(reference.id) ? reference : undefined;
  }

  /** What it says counts only when the session has committed. */
  private done({ id }: ChunkReference, reference: ChunkReference): ChunkReference {
    this.its.ids.setTree(id, { reference, session: this.its.session });
    return reference;
  }

  /** Its pages are cut by ids, so that they become others. */
  private async list(root: ChunkReference, size: number): Promise<ChunkReference> {
    const known = this.known(root);
    if (known !== undefined) return known;
    const builder = new ContentListBuilder(this.its.put);
    for await (const items of contentItems({ kind: 'list', root }, size, this.its.read)) {
      await this.pause();
      for (const item of items)
        builder.add(item.id === undefined ? item : { id: this.content(item.id), length: item.length });
    }
    return this.done(root, builder.finishList());
  }

  private async attribute(value: ChunkReference): Promise<ChunkReference> {
    return this.its.put(await this.its.read(value));
  }

  private content(id: ChunkId): ChunkId {
    const { ids, store } = this.its;
    const newId = ids.dataId(id);
    if (newId === undefined) throw new ContentMoved(`${shown(id)} has another place now`);
    // I2: a tree names only what is stored. Never otherwise, unless content was not copied that had to be.
    if (store.claim(newId)) throw new CbrError('internal', `${shown(id)} was to be copied and was not`);
    return newId;
  }

  private async pause(): Promise<void> {
    if (++this.pages % PAGES_AT_ONCE !== 0) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.its.signal.throwIfAborted();
    await this.its.store.room();
  }
}

function shown(id: ChunkId): string {
  return `chunk ${chunkIdHex(id).slice(0, 16)}`;
}
