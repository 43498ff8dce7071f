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
}

/**
 * The repository on the discs of a place, for reading. Rejects with `no-repository`, `not-a-repository` and `ambiguous` for what is
 * there, and as `openDisc` does when no disc can be used.
 */
export async function openDiscs({
  path,
  location,
  ask,
  report,
  stagingFolder,
}: OpenDiscsRequest): Promise<DiscBackend> {
  const known = new KnownDiscs();
  const place = new DiscPlace(path, known, report);
  await place.open();
  return new DiscBackend({ location, place, known, ask, report, spool: new DiscSpool(stagingFolder) });
}
