import {
  CbrError,
  isSessionId,
  messageOf,
  ObjectNotFoundError,
  type SessionId,
  sameBytes,
} from '../../core/index.js';
import { knownChunks, loadRepository, type Repository } from '../../repo/index.js';
import type { Listener } from '../events.js';
import { takeEachForgotten } from '../forget/forgotten-snapshots.js';
import { isLoss } from '../forget/whole-roots.js';
import { listWithNotes, type NotedSnapshots } from '../list-snapshots.js';
import { annotateSnapshot, isPinned } from '../notes.js';
import { loadWithWholeIndex } from '../restore/gather-packs.js';
import type { Snapshot } from '../snapshot-record.js';
import { CopiedIds } from './copied-ids.js';
import { CopiesThere, knownAs, repositoryName } from './copies-there.js';
import { type AttemptParts, type AttemptResult, CopyAttempt, contentsOf } from './copy-attempt.js';
import type { CopiedSnapshot, CopyOptions, CopySummary } from './copy-options.js';
import { CopySource } from './copy-source.js';
import { CopyWorkers } from './copy-workers.js';
import { MissingChunks } from './missing-chunks.js';
import { ContentMoved } from './tree-copier.js';

/** As for a snapshot: after being fenced it starts over; more often than this something else is wrong. */
const MAX_ATTEMPTS = 5;
const NO_BYTES = Object.freeze({ read: 0, new: 0, stored: 0 });

/**
 * Copies snapshots to another repository, one after the other: what that repository has is not stored again, under whatever
 * names, and each is a snapshot of its own there, which says what it is a copy of. Those that it has, and those that it had and
 * were forgotten there, are passed over. Done again it copies nothing, and stopped at any time it goes on where it was, about.
 * One that cannot be read whole is not copied, and does not keep the others from it.
 * Rejects with `usage` when both are the same repository, when the backend of one fails, and with the signal's reason.
 */
export async function copySnapshots(
  source: Repository,
  target: Repository,
  snapshots: readonly Snapshot[],
  options: CopyOptions,
  listener: Listener,
  tell: (copied: CopiedSnapshot) => void = () => undefined,
): Promise<CopySummary> {
  refuseSame(source, target);
  const copied: CopiedSnapshot[] = [];
  const done = (each: CopiedSnapshot): void => {
    copied.push(each);
    tell(each);
  };
  const listed = await listWithNotes(target);
  const there = new CopiesThere(repositoryName(target), listed.snapshots);
  const wanted: Snapshot[] = [];
  for (const from of snapshots) {
    const found = there.of(knownAs(repositoryName(source), from));
    if (found === undefined) wanted.push(from);
    else
      done({
        from,
        state: 'there',
        snapshot: await withPin(target, found, from, listed, options),
        bytes: NO_BYTES,
      });
  }
  const run = new CopyRun(source, target, there, options, listener);
  for (const from of await withoutForgotten(source, target, wanted, options.isNamed))
    if ('state' in from) done(from);
    else run.plan(from);
  try {
    for await (const each of run.copies()) done(each);
  } finally {
    await run.close();
  }
  return { copied, cutsDiffer: cutsDiffer(source, target) };
}

/** Whether both cut content in the same places. */
export function cutsDiffer({ config: a }: Repository, { config: b }: Repository): boolean {
  return a.chunkMin !== b.chunkMin || a.chunkTarget !== b.chunkTarget || a.chunkMax !== b.chunkMax;
}

function refuseSame(source: Repository, target: Repository): void {
  if (!sameBytes(source.config.repository, target.config.repository)) return;
  const { location } = source.backend;
  const isSamePlace = location === target.backend.location;
  throw new CbrError(
    'usage',
    isSamePlace
      ? `${location} cannot be copied to itself`
      : `${target.backend.location} is the same repository as ${location}: a copy of its objects`,
    {
      hint: 'The target of a copy is a repository of its own. Make one with: cbr init --copy-parameters-from',
    },
  );
}

/** What was forgotten in the target was let go on purpose: it does not come back unless it is asked for by name. */
async function withoutForgotten(
  source: Repository,
  target: Repository,
  wanted: readonly Snapshot[],
  isNamed: boolean,
): Promise<readonly (Snapshot | CopiedSnapshot)[]> {
  if (wanted.length === 0 || isNamed) return wanted;
  const forgotten = new CopiesThere(repositoryName(target), []);
  await takeEachForgotten(target, ({ snapshot }) => forgotten.add(snapshot));
  return wanted.map((from) =>
    forgotten.of(knownAs(repositoryName(source), from)) === undefined
      ? from
      : { from, state: 'forgotten', snapshot: undefined, bytes: NO_BYTES },
  );
}

/** A run that was killed may have copied it and not have set its pin any more. */
async function withPin(
  target: Repository,
  found: Snapshot,
  from: Snapshot,
  { notes }: NotedSnapshots,
  options: CopyOptions,
): Promise<Snapshot> {
  return options.dryRun || notes.has(found.id) ? found : pinned(target, found, from, options);
}

async function pinned(
  target: Repository,
  snapshot: Snapshot,
  { pin, ...from }: Snapshot,
  { by, nowSeconds }: CopyOptions,
): Promise<Snapshot> {
  if (pin === undefined || !isPinned({ ...from, pin }, nowSeconds)) return snapshot;
  try {
    return (await annotateSnapshot(target, snapshot, { pin }, by, nowSeconds)).snapshot;
  } catch (error) {
    // It is copied by now; the next run tries again.
    const what = `Snapshot ${snapshot.id.slice(0, 8)} is copied, but could not be pinned`;
    target.report(`${what}: ${messageOf(error)}.`, 'notice');
    return snapshot;
  }
}

class CopyRun {
  private readonly wanted: Snapshot[] = [];
  private readonly workers: CopyWorkers;
  private ids: CopiedIds | undefined;

  constructor(
    private readonly source: Repository,
    private readonly target: Repository,
    private readonly there: CopiesThere,
    private readonly options: CopyOptions,
    private readonly listener: Listener,
  ) {
    this.workers = new CopyWorkers(source, target, options.threads);
  }

  plan(from: Snapshot): void {
    this.wanted.push(from);
  }

  async *copies(): AsyncGenerator<CopiedSnapshot> {
    if (this.wanted.length === 0) return;
    const ids = await CopiedIds.open(this.source, this.target);
    this.ids = ids;
    if (this.source.backend.gathering?.isNeeded === true)
      await loadWithWholeIndex(this.source, this.options.signal);
    const source = await CopySource.load(this.source);
    if (this.options.dryRun) yield* this.look(source, ids);
    else {
      await this.gather(source, ids);
      let done = 0;
      for (const from of this.wanted) yield await this.copy(source, ids, from, done++);
      ids.tidy();
    }
  }

  async close(): Promise<void> {
    await this.workers.close();
    await this.ids?.close();
  }

  /** Where parts of the source have to be put in, each is put in once, for all snapshots together. */
  private async gather(source: CopySource, ids: CopiedIds): Promise<void> {
    const { gathering } = this.source.backend;
    if (gathering?.isNeeded !== true) return;
    const missing = await this.missingFor(source, ids);
    for (const { root } of this.wanted) {
      try {
        await missing.add(root, this.options.signal);
      } catch (error) {
        // Its copy fails for the same reason, and says so.
        if (!isLoss(error)) throw error;
      }
    }
    const used = this.source.cache.allPacks().filter((pack) => missing.usage.use(pack) !== undefined);
    await gathering.gather(
      used.map(({ name }) => name),
      { signal: this.options.signal },
    );
  }

  private async missingFor(source: CopySource, ids: CopiedIds): Promise<MissingChunks> {
    const loaded = await loadRepository(this.target);
    const known = knownChunks(this.target.cache, loaded.sync.unreliable);
    return new MissingChunks(source, ids, contentsOf(known, loaded, ids));
  }

  /** What would be read for each, once for all of them. */
  private async *look(source: CopySource, ids: CopiedIds): AsyncGenerator<CopiedSnapshot> {
    const missing = await this.missingFor(source, ids);
    for (const from of this.wanted) {
      const before = missing.bytes;
      try {
        await missing.add(from.root, this.options.signal);
        yield {
          from,
          state: 'new',
          snapshot: undefined,
          bytes: { ...NO_BYTES, read: missing.bytes - before },
        };
      } catch (error) {
        if (!isLoss(error)) throw error;
        yield this.failed(from, await this.whyLost(from, error));
      }
    }
  }

  private async copy(
    source: CopySource,
    ids: CopiedIds,
    from: Snapshot,
    done: number,
  ): Promise<CopiedSnapshot> {
    const { options, target, there, workers } = this;
    options.signal.throwIfAborted();
    const progress = (bytes: number, totalBytes: number): void =>
      this.listener({
        type: 'progress',
        phase: 'copy',
        files: done,
        totalFiles: this.wanted.length,
        bytes,
        totalBytes,
        current: from.id,
      });
    const parts: AttemptParts = { source, target, ids, workers, there, progress, signal: options.signal };
    try {
      const { snapshot, isNew, bytes } = await this.attempt(source, parts, from);
      there.add(snapshot);
      const result = await pinned(target, snapshot, from, options);
      return { from, state: isNew ? 'new' : 'there', snapshot: result, bytes };
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      return this.failed(from, await this.whyLost(from, error.why));
    }
  }

  private async attempt(source: CopySource, parts: AttemptParts, from: Snapshot): Promise<AttemptResult> {
    for (let attempt = 1; ; attempt++) {
      const run = new CopyAttempt(parts, from);
      try {
        return await run.commit();
      } catch (error) {
        const isLast = attempt === MAX_ATTEMPTS;
        if (error instanceof CbrError && error.code === 'fenced' && !isLast) {
          this.target.report('Another machine held this run for dead: starting over.', 'notice');
          continue;
        }
        if (error instanceof ContentMoved && !isLast) continue;
        if (!run.isReading || !isLoss(error)) throw error;
        if (isLast || !(await source.hasMore(run.damagedPack))) throw new Lost(error);
      }
    }
  }

  private failed(from: Snapshot, error: CbrError): CopiedSnapshot {
    return { from, state: 'failed', snapshot: undefined, bytes: NO_BYTES, error };
  }

  /** It may have been forgotten while it was copied, and its packs removed. */
  private async whyLost({ id }: Snapshot, cause: CbrError): Promise<CbrError> {
    const name = id.slice(0, 8);
    if (await isForgotten(this.source, id)) {
      return new CbrError('not-found', `snapshot ${name} was forgotten a moment ago`, {
        cause,
        hint: 'See: cbr snapshots',
      });
    }
    return new CbrError('damaged', `snapshot ${name} cannot be copied: ${cause.message}`, {
      cause,
      hint: `Run: cbr check -r ${this.source.backend.location}. Nothing was committed for it in the target.`,
    });
  }
}

/** What the source has lost, as against failures of the target. */
class Lost extends Error {
  constructor(readonly why: CbrError) {
    super(why.message);
  }
}

async function isForgotten({ backend }: Repository, id: SessionId): Promise<boolean> {
  if (!isSessionId(id)) return false;
  try {
    await backend.stat('forgotten', id);
    return true;
  } catch (error) {
    if (!(error instanceof ObjectNotFoundError)) throw error;
    return false;
  }
}
