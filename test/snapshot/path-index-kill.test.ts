import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';

const CHILD = join(import.meta.dirname, 'path-index-child.mjs');
const ROUNDS = process.env.CBR_SOAK === '1' ? 200 : 5;

const start = (...args: string[]) =>
  spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });

test(
  'a process killed at any moment leaves a path index that tells the truth',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cbr-test-'));
    let most = 0;
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        const child = start('churn', folder, String(round));
        await once(child.stdout!, 'data');
        await setTimeout(100 + ((round * 377) % 1500));
        child.kill('SIGKILL');
        await once(child, 'close');
        const verifier = start('verify', folder);
        let said = '';
        verifier.stdout!.setEncoding('utf8').on('data', (text: string) => {
          said += text;
        });
        const [code] = (await once(verifier, 'close')) as [number | null];
        expect({ round, code }).toEqual({ round, code: 0 });
        const { findings, notices, snapshots } = JSON.parse(said) as Record<string, unknown>;
        expect({ round, findings, notices }).toEqual({ round, findings: [], notices: [] });
        most = Math.max(most, snapshots as number);
      }
      expect(most).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  process.env.CBR_SOAK === '1' ? 3_600_000 : 300_000,
);
