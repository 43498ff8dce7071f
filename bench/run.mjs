/**
 * The benchmark: cbr against its peers on the same corpora, in the same run, taking turns. Writes bench/RESULTS.md.
 *
 *   npm run bench -- [--only tree,big,vers] [--rounds 5] [--peers restic,borg] [--no-cbr] [--out FILE]
 *
 * Corpora and repositories live in $CBR_BENCH_DIR (default: cbr-bench in the temporary folder; 6 GB), restored files in
 * /dev/shm where that exists. Peers are taken from $RESTIC and $BORG, the PATH, or /opt/peers/usr/bin.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CORPUS_NAMES, corpus } from './corpora.mjs';
import { reportText } from './report.mjs';
import { measureCorpus } from './rounds.mjs';
import { measureStart } from './start.mjs';
import { cbr, PEER_NAMES, peer } from './tools.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: CORPUS_NAMES.join(',') },
    rounds: { type: 'string', default: '5' },
    peers: { type: 'string', default: PEER_NAMES.join(',') },
    'no-cbr': { type: 'boolean', default: false },
    out: { type: 'string', default: fileURLToPath(new URL('RESULTS.md', import.meta.url)) },
  },
});

/** @param {string} text @param {readonly string[]} allowed */
function words(text, allowed) {
  const found = text.split(',').filter(Boolean);
  const unknown = found.filter((word) => !allowed.includes(word));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}; there are ${allowed.join(', ')}`);
  return found;
}

async function main() {
  const rounds = Number(options.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds ${options.rounds}: a number from 1 on expected`);
  const names = words(options.only, CORPUS_NAMES);
  const peers = words(options.peers, PEER_NAMES).flatMap((name) => {
    const found = peer(name);
    if (found === undefined) console.log(`${name} is not installed and not measured`);
    return found === undefined ? [] : [found];
  });
  const withCbr = !options['no-cbr'];
  const tools = [...(withCbr ? [cbr()] : []), ...peers];

  const cache = process.env.CBR_BENCH_DIR ?? join(tmpdir(), 'cbr-bench');
  const memoryRoot = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const work = join(cache, `work-${process.pid}`);
  const memory = join(memoryRoot, `cbr-bench-${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    const measured = [];
    for (const name of names) {
      const made = corpus(cache, name);
      measured.push({ corpus: made, results: await measureCorpus(made, tools, { rounds, work, memory }) });
    }
    const start = withCbr ? await measureStart() : undefined;
    const text = reportText({ tools, measured, start, rounds, date: new Date(), restoredTo: memoryRoot });
    writeFileSync(options.out, text);
    console.log(`\n${text}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
    rmSync(memory, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
