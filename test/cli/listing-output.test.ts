import { expect, test } from 'vitest';
import { filled, snapshotId } from './filled.js';

/** What listings do when nobody can take what they print, and on the narrowest of terminals. */

const LISTINGS = [
  'snapshots',
  'snapshots --group-by host',
  'ls -lR latest',
  'stats',
  'stats latest --free',
  'stats --each',
  'stats latest --by folder --depth 9',
  'stats latest --by type',
  'tag add x latest',
  'forget latest --dry-run',
  'unforget',
  'sessions',
  'key list',
  'cache list',
  'version -v',
];

test('a full disk is told and no success; a reader that goes away is neither', async () => {
  const its = await filled();
  await snapshotId(its);
  const script = LISTINGS.map(
    (line) =>
      `cbr ${line} >/dev/full 2>err; echo "$? $(cat err)"; { cbr ${line} 2>err; echo $? >code; } | true; echo "$(cat code) $(cat err)"`,
  );
  const told: Record<string, readonly string[]> = {};
  const expected: Record<string, readonly string[]> = {};
  await Promise.all(
    [script.slice(0, 8), script.slice(8)].map(async (part, half) => {
      const { stdout } = await its.shell(`mkdir h${half}; cd h${half}\n${part.join('\n')}`);
      const lines = stdout.split('\n').map((line) => line.trimEnd());
      for (const [i] of part.entries()) {
        told[LISTINGS[8 * half + i]!] = lines.slice(2 * i, 2 * i + 2);
        expected[LISTINGS[8 * half + i]!] = [
          expect.stringMatching(/^1 cbr: cannot write to standard output: ENOSPC/) as string,
          '0',
        ];
      }
    }),
  );
  expect(told).toEqual(expected);
}, 180_000);
