/**
 * The benchmark of everyday use: the oldest of 30 snapshots restored, beside restic; one small file out of a large repository,
 * and an interrupted restore taken up again, by what they read from the repository.
 *
 *   npm run bench:everyday -- [--only oldest,one,resume] [--rounds 3] [--out FILE]
 *
 * Repositories live in $CBR_BENCH_DIR (default: cbr-bench in the temporary folder; 15 GB), restored files in /dev/shm.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureOldest } from './everyday-oldest.mjs';
import { measureOneFile } from './everyday-one-file.mjs';
import { measureResume } from './everyday-resume.mjs';

const PARTS = { oldest: measureOldest, one: measureOneFile, resume: measureResume };

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(PARTS).join(',') },
    rounds: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});

async function main() {
  const rounds = Number(options.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds ${options.rounds}: a number from 1 on expected`);
  const cache = process.env.CBR_BENCH_DIR ?? join(tmpdir(), 'cbr-bench');
  const memory = join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `cbr-everyday-${process.pid}`);
  mkdirSync(memory, { recursive: true });
  const sections = ['## Everyday use'];
  try {
    for (const name of options.only.split(',')) {
      const part = PARTS[name];
      if (part === undefined) throw new Error(`unknown: ${name}; there are ${Object.keys(PARTS).join(', ')}`);
      sections.push(await part({ cache, memory, rounds }));
    }
  } finally {
    rmSync(memory, { recursive: true, force: true });
  }
  const text = sections.join('\n\n');
  if (options.out !== undefined) writeFileSync(options.out, `${text}\n`);
  console.log(`\n${text}`);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
