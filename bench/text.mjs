/** How figures and tables are written for people. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** 1536 -> `1.5 KiB` @param {number} bytes */
export function sizeText(bytes) {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${UNITS[power]}`;
}

/** Three digits or so: 0.0123, 1.23, 12.3, 123 @param {number} value */
export function figure(value) {
  if (!Number.isFinite(value)) return '-';
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 3;
  return value.toFixed(digits);
}

/** 12345 -> `12,345` @param {number} value */
export function countText(value) {
  return value.toLocaleString('en-US');
}

/**
 * A table in columns: the first to the left, the others to the right.
 * @param {readonly (readonly string[])[]} rows the first one holds the headings
 */
export function columns(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  const [headings, ...body] = rows.map(line);
  return [headings, '-'.repeat(headings.length), ...body].join('\n');
}

/**
 * The same as a Markdown table.
 * @param {readonly (readonly string[])[]} rows the first one holds the headings
 */
export function markdownTable(rows) {
  const line = (row) => `| ${row.join(' | ')} |`;
  const [headings, ...body] = rows;
  return [line(headings), line(headings.map((_, i) => (i === 0 ? '---' : '---:'))), ...body.map(line)].join(
    '\n',
  );
}
