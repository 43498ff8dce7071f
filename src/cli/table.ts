import { textWidth } from './text-width.js';

export interface Column {
  readonly title: string;
  /** Where its cells stand; numbers to the right. */
  readonly align?: 'left' | 'right';
}

/** Rows under their titles, columns two blanks apart; the last column is not padded. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const all = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, i) => all.reduce((most, row) => Math.max(most, textWidth(row[i] ?? '')), 0));
  return all.map((row) =>
    columns
      .map(({ align }, i) => {
        const cell = row[i] ?? '';
        const blanks = ' '.repeat(widths[i]! - textWidth(cell));
        return align === 'right' ? blanks + cell : cell + blanks;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Labels in front of values, the values one below the other. */
export function labelled(rows: readonly (readonly [label: string, value: string])[]): string[] {
  const width = Math.max(...rows.map(([label]) => textWidth(label)));
  return rows.map(([label, value]) => `${label}${' '.repeat(width - textWidth(label))}  ${value}`.trimEnd());
}
