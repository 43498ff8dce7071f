import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** docs/comparison.md says what to type for twenty tasks: with cbr each does what it says. */

const PROJECT = join(import.meta.dirname, '../..');

/** What is typed with cbr, in the order of the page. */
function typedIn(page: string): string[] {
  return page.split('\n').filter((line) => line.startsWith('| cbr | '));
}

test('every task of the comparison is done by the commands on its page', { timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'cbr-comparison-'));
  try {
    const out = join(folder, 'comparison.md');
    const script = join(PROJECT, 'bench/comparison.mjs');
    const run = spawnSync(process.execPath, [script, '--only', 'cbr', '--out', out], { encoding: 'utf8' });
    expect(run).toMatchObject({ status: 0, stderr: '' });
    const typed = typedIn(readFileSync(out, 'utf8'));
    expect(typed).toHaveLength(20);
    // npm run comparison writes the page again.
    expect(typedIn(readFileSync(join(PROJECT, 'docs/comparison.md'), 'utf8'))).toEqual(typed);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
