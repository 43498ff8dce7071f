import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fittedTable, type Squeeze } from '../../dist/cli/fitted-table.js';
import { table } from '../../dist/cli/table.js';
import { shortenedEnd, textWidth } from '../../dist/cli/text-width.js';
import { runs } from '../core/runs.js';

const COLUMNS = [{ title: 'ID' }, { title: 'Size', align: 'right' }, { title: 'Paths' }] as const;
const SQUEEZES: readonly Squeeze[] = [
  { title: 'Paths', least: 12, cut: 'front' },
  { title: 'Size', drop: true },
  { title: 'Paths', least: 6, cut: 'front' },
];
const ROWS = [
  ['3f0a1b2c', '1.00 KiB', '/home/ann/documents'],
  ['77e1d0a9', '12 B', '/etc'],
];

test('it stays as it is where it fits, and where there is no terminal', () => {
  expect(fittedTable(COLUMNS, ROWS, undefined, SQUEEZES)).toEqual(table(COLUMNS, ROWS));
  expect(fittedTable(COLUMNS, ROWS, 39, SQUEEZES)).toEqual(table(COLUMNS, ROWS));
});

test('columns shrink as much as is needed, then the least important goes, and the others get its room', () => {
  expect(fittedTable(COLUMNS, ROWS, 35, SQUEEZES)[1]).toBe('3f0a1b2c  1.00 KiB  …/ann/documents');
  expect(fittedTable(COLUMNS, ROWS, 31, SQUEEZES)).toEqual([
    'ID        Paths',
    '3f0a1b2c  /home/ann/documents',
    '77e1d0a9  /etc',
  ]);
  expect(fittedTable(COLUMNS, ROWS, 20, SQUEEZES)[1]).toBe('3f0a1b2c  …documents');
  // As for 20.
  expect(fittedTable(COLUMNS, ROWS, 1, SQUEEZES)).toEqual(fittedTable(COLUMNS, ROWS, 20, SQUEEZES));
});

test('no line is ever wider than the terminal', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', 'é', '漢', '👍'), maxLength: 40 });
  const rows = fc.array(fc.tuple(text, text, text), { maxLength: 5 });
  fc.assert(
    fc.property(
      rows,
      fc.integer({ min: 0, max: 90 }),
      fc.shuffledSubarray([...SQUEEZES]),
      (cells, width, by) => {
        const lines = fittedTable(COLUMNS, cells, width, by);
        expect(lines).toHaveLength(cells.length + 1);
        for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(Math.max(20, width));
      },
    ),
    runs(300),
  );
});

test('the beginning of a text', () => {
  expect(shortenedEnd('documents', 9)).toBe('documents');
  expect(shortenedEnd('documents', 8)).toBe('documen…');
  expect(shortenedEnd('漢字漢字', 6)).toBe('漢字…');
});
