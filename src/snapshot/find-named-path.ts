import { CbrError, PathNotFoundError } from '../core/index.js';
import type { RawPath } from '../fs/index.js';
import type { Repository } from '../repo/index.js';
import type { ReadTreeChunk } from './content-list.js';
import { type FoundPath, findPath, pathInSnapshot } from './find-path.js';
import { hasSourceFor, mayLackOf, sourcesOf } from './held-paths.js';
import { type Holders, holdersOf } from './path-holders.js';
import { isPartial } from './snapshot-extensions.js';
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
    throw holders === undefined ? error : notFound(error, snapshot, holders, path ?? '');
  }
}

function notFound(error: CbrError, snapshot: Snapshot, holders: Holders, path: string): PathNotFoundError {
  const { earlier, later, isWhole } = holders;
  const [nearest] = earlier.length > 0 ? earlier : later;
  const why = whyAbsent(snapshot, pathInSnapshot(path));
  if (nearest === undefined) {
    const reason = why === undefined ? '' : `. ${why}`;
    const none = isWhole ? `, and no other snapshot of ${shown(snapshot.about.host)} has it` : '';
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return new PathNotFoundError(`${error.message}${reason}${none}`, [], { cause: error, ...hint });
  }
  const when =
    earlier.length === 0
      ? 'It was not there yet, or was left out'
      : 'It had been deleted by then, or was left out';
  const parts = [...listed('before', earlier), ...listed('after', later)];
  const more = isWhole ? '' : '; perhaps also in others';
  const message = `${error.message}. ${why ?? when}; it is in these snapshots ${parts.join(', and ')}${more}`;
  const ids = [...earlier, ...later].map(({ id }) => id);
  const hint = `See: cbr ls -l ${nearest.id.slice(0, 8)}:${shown(path)}`;
  return new PathNotFoundError(message, ids, { cause: error, hint });
}

/** Why a snapshot may lack a path that was there when it was taken; undefined: it does not. */
function whyAbsent(snapshot: Snapshot, path: RawPath): string | undefined {
  if (!hasSourceFor(snapshot.about, path)) {
    const isInList = sourcesOf(snapshot.about, path).length > 0;
    return isInList ? 'Only some of what was there was named then' : 'None of its sources holds that path';
  }
  if (mayLackOf(snapshot)?.(path) !== true) return undefined;
  return isPartial(snapshot.about)
    ? 'It is partial, and may have been stopped before that'
    : 'It could perhaps not be read then';
}

function listed(side: string, snapshots: readonly Snapshot[]): string[] {
  if (snapshots.length === 0) return [];
  return [
    `${side}: ${snapshots.map(({ id, about }) => `${id.slice(0, 12)} (${zonedText(about)})`).join(', ')}`,
  ];
}
