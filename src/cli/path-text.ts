import { displayPath } from '../fs/index.js';
import type { PathHistory, PathState, PathVersion, Snapshot } from '../snapshot/index.js';
import { modeText } from './entry-text.js';
import { displayText, rawField, rawListField } from './raw-names.js';
import { countOf, sizeText } from './sizes.js';
import { isoTime, timeText } from './times.js';

/** Versions of paths as `cbr find` and `cbr log` show them. */

export const ID_DIGITS = 8;

const sizeCell = ({ type, size }: PathState): string => (type === 'file' ? sizeText(size ?? 0) : type);

/** Like ls -l, without the names of owners. */
export function longStateLine(path: string, state: PathState): string {
  const { type, mode, uid, gid, mtime } = state;
  const owner = `${String(uid).padEnd(6)} ${String(gid).padEnd(6)}`;
  const size = (type === 'file' ? sizeCell(state) : '-').padStart(9);
  return `${modeText(type, mode)}  ${owner} ${size} ${timeText(mtime)} ${displayPath(path)}`;
}

/** Host and paths of snapshots, for people. */
export function sourceText({ about }: Snapshot): string {
  return `${displayText(about.host)}: ${about.paths.map(displayPath).join(' ')}`;
}

/** `2026-11-20 14:05:09 +01:00  0f3a21bc  1.20 KiB  content, mtime  in 3 snapshots, until ...`. */
export function versionLine({ state, changes, first, last, snapshots }: PathVersion): string {
  const since = `${timeText(first.about)}  ${first.id.slice(0, ID_DIGITS)}`;
  const size = (state === undefined ? '-' : sizeCell(state)).padStart(9);
  const until = snapshots === 1 ? '' : `, until ${timeText(last.about)} ${last.id.slice(0, ID_DIGITS)}`;
  const held = state === undefined ? 'not in' : 'in';
  return `  ${since}  ${size}  ${changes.join(', ').padEnd(14)}  ${held} ${countOf(snapshots, 'snapshot')}${until}`;
}

const snapshotFields = ({ id, about }: Snapshot) => ({
  snapshot: id,
  time: isoTime(about, about.zoneOffset),
});

export function stateFields({ type, size, mode, uid, gid, mtime, content }: PathState) {
  return {
    ...{ kind: type, size, mode, uid, gid, mtime: isoTime(mtime) },
    content: content === '' ? undefined : Buffer.from(content, 'latin1').toString('hex'),
  };
}

/** One version of a path for programs. */
export function versionFields(
  { path }: PathHistory,
  version: PathVersion,
): Readonly<Record<string, unknown>> {
  const { state, changes, first, last, snapshots } = version;
  return {
    ...rawField('path', path),
    ...{ host: first.about.host, ...rawListField('paths', first.about.paths) },
    ...{ changes, first: snapshotFields(first), last: snapshotFields(last), snapshots },
    ...(state === undefined ? { kind: undefined } : stateFields(state)),
  };
}

/** A path of one snapshot for programs. */
export function foundFields(
  path: string,
  state: PathState,
  snapshot: Snapshot,
): Readonly<Record<string, unknown>> {
  return {
    ...rawField('path', path),
    ...snapshotFields(snapshot),
    host: snapshot.about.host,
    ...stateFields(state),
  };
}
