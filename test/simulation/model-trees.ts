import { createHash } from 'node:crypto';
import { type ChunkId, toLatin1 } from '../../dist/core/index.js';
import type { Keys, PackKind } from '../../dist/repo/index.js';
import type { Entry } from '../../dist/snapshot/entry.js';
import { encodeEntry, storeTree } from '../../dist/snapshot/tree.js';
import type { Random } from './random.js';

/** A chunk that snapshots of the model are made of. */
export interface ModelChunk {
  readonly kind: PackKind;
  readonly id: ChunkId;
  readonly idBytes: Buffer;
  readonly content: Uint8Array;
}

/** One folder of a snapshot: its chunks in the order in which a writer stores them, its own tree last. */
export interface ModelFolder {
  readonly variant: number;
  readonly chunks: readonly ModelChunk[];
  readonly entry: Uint8Array;
  readonly name: string;
}

/** What one snapshot holds. */
export interface ModelRoot {
  readonly folders: readonly ModelFolder[];
  /** The root tree itself. */
  readonly tree: ModelChunk;
  /** All that it reaches, itself too. */
  readonly reached: readonly ModelChunk[];
}

const CONTENTS = 9;
const VARIANTS = 4;
const FOLDERS = ['a', 'b', 'c'];

/** A small world of content, so that snapshots share chunks and whole folders, and chunks that were forgotten come back. */
export class ModelTrees {
  private readonly contents: readonly ModelChunk[];
  private readonly folders: readonly (readonly ModelFolder[])[];
  private readonly roots = new Map<string, ModelRoot>();
  private readonly byId = new Map<ChunkId, ModelRoot>();

  constructor(private readonly keys: Keys) {
    this.contents = Array.from({ length: CONTENTS }, (_, i) => {
      const content = createHash('shake256', { outputLength: 40 + 17 * i })
        .update(`content ${i}`)
        .digest();
      return this.chunk('data', content);
    });
    this.folders = FOLDERS.map((name, place) =>
      Array.from({ length: VARIANTS }, (_, variant) => this.folder(name, place, variant)),
    );
  }

  private chunk(kind: PackKind, content: Uint8Array): ModelChunk {
    const idBytes = this.keys.chunkIds(kind).digest(content);
    return { kind, id: toLatin1(idBytes) as ChunkId, idBytes, content };
  }

  private folder(name: string, place: number, variant: number): ModelFolder {
    const first = this.contents[(2 * place + variant) % CONTENTS]!;
    const second = this.contents[(5 * place + 2 * variant + 3) % CONTENTS]!;
    const chunks: ModelChunk[] = [...new Set([first, second])];
    const files = [fileEntry('f', [first]), fileEntry('g', [second, first])];
    const own = this.tree(files.map((file) => encodeEntry(file)));
    const entry = encodeEntry({
      ...ENTRY,
      name,
      type: 'directory',
      tree: { id: own.id, length: own.content.byteLength },
    });
    return { variant, name, chunks: [...chunks, own], entry: entry.bytes };
  }

  private tree(entries: readonly { readonly name: string; readonly bytes: Uint8Array }[]): ModelChunk {
    let stored: ModelChunk | undefined;
    storeTree(entries, (plain) => {
      stored = this.chunk('tree', plain);
      return { id: stored.id, length: plain.byteLength };
    });
    return stored!;
  }

  private root(variants: readonly number[]): ModelRoot {
    const key = variants.join();
    const known = this.roots.get(key);
    if (known !== undefined) return known;
    const folders = variants.map((variant, place) => this.folders[place]![variant]!);
    const tree = this.tree(folders.map(({ name, entry }) => ({ name, bytes: entry })));
    const reached = [...new Set([...folders.flatMap(({ chunks }) => chunks), tree])];
    const root: ModelRoot = { folders, tree, reached };
    this.roots.set(key, root);
    this.byId.set(tree.id, root);
    return root;
  }

  /** The snapshot whose root tree has this id. */
  withId(id: ChunkId): ModelRoot {
    const found = this.byId.get(id);
    if (found === undefined) throw new RangeError('no root of the model');
    return found;
  }

  random(random: Random): ModelRoot {
    return this.root(FOLDERS.map(() => random.below(VARIANTS)));
  }

  /** As `parent`, but for some folders. */
  changed(parent: ModelRoot, changeRate: number, random: Random): ModelRoot {
    return this.root(
      parent.folders.map(({ variant }) => (random.chance(changeRate) ? random.below(VARIANTS) : variant)),
    );
  }
}

const ENTRY = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 1_700_000_000, nanoseconds: 0 } } as const;

function fileEntry(name: string, chunks: readonly ModelChunk[]): Entry {
  const items = chunks.map(({ id, content }) => ({ id, length: content.byteLength }));
  const size = items.reduce((sum, { length }) => sum + length, 0);
  return { ...ENTRY, name, type: 'file', size, content: { kind: 'items', items } };
}
