import { CbrError, chunkIdBytes, chunkIdHex, messageOf, type SessionId } from '../../core/index.js';
import {
  beginSession,
  knownChunks,
  type LoadedRepository,
  loadRepository,
  PackStore,
  type Repository,
  type RunningSession,
  setStateGeneration,
  unnamedSnapshots,
} from '../../repo/index.js';
import type { Listener } from '../events.js';
import { type AboutSnapshot, encodeAbout } from '../snapshot-record.js';
import { rememberMount } from './mount-memory.js';
import { describe, prepareRun, type Run } from './run.js';
import type { StateAfter } from './source-state.js';
import type { Source } from './sources.js';
import type { TakeOptions, TakeSummary } from './take-options.js';
import { lookAtSources, storeSources, type TakenSources } from './walk-sources.js';

/** Workers that are started before it is known whether there is anything to do for them. */
const AHEAD = 2;

/** After being fenced a run starts over as a new session; more often than this something else is wrong. */
const MAX_ATTEMPTS = 3;

/**
 * Takes a snapshot: register, read, scan and store, commit. Rejects (source) when no source can be read or a stream breaks
 * off, (interrupted) when stopped, unless it may be partial and has something, with NewDataLimitError, and with any error of
 * the repository; earlier snapshots are never touched, and what was stored by then is used by the next run.
 */
export async function takeSnapshot(
  repository: Repository,
  options: TakeOptions,
  listener: Listener,
): Promise<TakeSummary> {
  for (let attempt = 1; ; attempt++) {
    try {
      if (options.dryRun) return await lookOnly(repository, options, listener);
      const { pool, ...others } = options;
      return await takeOnce(repository, attempt === 1 ? options : others, listener);
    } catch (error) {
      const fenced = error instanceof CbrError && error.code === 'fenced';
      // A stream comes once.
      if (!fenced || attempt === MAX_ATTEMPTS || options.stream !== undefined) throw error;
      repository.report('Another machine held this run for dead: starting over.', 'notice');
    }
  }
}

async function takeOnce(
  repository: Repository,
  options: TakeOptions,
  listener: Listener,
): Promise<TakeSummary> {
  const startedMs = repository.now();
  const startedClock = performance.now();
  // While each answer is waited for there is nothing else to do.
  if (repository.backend.isRemote === true) options.pool?.warmUp(AHEAD);
  const session = await beginSession(repository);
  let store: PackStore | undefined;
  try {
    const loaded = await loadRepository(repository);
    reportSync(repository, loaded);
    const { backend, records } = repository;
    store = new PackStore({
      backend,
      records,
      known: knownChunks(repository.cache, loaded.sync.unreliable),
      author: { kind: 'session', session: session.id },
      clock: () => performance.now(),
    });
    const run = prepareRun(repository, options, listener, loaded);
    const taken = await storeSources(run, store);
    run.early.check();
    const about = describe(run, startedMs, performance.now() - startedClock, store.totals.stored);
    // Invariants I1 to I4: every chunk, then every segment that names it, is durable by now.
    await session.commit({
      root: { id: chunkIdBytes(taken.root.id), length: taken.root.length },
      segments: taken.segments.map((name) => Buffer.from(name, 'hex')),
      seen: unnamedSnapshots(loaded.view).map((sid) => Buffer.from(sid, 'hex')),
      about: encodeAbout(about),
    });
    commitStates(run, taken, session.id);
    return summarize(run, taken, about, session.id, store.totals.verifyMs);
  } catch (error) {
    await giveUp(session, store, error);
    throw error;
  } finally {
    session.stop();
  }
}

/** Ends the session by a fence that names what was stored. What goes wrong here must not hide why. */
async function giveUp(session: RunningSession, store: PackStore | undefined, error: unknown): Promise<void> {
  if (error instanceof CbrError && error.code === 'fenced') return;
  try {
    await session.abort(store === undefined ? [] : await store.salvage());
  } catch {
    // The next run of this host ends the session, since its process is gone by then.
  }
}

function reportSync(repository: Repository, { sync, view }: LoadedRepository): void {
  for (const damage of sync.damaged) {
    repository.report(`${damage.message}; what it names is stored again. Run: cbr check`, 'notice');
  }
  // What a prune is just removing is not missed.
  const missing = sync.missingPacks.filter((name) => !view.condemned.has(name)).length;
  if (missing > 0) {
    repository.report(
      `${missing === 1 ? '1 pack that the index names is' : `${missing} packs that the index names are`} missing; what was in there is stored again if it still exists. Run: cbr check`,
      'notice',
    );
  }
}

/** A dry run: nothing is registered, read or stored. */
async function lookOnly(
  repository: Repository,
  options: TakeOptions,
  listener: Listener,
): Promise<TakeSummary> {
  const startedMs = repository.now();
  const started = performance.now();
  const run = prepareRun(repository, options, listener, await loadRepository(repository));
  const taken = await lookAtSources(run);
  return summarize(run, taken, describe(run, startedMs, performance.now() - started, 0), undefined, 0);
}

/**
 * Only after the commit: a state must not outlive a snapshot that never was. The snapshot exists by now, so what fails here
 * only makes the next one slower.
 */
function commitStates(run: Run, taken: TakenSources, snapshot: SessionId): void {
  const { cache, report } = run.repository;
  // What is known of a whole one tells more than a partial one, and must not be mixed with it.
  const isKept = ({ state }: Source): boolean =>
    run.early.isPartial && cache.directoryState(state.key).snapshot !== undefined;
  try {
    const states = run.resolved.sources
      .map((source, i) => ({ source, after: taken.states[i] }))
      .filter(({ source }) => !isKept(source));
    // A full snapshot saw everything, and one that lacks the source saw nothing: what was known before is void.
    const isVoid = ({ source, after }: (typeof states)[number]): boolean =>
      source.state.before === undefined || after === undefined || !after.isWhole;
    cache.clearDirectoryStates(states.filter(isVoid).map(({ source }) => source.state.key));
    const whole = states.filter(({ after }) => after?.isWhole === true);
    for (const { source, after } of whole)
      if (source.kind === 'folder') commitState(run, source, after!, snapshot);
    // There may be very many.
    cache.batch(() => {
      for (const { source, after } of whole) {
        if (source.kind === 'listed') commitState(run, source, after!, snapshot);
      }
    });
  } catch (error) {
    report(
      `The next snapshot reads all files again, for the cache takes nothing: ${messageOf(error)}.`,
      'notice',
    );
  } finally {
    for (const after of taken.states) after?.close();
  }
}

function commitState(
  { repository, loaded }: Run,
  source: Source,
  after: StateAfter,
  snapshot: SessionId,
): void {
  const { cache } = repository;
  const { key } = source.state;
  // The generation last: killed in between, the new state is not trusted, rather than the old one trusted again.
  cache.commitDirectoryState(key, snapshot, after.entries(), after.removes);
  setStateGeneration(cache, key, loaded.sync.generation);
  if (source.kind === 'folder') rememberMount(source.root.path, source.root.real, cache);
}

function summarize(
  run: Run,
  taken: TakenSources,
  about: AboutSnapshot,
  snapshot: SessionId | undefined,
  verifyMs: number,
): TakeSummary {
  const { tally, early, level, parent, resolved } = run;
  return {
    snapshot,
    root: chunkIdHex(taken.root.id),
    paths: resolved.paths,
    level,
    parent,
    statistics: about.statistics,
    errors: tally.errors.length - tally.changing,
    changed: tally.changing,
    notes: tally.notes,
    missingSources: resolved.missing,
    partial: early.isPartial,
    verifySeconds: verifyMs / 1000,
  };
}
