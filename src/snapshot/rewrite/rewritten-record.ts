import { CbrError, PROGRAM, type SessionId, sameBytes } from '../../core/index.js';
import type { Repository } from '../../repo/index.js';
import { listSnapshots } from '../list-snapshots.js';
import { rewrittenFrom, withRewrittenFrom } from '../snapshot-extensions.js';
import { type AboutSnapshot, encodeAbout, type Snapshot } from '../snapshot-record.js';
import type { StoredForRoot } from './commit-root.js';
import type { EntryCounts } from './entry-counts.js';
import type { NewWords } from './rewrite-options.js';

/** What snapshots say that were made from others. */

/** With what is said anew. */
export function withWords(about: AboutSnapshot, { host, user, job, time }: NewWords): AboutSnapshot {
  return {
    ...about,
    ...(time ?? {}),
    ...(host === undefined ? {} : { host }),
    ...(user === undefined ? {} : { user }),
    ...(job === undefined ? {} : { job }),
  };
}

/** The record of what was made of `from`: what it holds is counted, and that no file was read. */
export function recordOf(
  about: AboutSnapshot,
  from: readonly SessionId[],
  { files, folders, others, bytes }: EntryCounts,
  { stored }: Pick<StoredForRoot, 'stored'>,
  milliseconds: number,
): AboutSnapshot {
  const statistics = {
    files,
    folders,
    others,
    newFiles: 0,
    changedFiles: 0,
    unchangedFiles: files,
    sourceBytes: bytes,
    newBytes: 0,
    storedBytes: stored,
    milliseconds: Math.round(milliseconds),
  };
  return withRewrittenFrom({ ...about, program: PROGRAM, statistics }, from);
}

/** Whether two records say the same of what they hold; tags and comment, which notes change, apart. */
export function saysTheSame(a: AboutSnapshot, b: AboutSnapshot): boolean {
  return sameBytes(encodeAbout(comparable(a)), encodeAbout(comparable(b)));
}

function comparable({ comment: _, extensions: __, ...about }: AboutSnapshot): AboutSnapshot {
  const none = { files: 0, folders: 0, others: 0, newFiles: 0, changedFiles: 0, unchangedFiles: 0 };
  const statistics = { ...none, sourceBytes: 0, newBytes: 0, storedBytes: 0, milliseconds: 0 };
  return { ...about, tags: [], program: '', statistics };
}

/** What an earlier run has made of the same snapshots, if it is there still. */
export async function madeBefore(
  repository: Repository,
  from: readonly SessionId[],
  root: Snapshot['root'],
  about: AboutSnapshot,
): Promise<Snapshot | undefined> {
  const { snapshots } = await listSnapshots(repository);
  return snapshots.find(
    (each) =>
      each.root.id === root.id &&
      rewrittenFrom(each.about).join() === from.join() &&
      saysTheSame(each.about, about),
  );
}

/** A snapshot that can be read no more is damaged, for nobody has forgotten it. */
export function unreadable(from: readonly Snapshot[], doing: string): (cause: CbrError) => CbrError {
  const names = from.map(({ id }) => id.slice(0, 8)).join(', ');
  return (cause) =>
    new CbrError('damaged', `${names} cannot be ${doing}: ${cause.message}`, {
      cause,
      hint: 'Run: cbr check. Nothing was made, and nothing was forgotten.',
    });
}

/** Rejects when one of the snapshots was forgotten since it was chosen: it must not come back by itself. */
export function refuseForgotten(from: readonly Snapshot[], isValid: (id: SessionId) => boolean): void {
  const gone = from.find(({ id }) => !isValid(id));
  if (gone === undefined) return;
  throw new CbrError('not-found', `snapshot ${gone.id.slice(0, 8)} was forgotten a moment ago`, {
    hint: 'See: cbr snapshots',
  });
}
