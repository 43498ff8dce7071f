import { type Column, table } from './table.js';
import { shortenedEnd, shortenedFront, textWidth } from './text-width.js';

/** Tables for terminals of any width. */

/**
 * A way to make a table narrower. `least`: the width to which a column may shrink, its texts cut at their front or end; with
 * `clip` it shrinks to exactly that, without an ellipsis.
 */
export type Squeeze =
  | { readonly title: string; readonly drop: true }
  | { readonly title: string; readonly least: number; readonly cut: 'front' | 'end' | 'clip' };

const GAP = 2;
/** What is narrower is taken for this wide. */
const NARROWEST = 20;

/**
 * As `table`, but no line is wider than `width`: one squeeze after the other is applied until all fits, each no more than is
 * needed. Undefined: any width.
 */
export function fittedTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
  squeezes: readonly Squeeze[],
): string[] {
  if (width === undefined) return table(columns, rows);
  const room = Math.max(NARROWEST, width);
  const fitted = squeezed(
    columns.map((column, i) => natural(column, rows, i)),
    room,
    squeezes,
  );
  const lines = table(
    fitted.map(({ column, cells }) => ({ ...column, title: cells[0]! })),
    rows.map((_, row) => fitted.map(({ cells }) => cells[row + 1]!)),
  );
  // Where there was nothing left to squeeze.
  return lines.map((line) => shortenedEnd(line, room));
}

interface FittedColumn {
  readonly column: Column;
  /** The title first. */
  cells: readonly string[];
  width: number;
}

function natural(column: Column, rows: readonly (readonly string[])[], i: number): FittedColumn {
  const cells = [column.title, ...rows.map((row) => row[i] ?? '')];
  return { column, cells, width: widest(cells) };
}

const widest = (cells: readonly string[]): number =>
  cells.reduce((most, cell) => Math.max(most, textWidth(cell)), 0);

function squeezed(
  columns: readonly FittedColumn[],
  room: number,
  squeezes: readonly Squeeze[],
): readonly FittedColumn[] {
  let left = columns;
  const cuts = new Map<FittedColumn, keyof typeof CUTS>();
  const excess = (): number => left.reduce((sum, each) => sum + each.width, GAP * (left.length - 1)) - room;
  for (const squeeze of squeezes) {
    const over = excess();
    if (over <= 0) break;
    const meant = left.find(({ column }) => column.title === squeeze.title);
    if (meant === undefined) continue;
    if ('drop' in squeeze) left = left.filter((each) => each !== meant);
    else if (meant.width > squeeze.least) {
      const { cut, least } = squeeze;
      meant.width = cut === 'clip' ? least : Math.max(least, meant.width - over);
      cuts.set(meant, cut);
    }
  }
  for (const each of left) {
    const cut = cuts.get(each);
    if (cut === undefined) continue;
    // What was left out later may have made more room than was needed.
    if (cut !== 'clip') each.width = Math.min(widest(each.cells), each.width + Math.max(0, -excess()));
    each.cells = each.cells.map((cell) => CUTS[cut](cell, each.width));
  }
  return left;
}

const CUTS = {
  front: shortenedFront,
  end: shortenedEnd,
  clip: (text: string, width: number) => text.slice(0, width),
} as const;
