import { CbrError } from '../../core/index.js';
import type { DiscLabel } from '../label.js';
import { type AskForDisc, DiscBackend } from './disc-backend.js';
import { DiscPlace, type ReportDisc } from './disc-place.js';
import { DiscSpool } from './disc-spool.js';
import { KnownDiscs } from './known-discs.js';

export interface OpenDiscsRequest {
  /** The folder, image or drive. */
  readonly path: string;
  /** As the user names it. */
  readonly location: string;
  readonly ask: AskForDisc;
  readonly report: ReportDisc;
  /** For what is copied from discs that have to be taken out. */
  readonly stagingFolder: string;
  /** The newest label of a set, whose discs need not be at hand. */
  readonly remembered?: DiscLabel;
}

/**
 * The repository on the discs of a place, for reading. Rejects with `no-repository`, `not-a-repository` and `ambiguous` for what is
 * there, and as `openDisc` does when no disc can be used; with a remembered label none need be there.
 */
export async function openDiscs({
  path,
  location,
  ask,
  report,
  stagingFolder,
  remembered,
}: OpenDiscsRequest): Promise<DiscBackend> {
  const known = new KnownDiscs();
  const place = new DiscPlace(path, known, report);
  if (remembered !== undefined) known.remember(remembered);
  await place.open().catch((error: unknown) => {
    const isEmpty = error instanceof CbrError && error.code === 'no-repository';
    if (!isEmpty || remembered === undefined) throw error;
  });
  return new DiscBackend({ location, place, known, ask, report, spool: new DiscSpool(stagingFolder) });
}
