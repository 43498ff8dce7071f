import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenOptions } from '../../dist/repo/index.js';
import { listSnapshots, type TakeOptions } from '../../dist/snapshot/index.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository, type Taken, takeFrom } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { treeIdOf } from './stored-trees.js';

/** Snapshots that say which tree the source became: equal sources make equal trees, however they were taken. */

export interface TakenTree extends Taken {
  /** The id of the tree of the source. */
  readonly tree: string;
}

export function take(
  its: Scratch,
  changes: Partial<TakeOptions> = {},
  opening: Partial<OpenOptions> = {},
): Promise<TakenTree> {
  return its.use(async (repository) => {
    const taken = await takeFrom(repository, { paths: [its.source], ...changes });
    const { snapshots } = await listSnapshots(repository);
    const snapshot = snapshots.find(({ id }) => id === taken.summary.snapshot)!;
    return { ...taken, tree: await treeIdOf(repository, snapshot, its.source) };
  }, opening);
}

/** What a snapshot that trusts nothing makes of the same source. */
export const takeFull = (its: Scratch): Promise<TakenTree> =>
  take(its, { level: 'full' }, { cacheRoot: join(its.root, 'other cache') });

/** Some of every sort, named so that single ones can be changed. */
export function fillSome(its: Scratch): void {
  mkdirSync(join(its.source, 'a/b/c'), { recursive: true });
  mkdirSync(join(its.source, 'empty'));
  for (let i = 0; i < 30; i++) writeFileSync(join(its.source, `a/file ${i}`), randomContent(i, 1000 + i));
  writeFileSync(join(its.source, 'a/b/large'), randomContent(100, 700_000));
  runScript(its.source, [
    'ln -s a/b link',
    'mkfifo a/fifo',
    'ln a/b/large a/b/c/linked',
    'truncate -s 1M a/sparse',
  ]);
}

export async function filled(): Promise<Scratch> {
  const its = await scratchRepository();
  fillSome(its);
  return its;
}
