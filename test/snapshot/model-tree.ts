import * as fc from 'fast-check';
import type { ChunkReference, Entry } from '../../dist/snapshot/entry.js';
import { encodeEntry, storeTree } from '../../dist/snapshot/tree.js';
import { FILE, file, type memoryStore } from '../repo/snapshot-samples.js';

/** A folder of a model: files by their size, folders by what is in them. */
export interface ModelFolder {
  readonly [name: string]: number | ModelFolder;
}

type Store = ReturnType<typeof memoryStore>['store'];

const byBytes = (a: string, b: string): number => (a < b ? -1 : 1);

function entryOf(name: string, item: number | ModelFolder, store: Store): Entry {
  if (typeof item === 'number') return file(name, item);
  const { size: _, content: __, ...metadata } = FILE;
  return { ...metadata, name, type: 'directory', mode: 0o755, tree: storeModel(item, store) };
}

/** Stores a model as trees are stored; the same model gives the same ids. */
export function storeModel(folder: ModelFolder, store: Store): ChunkReference {
  const names = Object.keys(folder).sort(byBytes);
  return storeTree(
    names.map((name) => encodeEntry(entryOf(name, folder[name]!, store))),
    store,
  );
}

/** All entries by their paths, depth first, each folder before what is in it. */
export function flatModel(
  folder: ModelFolder,
  store: Store,
  into = new Map<string, Entry>(),
  at = '',
): Map<string, Entry> {
  for (const name of Object.keys(folder).sort(byBytes)) {
    const item = folder[name]!;
    into.set(`${at}${name}`, entryOf(name, item, store));
    if (typeof item !== 'number') flatModel(item, store, into, `${at}${name}/`);
  }
  return into;
}

const name = fc.oneof(fc.constantFrom('a', 'b', 'c', 'a-', 'a.b'), fc.stringMatching(/^[a-f]{1,3}$/));
const size = fc.integer({ min: 1, max: 4 });
export const modelFolders: fc.Arbitrary<ModelFolder> = fc.letrec<{ folder: ModelFolder }>((tie) => ({
  folder: fc.dictionary(
    name,
    fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      { weight: 3, arbitrary: size },
      { weight: 2, arbitrary: tie('folder') },
    ),
    { maxKeys: 6, noNullPrototype: true },
  ) as fc.Arbitrary<ModelFolder>,
})).folder;

/** The same folder with some of what is in it, at some depth, taken out, replaced or added. */
export function editedModel(folder: ModelFolder): fc.Arbitrary<ModelFolder> {
  const names = Object.keys(folder);
  const changes = fc.array(
    fc.tuple(
      names.length === 0 ? name : fc.oneof(name, fc.constantFrom(...names)),
      fc.nat(),
      modelFolders,
      size,
    ),
    { minLength: 1, maxLength: 3 },
  );
  return changes.chain((all) => {
    const deeper = names.filter((each) => typeof folder[each] !== 'number');
    const inner = all[0]![1] % 2 === 0 ? deeper[all[0]![1] % Math.max(1, deeper.length)] : undefined;
    if (inner !== undefined)
      return editedModel(folder[inner] as ModelFolder).map((edited) => ({ ...folder, [inner]: edited }));
    const edited: Record<string, number | ModelFolder> = { ...folder };
    for (const [each, kind, subfolder, bytes] of all) {
      if (kind % 3 === 0) delete edited[each];
      else edited[each] = kind % 3 === 1 ? subfolder : bytes;
    }
    return fc.constant(edited);
  });
}
