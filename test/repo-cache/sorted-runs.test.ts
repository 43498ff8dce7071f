import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ROW_BYTES } from '../../dist/repo/cache/layout.js';
import { RunCollector } from '../../dist/repo/cache/sorted-runs.js';
import { seeded } from './samples.js';

test('runs that outgrow memory come out merged', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cbr-test-'));
  try {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.nat(200), { maxLength: 12 }), (seed, sizes) => {
        const random = seeded(seed);
        const rows: Buffer[] = [];
        const collector = new RunCollector(folder, 150 * ROW_BYTES);
        let mostFiles = 0;
        for (const size of sizes) {
          // Few distinct values at the front of the keys, so that the ends of keys decide as well.
          const run = Array.from({ length: size }, () =>
            Buffer.from(
              Array.from({ length: ROW_BYTES }, (_, i) => Math.floor(random() * (i < 7 ? 2 : 256))),
            ),
          ).sort(Buffer.compare);
          rows.push(...run);
          collector.add(Buffer.concat(run));
          mostFiles = Math.max(mostFiles, readdirSync(folder).length);
        }
        const merged = collector.merged();
        const found: Buffer[] = [];
        for (; !merged.atEnd; merged.next()) {
          found.push(Buffer.from(merged.rows.subarray(merged.offset, merged.offset + ROW_BYTES)));
        }
        expect(Buffer.concat(found).equals(Buffer.concat(rows.sort(Buffer.compare)))).toBe(true);
        expect(mostFiles > 0).toBe(sizes.reduce((sum, size) => sum + size, 0) > 150);
        collector.dispose();
        expect(readdirSync(folder)).toEqual([]);
      }),
      { numRuns: 50 },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
