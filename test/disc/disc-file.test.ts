import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type DiscFile, estimateBytes, inSectors } from '../../dist/disc/set/disc-file.js';
import { measuring } from '../../dist/disc/set/measure.js';

/** The estimate of the size of an image, against what xorriso says. */

const hex = (i: number): string => ((i * 2_654_435_761) >>> 0).toString(16).padStart(64, 'a7');
const packs = (count: number, size: number): DiscFile[] =>
  Array.from({ length: count }, (_, i) => {
    const name = `${(i % 256).toString(16).padStart(2, '0')}${hex(i).slice(2)}`;
    return { to: `packs/${name.slice(0, 2)}/${name}`, size: size + i };
  });
const usual: DiscFile[] = [
  { to: 'config/1', size: 300 },
  { to: 'keys/0123456789abcdef', size: 500 },
  { to: 'disc.json', size: 4000 },
  { to: 'README.txt', size: 2500 },
  { to: 'SHA256SUMS', size: 9000 },
  { to: 'restore/cbr-restore.mjs', size: 170_000 },
  { to: `index/${hex(5)}`, size: 1_000_000 },
];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'cbr-sizes-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test('it is never less, and little more', async () => {
  const cases: readonly (readonly [string, readonly DiscFile[], number])[] = [
    ['nothing', [], 400],
    ['the usual files', usual, 400],
    ['a DVD of packs', [...usual, ...packs(140, 32 * 2 ** 20)], 1200],
    ['a Blu-ray disc of packs', [...usual, ...packs(745, 32 * 2 ** 20)], 1600],
    ['small packs', [...usual, ...packs(5000, 1000)], 3500],
  ];
  const where = folder();
  const sizes = await measuring(where, new AbortController().signal);
  for (const [what, files, mostSectors] of cases) {
    const over = estimateBytes(files) - (await sizes.measure(files));
    expect(over, what).toBeGreaterThanOrEqual(0);
    expect(over / 2048, what).toBeLessThanOrEqual(mostSectors);
  }
  await sizes.close();
  expect(readdirSync(where)).toEqual([]);
});

test('one file more costs at least its sectors', () => {
  const more = { to: `packs/00/${hex(7)}`, size: 12_345 };
  const before = estimateBytes(usual);
  expect(estimateBytes([...usual, more]) - before).toBeGreaterThanOrEqual(inSectors(12_345));
  expect([0, 1, 2048, 2049].map(inSectors)).toEqual([0, 2048, 2048, 4096]);
});
