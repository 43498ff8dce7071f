import { objectPath } from '../../backends/index.js';
import { CbrError } from '../../core/index.js';
import type { WorkerPool } from '../../engine/index.js';
import { listNames, type Repository } from '../../repo/index.js';
import type { Listener } from '../events.js';
import { AffectedFiles } from './affected-files.js';
import type { CheckContext } from './check-context.js';
import type { CheckOptions, CheckReport } from './check-options.js';
import { PackCheck, PackChoice, startPackWorkers } from './check-packs.js';
import { CheckProgress } from './check-progress.js';
import { type CheckedRecords, checkRecords, tellVanished } from './check-records.js';
import type { NamedPack } from './checked-index.js';
import { compareCache } from './compare-cache.js';
import { refusedAsDamaged, stopIfAborted } from './damage.js';
import { Findings } from './findings.js';
import { tellLeftovers } from './leftovers.js';
import { liesOnDiscs, tellOfDiscs } from './of-discs.js';
import type { PackTasks } from './pack-tasks.js';
import { type ReadIndex, readIndex } from './read-index.js';
import { TreeWalk } from './walk-trees.js';

/** After something was missing while the repository changed; each time a prune was at work. */
const MOST_LOOKS = 20;

/**
 * Verifies a repository and changes nothing in it: every record, index segment and tree is read and opened, every chunk of
 * content that snapshots reach is looked up in the index and its pack, and `readData` percent of the packs are read and
 * verified to the last byte. Knows only what it reads itself; the cache is judged by it. Damage is reported, not thrown:
 * rejects when the backend fails, when the format is newer, (busy) when prunes never let it see all, and (interrupted) when
 * stopped.
 */
export async function checkRepository(
  repository: Repository,
  options: CheckOptions,
  listener: Listener,
): Promise<CheckReport> {
  const progress = new CheckProgress(listener, () => performance.now());
  const choice = new PackChoice(options.readData);
  const pool = startPackWorkers(repository, options.threads);
  try {
    // They load while the index is read.
    if (options.readData > 0) pool.warmUp(options.threads);
    for (let looks = 1; ; looks++) {
      const look = await lookOnce(repository, options, progress, choice, pool);
      // Rule 28: only what is missing from a repository that did not change since is damage.
      const isMoved = look.findings.sawMissing && (await hasPruned(repository, look.records));
      if (!isMoved) return await conclude(repository, look, choice.sound);
      if (looks >= MOST_LOOKS) throw alwaysMoved();
    }
  } finally {
    await pool.close();
  }
}

interface Look extends CheckContext {
  readonly records: CheckedRecords;
  readonly read: ReadIndex;
  /** As discs do: snapshots that vanished are no damage. */
  readonly lacksSnapshots: boolean;
  /** What was done about the cache. */
  readonly healed: string | undefined;
}

/** Reads everything once. */
async function lookOnce(
  repository: Repository,
  { threads, signal }: CheckOptions,
  progress: CheckProgress,
  choice: PackChoice,
  pool: WorkerPool<PackTasks>,
): Promise<Look> {
  const failed = new AbortController();
  const begin = async () => {
    const its: CheckContext = {
      repository,
      backend: refusedAsDamaged(repository.backend, repository.configNumber),
      findings: new Findings(),
      progress,
      signal: AbortSignal.any([signal, failed.signal]),
    };
    progress.files = 0;
    stopIfAborted(signal);
    const records = await checkRecords(its);
    return { its, records, read: await readIndex(its, records) };
  };
  let begun = await begin();
  // What a part that is put in now lists is no damage of what was there before.
  if (await hasCompleted(repository, begun.read, signal)) begun = await begin();
  const { its, records, read } = begun;
  const lacksSnapshots = read.isOfDiscs && (await liesOnDiscs(repository.backend));
  if (!lacksSnapshots) tellVanished(its, records);
  const packs = new PackCheck(its, read.index, choice, pool, threads);
  let healed: string | undefined;
  const structure = async (): Promise<void> => {
    await gatherTrees(its, read);
    await walkTrees(its, records, read);
    healed = await judgeCache(its, records, read);
  };
  // What is put in for trees would be taken out again for packs.
  const isOneByOne = repository.backend.gathering?.isNeeded === true;
  const work = isOneByOne ? [structure().then(() => packs.run(read))] : [packs.run(read), structure()];
  await together(work, () => failed.abort());
  return { ...its, records, read, lacksSnapshots, healed };
}

/** Has the part of the medium put in that knows where everything is; says whether it came. */
async function hasCompleted(
  { backend: { gathering } }: Repository,
  { index }: ReadIndex,
  signal: AbortSignal,
): Promise<boolean> {
  if (gathering?.isNeeded !== true) return false;
  const named = new Set<string>(index.packs.map(({ name }) => name));
  return gathering.completeIndex((pack) => named.has(pack), { signal });
}

/** Each part of the medium is put in once for them, and not whenever a folder of it comes up. */
async function gatherTrees(
  { repository: { backend }, signal }: CheckContext,
  { index }: ReadIndex,
): Promise<void> {
  const trees = index.packs.filter(({ kind, counts, present }) => kind === 'tree' && counts && present);
  await backend.gathering?.gather(
    trees.map(({ name }) => name),
    { signal },
  );
}

async function walkTrees(
  its: CheckContext,
  { snapshots }: CheckedRecords,
  { index }: ReadIndex,
): Promise<void> {
  const walk = new TreeWalk(its, index);
  for (const { root } of snapshots) await walk.walk(root);
  walk.reportUnnamed();
}

/** Waits for all, stops the others when one fails, and rejects with the first failure. */
async function together(work: readonly Promise<void>[], stop: () => void): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  await Promise.allSettled(
    work.map((each) =>
      each.catch((error: unknown) => {
        failure ??= { error };
        stop();
      }),
    ),
  );
  if (failure !== undefined) throw failure.error;
}

/**
 * Whether a prune may have moved something since. It adds a lease record, and after its last one it removes index segments
 * before packs; what writers add takes nothing away.
 */
async function hasPruned({ backend }: Repository, { view, damagedLeases }: CheckedRecords): Promise<boolean> {
  const segments = new Set(await listNames(backend, 'index'));
  if ([...view.segments.keys()].some((name) => !segments.has(name))) return true;
  const leases = (await listNames(backend, 'leases')).filter((name) => /^prune\/[0-9]+$/.test(name));
  const isSeen = (name: string): boolean =>
    view.leases.has(Number(name.slice('prune/'.length))) ||
    damagedLeases.includes(objectPath('leases', name));
  return !leases.every(isSeen);
}

function alwaysMoved(): CbrError {
  return new CbrError('busy', 'prunes kept moving what was looked for', {
    hint: 'Run the check again when no prune is running.',
  });
}

/** What follows from the findings, once they stand. */
async function conclude(
  repository: Repository,
  look: Look,
  sound: ReadonlySet<string>,
): Promise<CheckReport> {
  const { findings, records, read } = look;
  const { index } = read;
  const notes = [...(await tellLeftovers(look, read)), ...tellOfDiscs(records, read, look.lacksSnapshots)];
  const hurtSnapshots = new Set(records.lostSnapshots);
  if (index.isHurt) {
    const affected = new AffectedFiles(look, index);
    for (const snapshot of records.snapshots) await affected.walk(snapshot);
    for (const id of affected.snapshots) hurtSnapshots.add(id);
  }
  notes.push(...dropStates(repository, hurtSnapshots));
  if (look.healed !== undefined) notes.push(look.healed);
  const damaged = new Set(findings.list().map(({ object }) => object));
  const isUnread = ({ name, isTrusted }: NamedPack): boolean =>
    isTrusted || (repository.backend.gathering?.isAbsent(name) === true && !sound.has(name));
  const absent = index.packs.filter(
    (pack) => pack.counts && isUnread(pack) && !damaged.has(objectPath('packs', pack.name)),
  );
  return {
    findings: findings.list(),
    notes,
    absentPacks: absent.length,
    absentTrees: absent.filter(({ isTrusted }) => isTrusted).length,
    snapshots: records.snapshots.length,
    packs: index.packs.filter(({ counts }) => counts).length,
    chunks: index.table.distinct,
    bytesRead: look.progress.bytes,
  };
}

/**
 * The next snapshot would take over, without looking, what the snapshot of a directory state names: what is damaged has to
 * be read again from its source.
 */
function dropStates({ cache }: Repository, hurt: ReadonlySet<string>): string[] {
  if (hurt.size === 0) return [];
  let dropped = 0;
  for (const root of cache.roots()) {
    const { snapshot } = cache.directoryState(root);
    if (snapshot === undefined || !hurt.has(snapshot)) continue;
    cache.clearDirectoryStates([root]);
    dropped++;
  }
  return dropped === 0
    ? []
    : [`the next snapshot reads all files of ${dropped} source folders again, because of the damage`];
}

/** Only what was found whole may judge the cache. */
async function judgeCache(
  { repository, findings, signal }: CheckContext,
  { view, lostSnapshots }: CheckedRecords,
  read: ReadIndex,
): Promise<string | undefined> {
  if (read.index.lostSegments.length > 0 || lostSnapshots.size > 0 || findings.sawMissing) return undefined;
  try {
    return await compareCache(repository, view, read, signal);
  } catch (error) {
    // A cache that cannot be read is built anew when it is next opened; its own report says so.
    if (!(error instanceof CbrError) || error.code !== 'internal') throw error;
    return `${error.message}; it is built anew by the next run`;
  }
}
