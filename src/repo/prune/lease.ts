import {
  CbrError,
  DamagedError,
  encode,
  type ObjectDigest,
  ObjectExistsError,
  ObjectNotFoundError,
  PROGRAM,
  sameBytes,
} from '../../core/index.js';
import { ifDamaged } from '../damage.js';
import { readSegment } from '../index-sync.js';
import { memoryFor } from '../load-repository.js';
import { nextNumber } from '../object-number.js';
import { createRecord, readRecord } from '../record-store.js';
import { heartbeatRecord, type LeaseRecord, leaseRecord, type SessionRecord } from '../records.js';
import type { Repository } from '../repository.js';
import { listNames } from '../view.js';
import { digestBytes, type PruneRun, stopIfAborted } from './prune-run.js';

/** One prune at a time: docs/protocol.md rules 4, 6, 15 and 23. */

/** The right to prune under an epoch; held until it is closed or taken over. */
export interface PruneLease {
  readonly epoch: number;
  /**
   * CLOSE: from now on exactly these segments of the epoch count. Rejects (busy) when the epoch was taken over: then nothing
   * may be removed any more.
   */
  close(segments: Iterable<ObjectDigest>, extensions?: LeaseRecord['extensions']): Promise<void>;
  readonly isClosed: boolean;
  /** Ends the signs of life, closed or not. */
  stop(): Promise<void>;
}

const HIGHEST_LEASE = 999_999_999;
const LEASE = /^prune\/([1-9][0-9]{0,8})$/;
const ALIVE = /^prune-alive\/([1-9][0-9]{0,8})\.([1-9][0-9]{0,14})$/;

/** Rejects (damaged) when it cannot be opened: which segments of the epoch before count, nobody can tell then. */
async function readLease({ backend, records }: Repository, number: number): Promise<LeaseRecord> {
  const name = `prune/${number}`;
  try {
    return await readRecord(backend, 'leases', name, leaseRecord, records);
  } catch (error) {
    if (ifDamaged(error) === undefined && error instanceof ObjectNotFoundError) throw error;
    throw new DamagedError(`leases/${name}`, 'cannot be opened, so nobody can tell which segments count', {
      cause: error,
      hint: 'Nothing was removed. Put it back from a copy, if there is one, and run: cbr check',
    });
  }
}

/** Who holds the lease, as far as the record tells. */
export interface LeaseHolder {
  readonly epoch: number;
  readonly holder: SessionRecord | undefined;
  /** The number of the last sign of life. */
  readonly beat: number;
}

/** The highest lease record, 0 if there is none, and its holder unless it says that the lease is free. From one listing. */
export async function readLeaseState(
  repository: Repository,
): Promise<{ readonly highest: number; readonly held: LeaseHolder | undefined }> {
  const names = await listNames(repository.backend, 'leases');
  const highest = Math.max(0, ...names.map((name) => Number(LEASE.exec(name)?.[1] ?? 0)));
  if (highest === 0) return { highest, held: undefined };
  const record = await readLease(repository, highest);
  if (record.role === 'closing') return { highest, held: undefined };
  const beats = names.map((name) => {
    const [, epoch, beat] = ALIVE.exec(name) ?? [];
    return Number(epoch) === highest ? Number(beat) : 0;
  });
  return { highest, held: { epoch: highest, holder: record.holder, beat: Math.max(0, ...beats) } };
}

/** P1. Rejects (busy) while another prune runs, unless this one shall wait. `beforeWriting` is called when none does. */
export async function takeLease(run: PruneRun, beforeWriting: () => void): Promise<PruneLease> {
  const { repository, options } = run;
  let isTold = false;
  for (;;) {
    stopIfAborted(run);
    const { highest, held } = await readLeaseState(repository);
    if (held === undefined || mayTakeOver(run, held)) {
      const segments = held === undefined ? [] : await segmentsOfEpoch(repository, held.epoch);
      beforeWriting();
      // One more closes the epoch.
      const epoch = nextNumber(highest, 'leases/prune', HIGHEST_LEASE - 1);
      const lease = await createLease(run, epoch, segments);
      if (lease !== undefined) return lease;
    }
    if (!options.wait) {
      run.silence.save();
      throw busy(held?.holder);
    }
    if (!isTold)
      repository.report(`Waiting for another prune${nameOfHolder(held?.holder)} to end.`, 'notice');
    isTold = true;
    options.onProgress?.({ step: 'waiting', done: 0, total: 1 });
    await options.timing.sleep(options.timing.pollMs, options.signal);
  }
}

function nameOf(epoch: number): string {
  return `prune ${epoch}`;
}

function mayTakeOver({ options, silence }: PruneRun, { epoch, holder, beat }: LeaseHolder): boolean {
  const verdict = holder === undefined ? 'unknown' : options.examine(holder);
  return verdict === 'dead' || silence.isSilent(nameOf(epoch), String(beat));
}

function nameOfHolder(holder: SessionRecord | undefined): string {
  return holder === undefined ? '' : ` (process ${holder.pid} on ${holder.host})`;
}

function busy(holder: SessionRecord | undefined): CbrError {
  return new CbrError('busy', `another prune is running${nameOfHolder(holder)}`, {
    hint: 'Try again later, or wait for it with --wait.',
  });
}

/** The segments of an epoch that exist now: those of a prune that is taken over. */
async function segmentsOfEpoch(repository: Repository, epoch: number): Promise<ObjectDigest[]> {
  const { cache } = repository;
  const known = cache.segments();
  const found: ObjectDigest[] = [];
  for (const name of (await listNames(repository.backend, 'index')) as ObjectDigest[]) {
    const author = known.get(name)?.author ?? (await readSegment(repository, name, []))?.author;
    if (author?.kind === 'prune' && author.epoch === epoch) found.push(name);
  }
  return found;
}

/** Undefined when another prune was first. */
async function createLease(
  run: PruneRun,
  epoch: number,
  segments: readonly ObjectDigest[],
): Promise<PruneLease | undefined> {
  const { backend, records, identity, now, waitingMs } = run.repository;
  const holder: SessionRecord = { ...identity, started: Math.floor(now() / 1000), program: PROGRAM };
  const record: LeaseRecord = { role: 'holder', holder, segments: digestBytes(segments) };
  // What others may write anew is not remembered: see RecordMemory.
  const remember = (number: number, stored: Uint8Array): void => {
    if (waitingMs !== undefined) return;
    try {
      memoryFor(run.repository).put('leases', `prune/${number}`, stored);
    } catch {
      // The record is there, whatever becomes of the cache: it is read then.
    }
  };
  try {
    remember(epoch, await createRecord(backend, 'leases', `prune/${epoch}`, leaseRecord, record, records));
  } catch (error) {
    if (error instanceof ObjectExistsError) return undefined;
    throw error;
  }
  if (waitingMs !== undefined) {
    const { timing, signal } = run.options;
    await timing.sleep(SETTLING_POLLS * timing.pollMs, signal);
    if (!isSame(await readLease(run.repository, epoch), record)) return undefined;
  }
  const heart = startHeart(run, epoch);
  let isClosed = false;
  return {
    epoch,
    get isClosed() {
      return isClosed;
    },
    close: async (own, extensions) => {
      const closing: LeaseRecord = {
        role: 'closing',
        segments: digestBytes(own),
        ...(extensions === undefined ? {} : { extensions }),
      };
      try {
        const name = `prune/${epoch + 1}`;
        remember(epoch + 1, await createRecord(backend, 'leases', name, leaseRecord, closing, records));
      } catch (error) {
        if (!(error instanceof ObjectExistsError)) throw error;
        // Only the holder of an epoch closes it: the answer to its own write was lost.
        // On a store that silently overwrites two may hold it.
        const found = await readLease(run.repository, epoch + 1);
        const isOwn = waitingMs === undefined ? found.role === 'closing' : isSame(found, closing);
        if (!isOwn) throw takenOver(error);
      }
      if (waitingMs !== undefined && !isSame(await readLease(run.repository, epoch + 1), closing))
        throw takenOver(undefined);
      isClosed = true;
    },
    stop: async () => {
      await heart.stop();
      await removeBeats(run.repository, epoch).catch(() => undefined);
    },
  };
}

/** Of two who take the lease at the same time the later one counts, on a store that silently overwrites. */
const SETTLING_POLLS = 4;

function isSame(a: LeaseRecord, b: LeaseRecord): boolean {
  return sameBytes(encode(leaseRecord, a), encode(leaseRecord, b));
}

function takenOver(cause: unknown): CbrError {
  return new CbrError('busy', 'another prune took over, because this one seemed dead to it', {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Nothing was lost, and the other one goes on. Nothing is to be done.',
  });
}

interface Heart {
  stop(): Promise<void>;
}

function startHeart({ repository, options }: PruneRun, epoch: number): Heart {
  const { backend, records } = repository;
  if (options.timing.heartbeatMs === 0) return { stop: async () => undefined };
  let beats = 0;
  const beat = async (): Promise<void> => {
    const number = ++beats;
    await createRecord(
      backend,
      'leases',
      `prune-alive/${epoch}.${number}`,
      heartbeatRecord,
      { number },
      records,
    );
    if (number > 1) await backend.remove('leases', `prune-alive/${epoch}.${number - 1}`);
  };
  let beating = Promise.resolve();
  // A beat that fails says nothing about the prune: if it was taken over, its CLOSE will find that.
  // None while one is under way: while a store is away they would queue, each with its own patience.
  let isBeating = false;
  const timer = setInterval(() => {
    if (isBeating) return;
    isBeating = true;
    beating = beat()
      .catch(() => undefined)
      .finally(() => {
        isBeating = false;
      });
  }, options.timing.heartbeatMs);
  timer.unref();
  return {
    stop: async () => {
      clearInterval(timer);
      await beating;
    },
  };
}

/** Those of earlier epochs as well: their holders were taken over. */
async function removeBeats({ backend }: Repository, epoch: number): Promise<void> {
  const names = (await listNames(backend, 'leases')).filter((name) => Number(ALIVE.exec(name)?.[1]) <= epoch);
  await backend.removeMany('leases', names);
}
