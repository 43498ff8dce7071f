import { displayPath } from '../fs/index.js';
import {
  countOfEntries,
  type EntryCounts,
  type Listener,
  type Rewritten,
  type Snapshot,
} from '../snapshot/index.js';
import { itemFields, itemLine, shownBy } from './events.js';
import type { Output } from './output.js';
import { displayText } from './raw-names.js';
import { countOf, sizeText } from './sizes.js';
import { timeText } from './times.js';

/** How rewritten and merged snapshots are told about. */

/** `3f0a1b2c (2026-11-20 14:05:09 +01:00, dove, /home)`. */
export function describedSnapshot({ id, about }: Snapshot): string {
  const paths = about.paths.map(displayPath).join(' ');
  return `${id.slice(0, 8)} (${timeText(about)}, ${displayText(about.host)}, ${paths})`;
}

/** Shows what is left out or differs, with `snapshot` as a field for programs where it is of one of several. */
export function itemsOf(output: Output, isShown: boolean, snapshot?: Snapshot): Listener {
  const others = shownBy(output, 'source');
  const more = snapshot === undefined ? {} : { snapshot: snapshot.id };
  return (event) => {
    if (event.type !== 'item') others(event);
    else if (isShown) output.item({ ...more, ...itemFields(event) }, () => itemLine(event));
  };
}

export function holdsText(counts: EntryCounts): string {
  return `${countOf(countOfEntries(counts), 'entry', 'entries')} (${sizeText(counts.bytes)})`;
}

/** What became of the snapshots, for programs. */
export function resultFields(result: Rewritten): Readonly<Record<string, unknown>> {
  const { from, state, snapshot, forgotten, left, leftOut } = result;
  return {
    from: from.map(({ id }) => id),
    state,
    ...(snapshot === undefined ? {} : { snapshot: snapshot.id }),
    forgotten,
    files: left.files + left.others,
    folders: left.folders,
    bytes: left.bytes,
    ...(countOfEntries(leftOut) === 0
      ? {}
      : { leftOut: { entries: countOfEntries(leftOut), bytes: leftOut.bytes } }),
  };
}

export function storedAgainLine(bytes: number): string | undefined {
  return bytes === 0 ? undefined : `${sizeText(bytes)} that were about to be removed were stored again.`;
}
