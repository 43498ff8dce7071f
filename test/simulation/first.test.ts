import { test } from 'vitest';
import { EVERYDAY } from './bias.js';
import { PLANTED_FAULTS } from './faults.js';
import { runSchedule } from './schedule.js';
import { openStage } from './stage.js';

test('try', async () => {
  const stage = await openStage();
  const count = Number(process.env.N ?? 100);
  const from = Number(process.env.FROM ?? 0);
  const plantedBias = PLANTED_FAULTS.find((f) => f.number === Number(process.env.BIAS ?? 0));
  const fault = PLANTED_FAULTS.find((f) => f.number === Number(process.env.FAULT ?? 0));
  const bias = (plantedBias ?? fault)?.bias ?? EVERYDAY;
  const cpu = process.cpuUsage();
  let steps = 0;
  const bad = new Map<string, number[]>();
  const hashes = new Set<number>();
  for (let seed = from; seed < from + count; seed++) {
    const r = await runSchedule(stage, { seed, bias, recording: count === 1, ...(fault && { fault }) });
    steps += r.steps;
    hashes.add(r.traceHash);
    if (count === 1) console.log(r.trace.join('\n'));
    if (count === 1) console.log(r.violations);
    const v = r.violations[0];
    if (v) {
      const key = `${v.kind}: ${v.message.replace(/[0-9a-f]{8,}/g, 'X').replace(/^\S+ failed/, 'P failed').replace(/packs.X.*gone/, 'packs/X ... gone').slice(0, 170)}`;
      bad.set(key, [...(bad.get(key) ?? []), seed]);
    }
  }
  const used = process.cpuUsage(cpu);
  console.log(((used.user + used.system) / 1000 / count).toFixed(2), 'ms CPU each', steps / count, 'steps', hashes.size, 'distinct', Math.round(process.memoryUsage().rss / 2 ** 20), 'MiB');
  for (const [k, v] of bad) console.log(v.length, k, v.slice(0, 5).join());
  stage.close();
}, 600_000);
