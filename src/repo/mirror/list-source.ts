import type { CallOptions, ListedObject, ObjectReader } from '../../backends/index.js';
import { CbrError } from '../../core/index.js';
import { isOwnName } from '../scrub/own-names.js';
import { isMirrored, type Listing, type MirroredKind, type Objects } from './mirrored-kinds.js';

/** Lists that change so often that no two agree: a repository with dozens of commits a second. */
const MOST_LISTINGS = 10;

export async function listObjects(
  reader: ObjectReader,
  kind: MirroredKind,
  options: CallOptions,
): Promise<Map<string, ListedObject>> {
  const found = new Map<string, ListedObject>();
  for await (const object of reader.list(kind, options)) {
    if (isOwnName(kind, object.name) && isMirrored(kind, object.name)) found.set(object.name, object);
  }
  return found;
}

/**
 * Lists a repository in use so that what is listed is whole by itself: each snapshot with all it needs (I1 to I4). Nothing can be
 * opened here, so the order says it, and what must not have happened meanwhile:
 *
 * * A snapshot may rely on the segments of sessions that ended before it. A list in pages can miss one that came early and have a
 *   later one; so snapshots are listed until nothing new is there: then whatever ended before the one list did is in it.
 * * A prune writes merged segments, closes its epoch by a lease record, and only then removes those they stand for. A list of
 *   segments can miss both only if an epoch is closed meanwhile: then the leases have changed.
 * * Packs are removed after the segments that name them: as long as each listed segment is still there when the packs have been
 *   listed, so was each of its packs.
 *
 * Rejects (busy) when this does not come to rest.
 */
export async function listSource(source: ObjectReader, options: CallOptions): Promise<Listing> {
  for (let listings = 0; listings < MOST_LISTINGS; listings++) {
    const listing = await listOnce(source, options);
    if (listing !== undefined) return listing;
  }
  throw changesTooOften(source);
}

export function changesTooOften({ location }: ObjectReader): CbrError {
  return new CbrError('busy', `${location} changes faster than it can be mirrored`, {
    hint: 'Nothing is wrong. Try again when no prune runs: what was copied stays.',
  });
}

async function listOnce(source: ObjectReader, options: CallOptions): Promise<Listing | undefined> {
  const list = (kind: MirroredKind): Promise<Map<string, ListedObject>> => listObjects(source, kind, options);
  const leasesBefore = await list('leases');
  const snapshots = await listSettled(list);
  const forgotten = await list('forgotten');
  const index = await list('index');
  const leases = await list('leases');
  const packs = await list('packs');
  if (!hasAll(leasesBefore, leases) || !hasAll(await list('index'), index)) return undefined;
  const notes = await list('notes');
  const policies = await list('policies');
  const catalog = await list('catalog');
  const config = await list('config');
  const keys = await list('keys');
  return { keys, config, packs, index, leases, forgotten, snapshots, notes, policies, catalog };
}

async function listSettled(
  list: (kind: MirroredKind) => Promise<Map<string, ListedObject>>,
): Promise<Objects> {
  let snapshots = await list('snapshots');
  for (let listings = 1; listings < MOST_LISTINGS; listings++) {
    const again = await list('snapshots');
    if (hasAll(snapshots, again)) return snapshots;
    snapshots = again;
  }
  return snapshots;
}

/** Whether `objects` has each name of `wanted`. */
function hasAll(objects: Objects, wanted: Objects): boolean {
  return [...wanted.keys()].every((name) => objects.has(name));
}
