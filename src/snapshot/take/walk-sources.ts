import { CbrError, type ObjectDigest } from '../../core/index.js';
import { FileError, pathWithoutSymlinks, type RawPath, StatTable, statPath } from '../../fs/index.js';
import type { PackStore } from '../../repo/index.js';
import type { ChunkReference } from '../entry.js';
import { dryFiles, dryTrees } from './dry-run.js';
import { FolderTaker, type FolderTakerParts } from './folder-taker.js';
import { forecast } from './forecast.js';
import { startIntakeEngine } from './intake-engine.js';
import { foldersAbove, storeRootTree, type TakenSource } from './root-tree.js';
import type { Run } from './run.js';
import { takeSingle } from './single-source.js';
import type { Source } from './sources.js';
import { treeStore } from './tree-store.js';

/** What the sources became. */
export interface TakenSources {
  readonly root: ChunkReference;
  /** For each source, in order, what walked it; undefined where it is no folder, or was gone by then. */
  readonly takers: readonly (FolderTaker | undefined)[];
}

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
  const engine = startIntakeEngine(repository, store, trees.put, {
    threads: options.threads,
    pool: options.pool,
    compression,
    stagingFolder,
    onRead: (path, bytes, newBytes) => run.tally.read(path, bytes, newBytes),
  });
  let isOver = false;
  if (options.forecast && run.parent === undefined) foretell(run, () => isOver);
  const stop = (): void => engine.fail(new CbrError('interrupted', 'the snapshot was interrupted'));
  options.signal.addEventListener('abort', stop);
  try {
    const { intake } = engine;
    const parts: FolderTakerParts = {
      ...run.parts,
      storeTreeChunk: trees.put,
      addFile: (file, taken) => intake.add(file, taken),
      addFileAgain: (file, taken) => intake.addAgain(file, taken),
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
    options.signal.removeEventListener('abort', stop);
  }
}

function foretell({ resolved, parts, tally }: Run, isOver: () => boolean): void {
  const roots = resolved.sources.filter((source) => source.kind === 'folder').map(({ root }) => root);
  forecast(roots, parts.ownFolders, isOver).then(
    (expected) => tally.expect(expected),
    () => undefined, // only the progress wants it, and the run meets what went wrong itself
  );
}

/** Walks all sources, waits for their content, and stores the tree above them. */
async function walkSources(
  run: Run,
  parts: FolderTakerParts,
  settle: () => Promise<void>,
): Promise<TakenSources> {
  const takers: (FolderTaker | undefined)[] = [];
  const underway: Promise<TakenSource | undefined>[] = [];
  for (const source of run.resolved.sources) {
    const taker = source.kind === 'folder' ? new FolderTaker(source.root, parts) : undefined;
    try {
      const { done } = await walkSource(source, taker, parts);
      done.catch(() => undefined);
      underway.push(done);
      takers.push(taker);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      parts.tally.error(error.path, `is gone since the run began: ${error.reason}`);
      // What it was before says nothing of this snapshot, which does not hold it.
      takers.push(undefined);
    }
  }
  await settle();
  const sources = (await Promise.all(underway)).filter((each) => each !== undefined);
  if (sources.length === 0) {
    throw new CbrError('source', 'none of the sources could be read', { hint: 'No snapshot was made.' });
  }
  return { root: storeRootTree(sources, parts), takers };
}

/** Walks one source; the result waits for its content. Throws FileError when it cannot be read any more. */
async function walkSource(
  source: Source,
  taker: FolderTaker | undefined,
  parts: FolderTakerParts,
): Promise<{ done: Promise<TakenSource | undefined> }> {
  if (source.kind === 'single' || taker === undefined) {
    const path = source.kind === 'single' ? source.path : source.root.path;
    const above = foldersAbove(path);
    const { done } = await takeSingle(path, parts);
    return { done: done.then((entry) => (entry === undefined ? undefined : { path, above, entry })) };
  }
  const { path } = source.root;
  const above = foldersAbove(path);
  const folder = { real: pathWithoutSymlinks(path), stats: source.stats };
  const { done } = await taker.take();
  return { done: Promise.resolve(done).then(({ tree }) => ({ path, above, folder, tree })) };
}

/** The same walk with nothing read or stored. */
export async function lookAtSources(run: Run): Promise<TakenSources> {
  const rowOf = (path: string): StatTable => {
    const stats = new StatTable(1);
    statPath(path as RawPath, stats);
    return stats;
  };
  const parts: FolderTakerParts = {
    ...run.parts,
    storeTreeChunk: dryTrees(run.repository.keys.chunkIds('tree')),
    addFile: dryFiles(rowOf),
    addFileAgain: dryFiles(rowOf),
    check: () => undefined,
  };
  return walkSources(run, parts, async () => undefined);
}
