import { closeSync } from 'node:fs';
import { CbrError, type ObjectDigest } from '../../core/index.js';
import { FileError, openBlockDevice, StatTable, statPath } from '../../fs/index.js';
import type { DirectoryPut, PackStore } from '../../repo/index.js';
import type { ChunkReference } from '../entry.js';
import type { FileToTake } from '../intake/intake.js';
import { Breather } from './breather.js';
import { dryFiles, dryTrees } from './dry-run.js';
import { interrupted } from './early-end.js';
import { encodeFolderState } from './folder-state.js';
import { FolderTaker, type FolderTakerParts } from './folder-taker.js';
import { forecast } from './forecast.js';
import { startIntakeEngine } from './intake-engine.js';
import { LISTED_KEY, takeListed } from './listed-folder.js';
import { NewDataLimit } from './new-data-limit.js';
import { storeRootTree, type TakenSource } from './root-tree.js';
import type { Run } from './run.js';
import type { StateAfter } from './source-state.js';
import type { FolderSource, ListedSource } from './sources.js';
import { type StreamSourceParts, takeStreamSource } from './stream-source.js';
import { treeStore } from './tree-store.js';

/** What the sources became. */
export interface TakenSources {
  readonly root: ChunkReference;
  /** For each source, in order, what its state becomes; undefined where it was gone by then. */
  readonly states: readonly (StateAfter | undefined)[];
}

type WalkParts = FolderTakerParts & StreamSourceParts;

export interface StoredSources extends TakenSources {
  /** The durable index segments that name their chunks. */
  readonly segments: readonly ObjectDigest[];
}

/** Takes in all sources. Resolves when all their chunks are durable and named by durable index segments. */
export async function storeSources(run: Run, store: PackStore): Promise<StoredSources> {
  const { repository, options } = run;
  const { config, backend } = repository;
  const stagingFolder = backend.stagingFolder!;
  const compression = options.compression ?? config.compression;
  const trees = treeStore(repository, store, compression);
  const limit = options.maxNew === undefined ? undefined : new NewDataLimit(options.maxNew);
  const engine = startIntakeEngine(repository, store, trees.put, {
    threads: options.threads,
    pool: options.pool,
    compression,
    stagingFolder,
    onRead: (path, bytes, newBytes) => {
      run.tally.read(path, bytes, newBytes);
      limit?.add(path, newBytes);
    },
    isStopping: () => run.early.isAsked,
  });
  let isOver = false;
  if (options.forecast && run.parent === undefined) foretell(run, () => isOver);
  const allClear = run.early.onFailure((error) => engine.fail(error));
  try {
    const { intake } = engine;
    const parts: WalkParts = {
      ...run.parts,
      storeTreeChunk: trees.put,
      addFile: (file, taken) => intake.add(file, taken),
      addFileAgain: (file, taken) => intake.addAgain(file, taken),
      signal: options.signal,
      takeStream: (path, content) => engine.takeStream(path, content),
      check: () => intake.check(),
    };
    const taken = await walkSources(run, parts, () => intake.settle());
    trees.finish();
    // The threads have nothing left to do while the last packs become durable.
    const [segments] = await Promise.all([store.finish(), engine.close()]);
    return { ...taken, segments };
  } catch (error) {
    trees.abandon();
    engine.fail(error);
    await engine.intake.abandon();
    await engine.close();
    throw error;
  } finally {
    isOver = true;
    allClear();
  }
}

function foretell({ resolved, parts, tally }: Run, isOver: () => boolean): void {
  const roots = resolved.sources.filter((source) => source.kind === 'folder').map(({ root }) => root);
  forecast(roots, resolved.single, parts.ownFolders, isOver).then(
    (expected) => tally.expect(expected),
    () => undefined, // only the progress wants it, and the run meets what went wrong itself
  );
}

/** Takes in all sources, waits for their content, and stores the tree above them. */
async function walkSources(run: Run, parts: WalkParts, settle: () => Promise<void>): Promise<TakenSources> {
  const { stream } = run.options;
  if (stream === undefined) return walkPaths(run, parts, settle);
  const source = await takeStreamSource(stream, parts);
  // By now it is whole: the threads are told that nothing follows.
  await settle();
  return { root: storeRootTree([source], parts), states: [] };
}

async function walkPaths(run: Run, parts: WalkParts, settle: () => Promise<void>): Promise<TakenSources> {
  const walked: (Walked | undefined)[] = [];
  const breather = new Breather(parts);
  for (const source of run.resolved.sources) {
    if (parts.early.isAsked) {
      parts.early.leftOut();
      walked.push(undefined);
      continue;
    }
    try {
      const one = await (source.kind === 'folder'
        ? walkFolder(source, parts)
        : walkListed(source, parts, breather));
      one.taken.catch(() => undefined);
      walked.push(one);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      parts.tally.error(error.path, `is gone since the run began: ${error.reason}`);
      // What it was before says nothing of this snapshot, which does not hold it.
      walked.push(undefined);
    }
  }
  await settle();
  const sources = (await Promise.all(walked.map((each) => each?.taken))).filter((each) => each !== undefined);
  if (parts.early.isPartial && parts.tally.files + parts.tally.others === 0) throw interrupted();
  if (sources.length === 0) {
    throw new CbrError('source', 'none of the sources could be read', { hint: 'No snapshot was made.' });
  }
  const root = storeRootTree(sources, parts);
  return { root, states: walked.map((each) => each?.after()) };
}

/** A source that was scanned. */
interface Walked {
  /** Resolves once its content is known; undefined when nothing of it could be read. */
  readonly taken: Promise<TakenSource | undefined>;
  /** To be called when the tree above the sources is stored. */
  readonly after: () => StateAfter | undefined;
}

async function walkFolder({ root, folder, above }: FolderSource, parts: FolderTakerParts): Promise<Walked> {
  const { path } = root;
  const taker = new FolderTaker(root, parts);
  const { done } = await taker.take();
  const taken = Promise.resolve(done).then(({ tree }) => ({ path, above, folder, tree }));
  return { taken, after: () => taker.after };
}

async function walkListed(
  { listed, above }: ListedSource,
  parts: FolderTakerParts,
  breather: Breather,
): Promise<Walked> {
  const { path } = listed;
  const puts: DirectoryPut[] = [];
  const { done } = await takeListed(listed, parts, breather);
  const taken = done.then((found): TakenSource | undefined => {
    if (found === undefined) return undefined;
    const { entries, list, newest } = found;
    const stored = (tree: ChunkReference): void => {
      const put: DirectoryPut = [LISTED_KEY, encodeFolderState(tree, list)];
      puts.push(...(newest?.marked([put]) ?? [put]));
    };
    return { path, above, entries, stored };
  });
  const after = (): StateAfter => ({
    isWhole: puts.length > 0,
    entries: () => puts,
    removes: [],
    close: () => undefined,
  });
  return { taken, after };
}

/** The same walk with nothing read or stored. */
export async function lookAtSources(run: Run): Promise<TakenSources> {
  const rowOf = ({ path, isDevice }: FileToTake): StatTable => {
    const stats = new StatTable(1);
    if (isDevice === true) closeSync(openBlockDevice(path, stats));
    else statPath(path, stats);
    return stats;
  };
  const parts: WalkParts = {
    ...run.parts,
    storeTreeChunk: dryTrees(run.repository.keys.chunkIds('tree')),
    addFile: dryFiles(rowOf),
    addFileAgain: dryFiles(rowOf),
    signal: run.options.signal,
    // A look at it would take it away.
    takeStream: async () => {
      throw new CbrError('usage', 'there is no dry run of a stream');
    },
    check: () => undefined,
  };
  return walkSources(run, parts, async () => undefined);
}
