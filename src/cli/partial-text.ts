import { messageOf } from '../core/index.js';
import { displayPath } from '../fs/index.js';
import { isPartial, partsOf, pathInSnapshot, type Snapshot } from '../snapshot/index.js';
import type { CommandContext } from './command.js';
import type { Output } from './output.js';

/** What is said of partial snapshots. */

/** So many sources are named. */
const MOST_PARTS = 3;

/** A snapshot that was stopped just now. */
export function notePartial({ output, signal }: CommandContext): void {
  output.problem({
    severity: 'warning',
    about: 'source',
    code: 'interrupted',
    reason: `${messageOf(signal.reason)} before everything was taken in: the snapshot is partial`,
    hint: 'The same command goes on from there.',
  });
}

/** A snapshot that is about to be used; nothing where it is whole. */
export function noteIfPartial(output: Output, { id, about }: Snapshot): void {
  if (!isPartial(about)) return;
  output.problem({
    severity: 'warning',
    about: 'repository',
    code: 'partial',
    reason: 'is partial: it was stopped before everything was taken in',
    hint: 'What it lacks may be in another one. See: cbr snapshots',
    object: `snapshots/${id}`,
  });
}

/** As `noteIfPartial`; also where no source of the snapshot holds all of what is wanted of it. */
export function noteIfLacking(output: Output, snapshot: Snapshot, path: string | undefined): void {
  noteIfPartial(output, snapshot);
  if (path === undefined) return;
  const wanted = pathInSnapshot(path);
  const parts = partsOf(snapshot.about, wanted);
  if (parts.length === 0) return;
  const shown = parts.slice(0, MOST_PARTS).map(displayPath).join(' and ');
  const more = parts.length > MOST_PARTS ? ` and ${parts.length - MOST_PARTS} more` : '';
  output.problem({
    severity: 'note',
    about: 'repository',
    code: 'parts',
    reason: `of ${displayPath(wanted)} it holds ${shown}${more} only: no source of it is all of that`,
    object: `snapshots/${snapshot.id}`,
  });
}
