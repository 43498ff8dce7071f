/** Restoring the oldest of many snapshots: the files of one lie among those of all. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readLines } from './cbr-json.mjs';
import { measureFolder } from './corpora.mjs';
import { measure, median, medianRatio } from './measure.mjs';
import { CHANGED_PART, keptRepositories, usedCopy } from './prune-repositories.mjs';
import { countText, figure, markdownTable, sizeText } from './text.mjs';
import { cbr, peer } from './tools.mjs';

const SNAPSHOTS = 30;
const TARGET_RATIO = 0.6;

/** @param {{cache: string, memory: string, rounds: number}} run */
export async function measureOldest({ cache, memory, rounds }) {
  const restic = peer('restic');
  if (restic === undefined) throw new Error('restic is not installed: nothing to compare with');
  const tools = [cbr(), restic];
  const kept = await keptRepositories(cache, tools, { snapshots: SNAPSHOTS, files: undefined });
  const seconds = new Map(tools.map(({ name }) => [name, []]));
  const peaks = new Map(tools.map(({ name }) => [name, []]));
  let restored;
  try {
    const running = [];
    for (const tool of tools) {
      const { commands } = usedCopy(kept, tool);
      await measure(commands.settle);
      running.push({ tool, commands, oldest: await oldestOf(tool, commands) });
    }
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < running.length; i++) {
        // Each round starts with another tool, so that no tool always follows the same one.
        const { tool, commands, oldest } = running[(i + round) % running.length];
        const target = join(memory, tool.name);
        mkdirSync(target, { recursive: true });
        const measured = await measure(commands.restore(target, oldest));
        seconds.get(tool.name).push(measured.seconds);
        peaks.get(tool.name).push(measured.peakBytes);
        const found = measureFolder(target);
        restored ??= found;
        if (found.files !== restored.files || found.bytes !== restored.bytes)
          throw new Error(`${tool.name} restored ${found.files} files, another one ${restored.files}`);
        rmSync(target, { recursive: true });
        console.log(`oldest, round ${round + 1}: ${tool.name} ${figure(measured.seconds)} s`);
      }
    }
  } finally {
    rmSync(join(kept.folder, 'live'), { recursive: true, force: true });
  }
  const ratio = medianRatio(seconds.get('cbr'), seconds.get('restic'));
  const cell = (values) =>
    `${figure(median(values))} s (${figure(Math.min(...values))} to ${figure(Math.max(...values))})`;
  return [
    `### The oldest of ${SNAPSHOTS} snapshots\n`,
    `*tree* with ${figure(100 * CHANGED_PART)} % of its files changed from one snapshot to the next; the oldest ` +
      `(${countText(restored.files)} files, ${sizeText(restored.bytes)}) restored to memory. ` +
      `${tools.map(({ name, version }) => `${name} ${version}`).join(', ')}, ${rounds} rounds, taking turns.\n`,
    markdownTable([
      ['', ...tools.map(({ name }) => name)],
      ['restore', ...tools.map(({ name }) => cell(seconds.get(name)))],
      ['peak memory', ...tools.map(({ name }) => sizeText(median(peaks.get(name))))],
      ['ratio (at most 0.60)', `${figure(ratio)}, ${ratio <= TARGET_RATIO ? 'reached' : 'missed'}`, ''],
    ]),
  ].join('\n');
}

/** The name of the oldest snapshot. @param {import('./tools.mjs').Tool} tool @param {import('./tools.mjs').Commands} commands */
async function oldestOf(tool, commands) {
  const { stdout } = await measure(commands.list);
  return tool.name === 'cbr' ? readLines(stdout).items[0].snapshot : JSON.parse(stdout)[0].id;
}
