import { CbrError, PathNotFoundError } from '../core/index.js';
import type { Repository } from '../repo/index.js';
import type { ReadTreeChunk } from './content-list.js';
import { type FoundPath, findPath, pathInSnapshot } from './find-path.js';
import { type Holders, holdersOf } from './path-holders.js';
import type { Snapshot } from './snapshot-record.js';
import { shown, zonedText } from './snapshot-text.js';

/** As `findPath`; when the path is not there, it says which snapshots of the same host hold it, with PathNotFoundError. */
export async function findNamedPath(
  repository: Repository,
  snapshot: Snapshot,
  path: string | undefined,
  read: ReadTreeChunk,
): Promise<FoundPath> {
  try {
    return await findPath(snapshot, path, read);
  } catch (error) {
    if (!(error instanceof CbrError) || error.code !== 'not-found') throw error;
    const holders = await holdersOf(repository, snapshot, pathInSnapshot(path), read).catch(() => undefined);
    throw holders === undefined ? error : notFound(error, snapshot, holders, path);
  }
}

function notFound(error: CbrError, { about }: Snapshot, holders: Holders, path = ''): PathNotFoundError {
  const { earlier, later, isWhole } = holders;
  const [nearest] = earlier.length > 0 ? earlier : later;
  if (nearest === undefined) {
    const none = isWhole ? `, and no other snapshot of ${shown(about.host)} has it` : '';
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return new PathNotFoundError(`${error.message}${none}`, [], { cause: error, ...hint });
  }
  const when = earlier.length === 0 ? 'It was not there yet' : 'It had been deleted by then';
  const parts = [...listed('before', earlier), ...listed('after', later)];
  const more = isWhole ? '' : '; perhaps also in others';
  const message = `${error.message}. ${when}; it is in these snapshots ${parts.join(', and ')}${more}`;
  const ids = [...earlier, ...later].map(({ id }) => id);
  const hint = `See: cbr ls -l ${nearest.id.slice(0, 8)}:${shown(path)}`;
  return new PathNotFoundError(message, ids, { cause: error, hint });
}

function listed(side: string, snapshots: readonly Snapshot[]): string[] {
  if (snapshots.length === 0) return [];
  return [
    `${side}: ${snapshots.map(({ id, about }) => `${id.slice(0, 12)} (${zonedText(about)})`).join(', ')}`,
  ];
}
