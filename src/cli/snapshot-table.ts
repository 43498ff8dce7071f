import { displayPath } from '../fs/index.js';
import { isPartial, type Snapshot } from '../snapshot/index.js';
import { pinText } from './commands/pin.js';
import { fittedTable, type Squeeze } from './fitted-table.js';
import { displayText } from './raw-names.js';
import { countText, sizeText } from './sizes.js';
import type { Column } from './table.js';
import { timeText } from './times.js';

/** Snapshots as `cbr snapshots` lists them. */

const COLUMNS: readonly Column[] = [
  { title: 'ID' },
  { title: 'Time' },
  { title: 'Host' },
  { title: 'Level' },
  { title: 'Files', align: 'right' },
  { title: 'Size', align: 'right' },
  { title: 'Tags' },
];
const PINNED: Column = { title: 'Pinned' };
const PATHS: Column = { title: 'Paths' };

/** What matters least goes first; 16 of a time are date and minutes, 10 its date. */
const SQUEEZES: readonly Squeeze[] = [
  { title: 'Paths', least: 24, cut: 'front' },
  { title: 'Tags', least: 12, cut: 'end' },
  { title: 'Time', least: 16, cut: 'clip' },
  { title: 'Host', least: 10, cut: 'end' },
  { title: 'Level', drop: true },
  { title: 'Files', drop: true },
  { title: 'Paths', least: 12, cut: 'front' },
  { title: 'Pinned', drop: true },
  { title: 'Tags', drop: true },
  { title: 'Host', drop: true },
  { title: 'Size', drop: true },
  { title: 'Time', least: 10, cut: 'clip' },
  { title: 'Paths', drop: true },
];

/** The titles and a line for each, ids of so many digits. With a column for pins only where there are any. */
export function snapshotTable(
  snapshots: readonly Snapshot[],
  digits: number,
  nowSeconds: number,
  width: number | undefined,
): string[] {
  const pins = snapshots.map((snapshot) => pinText(snapshot, nowSeconds));
  const hasPins = pins.some((text) => text !== '');
  const columns = [...COLUMNS, ...(hasPins ? [PINNED] : []), PATHS];
  const rows = snapshots.map((snapshot, i) => [
    ...rowOf(snapshot, digits),
    ...(hasPins ? [pins[i]!] : []),
    snapshot.about.paths.map(displayPath).join(' '),
  ]);
  return fittedTable(columns, rows, width, SQUEEZES);
}

function rowOf({ id, about }: Snapshot, digits: number): string[] {
  const { files, others, sourceBytes } = about.statistics;
  return [
    id.slice(0, digits),
    timeText(about),
    displayText(about.host),
    isPartial(about) ? `${about.level}, partial` : about.level,
    countText(files + others),
    sizeText(sourceBytes),
    about.tags.map(displayText).join(','),
  ];
}
