import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ALL_METADATA, NO_RULES } from '../../dist/fs/index.js';
import {
  type InitParameters,
  initRepository,
  type OpenOptions,
  openRepository,
  type Repository,
} from '../../dist/repo/index.js';
import {
  checkRepository,
  type Finding,
  type ItemEvent,
  type Listener,
  listSnapshots,
  type OperationEvent,
  OVERWRITE_NOTHING,
  type ProblemEvent,
  type RestoreOptions,
  type RestoreSummary,
  restoreSnapshot,
  SAME_LAYOUT,
  type Snapshot,
  type TakeOptions,
  type TakeSummary,
  takeSnapshot,
} from '../../dist/snapshot/index.js';
import { QUICK } from './places.js';

/** A repository with room for a source and targets, driven through the library. */

export const isRoot = process.getuid?.() === 0;
export const isSoak = process.env.CBR_SOAK === '1';

/** Not encrypted: deriving keys would only cost time. Small packs, so that there are several. */
const PARAMETERS: InitParameters = Object.freeze({
  encrypted: false,
  chunkBytes: 64 * 1024,
  blockBytes: 2 ** 20,
  packBytes: 4 * 2 ** 20,
  compression: 1,
  pad: false,
});

export interface Taken {
  readonly summary: TakeSummary;
  readonly problems: readonly ProblemEvent[];
  readonly items: readonly ItemEvent[];
}

export interface Restored {
  readonly target: string;
  readonly summary: RestoreSummary;
  readonly problems: readonly ProblemEvent[];
  readonly items: readonly ItemEvent[];
}

export interface Checked {
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
}

type Opening = Partial<OpenOptions>;

/** A folder of its own with `source` (empty), `repo`, `cache` and targets; everything is as if each call were a new run. */
export class Scratch {
  readonly root: string;
  readonly source: string;
  readonly repo: string;
  readonly cache: string;
  /** What the repository said to its user. */
  readonly reports: string[] = [];
  private targets = 0;

  constructor(parent = QUICK) {
    this.root = realpathSync(mkdtempSync(join(parent, 'cbr-snapshot-')));
    chmodSync(this.root, 0o755);
    this.source = join(this.root, 'source');
    this.repo = join(this.root, 'repo');
    this.cache = join(this.root, 'cache');
    mkdirSync(this.source);
  }

  openOptions(changes: Opening = {}): OpenOptions {
    return {
      location: this.repo,
      password: async () => Buffer.from('secret'),
      cacheRoot: this.cache,
      portable: false,
      host: 'here',
      // An hour ahead, so that nothing was changed too recently to be told from a later change.
      now: () => Date.now() + 3_600_000,
      report: (message) => this.reports.push(message),
      ...changes,
    };
  }

  async init(changes: Partial<InitParameters> = {}, opening: Opening = {}): Promise<void> {
    const made = await initRepository(this.openOptions(opening), { ...PARAMETERS, ...changes });
    await made.close();
  }

  async use<T>(action: (repository: Repository) => Promise<T>, opening: Opening = {}): Promise<T> {
    const repository = await openRepository(this.openOptions(opening));
    try {
      return await action(repository);
    } finally {
      await repository.close();
    }
  }

  /** Takes a snapshot of `source`, or of the paths given. */
  take(changes: Partial<TakeOptions> = {}, opening: Opening = {}, listener?: Listener): Promise<Taken> {
    const options = { paths: [this.source], ...changes };
    return this.use((repository) => takeFrom(repository, options, listener), opening);
  }

  /** Valid snapshots, oldest first; rejects when the record of one cannot be opened. */
  async snapshots(opening: Opening = {}): Promise<readonly Snapshot[]> {
    const { snapshots, damaged } = await this.use((repository) => listSnapshots(repository), opening);
    if (damaged[0] !== undefined) throw damaged[0].error;
    return snapshots;
  }

  /** Restores `source` of the snapshot of that id (or the latest) into a new folder. */
  async restore(
    id?: string,
    changes: Partial<RestoreOptions> = {},
    opening: Opening = {},
    listener?: Listener,
  ): Promise<Restored> {
    return this.use(async (repository) => {
      const { snapshots } = await listSnapshots(repository);
      const snapshot = id === undefined ? snapshots.at(-1) : snapshots.find((each) => each.id === id);
      if (snapshot === undefined) throw new Error(`no snapshot ${id ?? 'at all'}`);
      const target = changes.target ?? this.newTarget();
      return restoreFrom(repository, { snapshot, path: this.source, ...changes, target }, listener);
    }, opening);
  }

  async check(readData = 100, opening: Opening = {}): Promise<Checked> {
    const options = { readData, threads: 2, signal: new AbortController().signal };
    return this.use((repository) => checkRepository(repository, options, () => undefined), opening);
  }

  /** A path below the scratch folder at which there is nothing yet. */
  newTarget(): string {
    return join(this.root, `target-${++this.targets}`);
  }

  remove(): void {
    removeTree(this.root);
  }
}

/** A scratch folder that is removed when the test is over. */
export function scratch(parent?: string): Scratch {
  const made = new Scratch(parent);
  onTestFinished(() => made.remove());
  return made;
}

/** As `scratch`, with a repository in it. */
export async function scratchRepository(changes: Partial<InitParameters> = {}): Promise<Scratch> {
  const made = scratch();
  await made.init(changes);
  return made;
}

export async function takeFrom(
  repository: Repository,
  changes: Partial<TakeOptions> & Pick<TakeOptions, 'paths'>,
  listener: Listener = () => undefined,
): Promise<Taken> {
  const { problems, items, listen } = collector(listener);
  const options: TakeOptions = {
    tags: [],
    host: 'here',
    user: 'tester',
    zoneOffset: 0,
    rules: NO_RULES,
    oneFileSystem: false,
    dryRun: false,
    forecast: false,
    threads: 2,
    items: true,
    ownFolders: [],
    signal: new AbortController().signal,
    ...changes,
  };
  return { summary: await takeSnapshot(repository, options, listen), problems, items };
}

export async function restoreFrom(
  repository: Repository,
  changes: Partial<RestoreOptions> & Pick<RestoreOptions, 'snapshot' | 'target'>,
  listener?: Listener,
): Promise<Restored> {
  const { problems, items, listen } = collector(listener);
  const options: RestoreOptions = {
    rules: NO_RULES,
    rule: OVERWRITE_NOTHING,
    metadata: ALL_METADATA,
    layout: SAME_LAYOUT,
    ownFolders: [],
    dryRun: false,
    verify: true,
    threads: 2,
    items: false,
    signal: new AbortController().signal,
    ...changes,
  };
  const summary = await restoreSnapshot(repository, options, listen);
  return { target: options.target, summary, problems, items };
}

function collector(listener: Listener = () => undefined) {
  const problems: ProblemEvent[] = [];
  const items: ItemEvent[] = [];
  const listen = (event: OperationEvent): void => {
    if (event.type === 'problem') problems.push(event);
    else if (event.type === 'item') items.push(event);
    listener(event);
  };
  return { problems, items, listen };
}

/** Removes what may hold immutable files, folders closed to their owner, and paths of any length. */
export function removeTree(folder: string): void {
  // What these refuse (entries without flags, dangling symlinks) does not stand in the way.
  spawnSync('chattr', ['-R', '-f', '-i', '-a', folder], { stdio: 'ignore' });
  if (!isRoot) spawnSync('chmod', ['-R', '-f', 'u+rwX', folder], { stdio: 'ignore' });
  execFileSync('rm', ['-rf', folder]);
}
