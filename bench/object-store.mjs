/**
 * The benchmark of an object store: cbr and restic on the same Ceph RADOS Gateway, started for it on the loopback address, with
 * packs of 32 MiB. Counts requests and bytes of each step; times snapshot and restore directly, and with 50 ms added to each
 * request.
 *
 *   npm run bench:store -- [--only counts,time,latency] [--corpus vers] [--rounds 3] [--out FILE]
 *
 * Corpora and caches live in $CBR_BENCH_DIR (default: cbr-bench in the temporary folder), restored files in /dev/shm.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startStoreProxy } from '../test/servers/store-proxy.mjs';
import { newBucket, startCephGateway } from '../test/servers/store-servers.mjs';
import { CORPUS_NAMES, corpus } from './corpora.mjs';
import { measure, median } from './measure.mjs';
import { countSteps } from './object-store-counts.mjs';
import { storeTools } from './object-store-tools.mjs';
import { figure } from './text.mjs';

const LATENCY_MS = 50;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'counts,time,latency' },
    corpus: { type: 'string', default: 'vers' },
    rounds: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});
const name = CORPUS_NAMES.find((each) => each === values.corpus);
if (name === undefined) throw new Error(`there is no corpus ${values.corpus}: ${CORPUS_NAMES.join(', ')}`);
const base = process.env.CBR_BENCH_DIR ?? join(tmpdir(), 'cbr-bench');
mkdirSync(base, { recursive: true });
const source = corpus(base, name);
const work = mkdtempSync(join(base, 'store-'));
const lines = [];
/** @param {string} line */
const say = (line) => {
  console.log(line);
  lines.push(line);
};
try {
  const parts = values.only.split(',');
  if (parts.includes('counts')) await counts();
  if (parts.includes('time')) await times('on loopback', 0);
  if (parts.includes('latency')) await times(`${LATENCY_MS} ms added to each request`, LATENCY_MS);
  if (values.out !== undefined) writeFileSync(values.out, `${lines.join('\n')}\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
// Node 20 can wait for ever for the handle of a connection that the proxy reset.
process.exit();

async function counts() {
  const gateway = await startCephGateway();
  const proxy = await startStoreProxy(gateway.endpoint);
  try {
    say(`\nRequests and bytes of each step, corpus ${source.name}:\n`);
    for (const line of await countSteps({ gateway, proxy, source, work })) say(line);
  } finally {
    await proxy.close();
    await gateway.stop();
  }
}

/** @param {string} what @param {number} latency milliseconds */
async function times(what, latency) {
  /** @type {Map<string, number[]>} */
  const series = new Map();
  for (let round = 0; round < Number(values.rounds); round++) {
    // Afresh: its memory is what it keeps the objects in.
    const gateway = await startCephGateway();
    const proxy = latency === 0 ? undefined : await startStoreProxy(gateway.endpoint);
    if (proxy !== undefined) proxy.settings = { ...proxy.settings, requestLatency: latency };
    try {
      const endpoint = proxy?.endpoint ?? gateway.endpoint;
      const tools = storeTools();
      if (round % 2 === 1) tools.reverse();
      for (const tool of tools) {
        const place = mkdtempSync(join(work, `${tool.name}-`));
        const its = tool.commands({ endpoint, bucket: await newBucket(gateway), key: gateway.owner, place });
        const target = mkdtempSync('/dev/shm/cbr-bench-');
        try {
          await measure(its.init);
          for (const [step, command] of [
            ['snapshot', its.snapshot(source.path)],
            ['restore', its.restore(target)],
          ]) {
            const { seconds, cpuSeconds } = await measure(command);
            const key = `${step} ${tool.name}`;
            series.set(key, [...(series.get(key) ?? []), seconds]);
            console.log(
              `${what}, round ${round + 1}: ${key} ${figure(seconds)} s (processor ${figure(cpuSeconds ?? 0)} s)`,
            );
          }
        } finally {
          rmSync(target, { recursive: true, force: true });
        }
      }
    } finally {
      await proxy?.close();
      await gateway.stop();
    }
  }
  say(`\nSeconds, corpus ${source.name}, ${what}, median of ${values.rounds}:\n`);
  say('| step | cbr | restic | cbr / restic |\n|---|---|---|---|');
  for (const step of ['snapshot', 'restore']) {
    const [ours, theirs] = ['cbr', 'restic'].map((tool) => median(series.get(`${step} ${tool}`) ?? []));
    say(`| ${step} | ${figure(ours)} | ${figure(theirs)} | ${(ours / theirs).toFixed(2)} |`);
  }
}
