import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openDatabase } from '../../dist/repo/cache/database.js';
import { run, start, verify } from './processes.js';
import { seeded } from './samples.js';

const ROUNDS = process.env.CBR_SOAK === '1' ? 300 : 8;
const MOST_MS = process.env.CBR_SOAK === '1' ? 3_600_000 : 300_000;
/** Segments of 35,000 chunks: adding one takes several transactions. */
const SCALE = 3500;

/** Entries of the data file that name a pack without a record. */
async function danglingEntries(folder: string): Promise<number> {
  const database = await openDatabase(join(folder, 'data.mdb'), 'read');
  const { chunks, copies, packs } = database.tables;
  const live = new Set([...packs.keys(Buffer.from([0]))].map((key) => Buffer.from(key).readUInt32BE(0)));
  let dangling = 0;
  for (const table of [chunks, copies]) {
    for (const { value } of table.entries('\0'))
      if (!live.has(Buffer.from(value).readUInt32LE(0))) dangling++;
  }
  await database.close();
  return dangling;
}

test(
  'a process killed at any moment leaves a cache that claims nothing that is not there',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cbr-test-'));
    const random = seeded(1);
    let statesKept = 0;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const child = start('churn', folder, SCALE, round + 1);
        await once(child.stdout!, 'data');
        await setTimeout(random() * (round % 3 === 0 ? 250 : 900));
        child.kill('SIGKILL');
        await once(child, 'close');
        if (round % 4 === 3) {
          const verdict = await verify(folder, SCALE, `round ${round}`);
          expect(verdict.notices).toEqual([]);
          if (verdict.stateKept) statesKept++;
          expect(await danglingEntries(folder)).toBe(0);
          // The child that checked for a killed process may outlive it; what was about to be renamed stays a day.
          const left = readdirSync(folder).filter((name) => !/^(new-|data\.mdb-walked-)/.test(name));
          expect(left.sort()).toEqual(['about', 'data.mdb', 'data.mdb-lock', 'state']);
        }
      }
      expect(statesKept).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  MOST_MS,
);

test('a killed process leaves the next one everything it had', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cbr-test-'));
  try {
    expect((await run('fill', folder, 50, '--abandon')).signal).toBe('SIGKILL');
    const verdict = await verify(folder, 50, 'after the kill');
    expect(verdict).toMatchObject({ notices: [], segments: 6, stateKept: true, record: 'a record' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
