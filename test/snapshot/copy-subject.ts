import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Backend, readOnly, type Traffic, withTraffic } from '../../dist/backends/index.js';
import { listSnapshots, type Repository } from '../../dist/index.js';
import type { OpenOptions } from '../../dist/repo/index.js';
import {
  type CopiedSnapshot,
  type CopyOptions,
  copySnapshots,
  type ProgressEvent,
  type Snapshot,
} from '../../dist/snapshot/index.js';
import type { Scratch } from './scratch-repository.js';

/** Copies between two scratch repositories, each opened as by a run of its own. */

export interface CopyRun {
  readonly copied: readonly CopiedSnapshot[];
  readonly cutsDiffer: boolean;
  /** Of the target, and of the source. */
  readonly to: Traffic;
  readonly from: Traffic;
  readonly progress: readonly ProgressEvent[];
}

export interface CopyChanges extends Partial<CopyOptions> {
  /** By default all. */
  readonly chosen?: (snapshot: Snapshot) => boolean;
  readonly opening?: Partial<OpenOptions>;
  readonly sourceOpening?: Partial<OpenOptions>;
  readonly wrapTarget?: (medium: Backend) => Backend;
}

export function copyAll(source: Scratch, target: Scratch, changes: CopyChanges = {}): Promise<CopyRun> {
  const {
    chosen = () => true,
    opening = {},
    sourceOpening = {},
    wrapTarget = (medium) => medium,
    ...options
  } = changes;
  const traffic: { from?: Traffic; to?: Traffic } = {};
  const progress: ProgressEvent[] = [];
  const ofSource = (medium: Backend): Backend => {
    const counted = withTraffic(medium);
    traffic.from = counted.traffic;
    return readOnly(counted);
  };
  const ofTarget = (medium: Backend): Backend => {
    const counted = withTraffic(wrapTarget(medium));
    traffic.to = counted.traffic;
    return counted;
  };
  const run = async (from: Repository, to: Repository): Promise<CopyRun> => {
    const snapshots = (await listSnapshots(from)).snapshots.filter(chosen);
    const its: CopyOptions = {
      isNamed: false,
      dryRun: false,
      threads: 2,
      by: 'tester',
      nowSeconds: 1_700_000_000,
      signal: new AbortController().signal,
      ...options,
    };
    const summary = await copySnapshots(from, to, snapshots, its, (event) => {
      if (event.type === 'progress') progress.push(event);
    });
    return { ...summary, from: traffic.from!, to: traffic.to!, progress };
  };
  return source.use((from) => target.use((to) => run(from, to), { ...opening, wrapBackend: ofTarget }), {
    ...sourceOpening,
    wrapBackend: ofSource,
  });
}

/** States in the order in which they were told. */
export const statesOf = ({ copied }: CopyRun): string[] => copied.map(({ state }) => state);

/** Names of all objects of a repository, sorted. */
export function objectsOf({ repo }: Scratch): string[] {
  const all = readdirSync(repo, { recursive: true, withFileTypes: true });
  return all
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(repo.length + 1))
    .sort();
}
