/** Measures all tools on one corpus, round by round, step by step in turn. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readLines, snapshotFigures } from './cbr-json.mjs';
import { measureFolder } from './corpora.mjs';
import { measure } from './measure.mjs';
import { figure, sizeText } from './text.mjs';

/** The steps, in the order in which they are measured; all but the size are commands. */
export const STEPS = /** @type {const} */ ({
  first: 'first snapshot',
  second: 'second snapshot, nothing changed',
  size: 'repository size',
  restore: 'restore to memory',
  check: 'check, reading all data',
});

/**
 * @typedef {import('./tools.mjs').Tool} Tool
 * @typedef {{seconds: number[], cpuSeconds: number[], peakBytes: number[]}} Series one value a round
 * @typedef {{tool: string, steps: Record<string, Series>, repositoryBytes: number[], verifySeconds: number[]}} Results
 */

/**
 * @param {{name: string, path: string}} corpus
 * @param {readonly Tool[]} tools
 * @param {{rounds: number, work: string, memory: string}} options folders for repositories and for restored files
 * @returns {Promise<readonly Results[]>}
 */
export async function measureCorpus(corpus, tools, { rounds, work, memory }) {
  readOnce(corpus.path);
  const results = new Map(tools.map(({ name }) => [name, emptyResults(name)]));
  for (let round = 0; round < rounds; round++) {
    // Each round starts with another tool, so that no tool always follows the same one.
    const order = tools.map((_, i) => tools[(i + round) % tools.length]);
    const running = order.map((tool) => {
      const place = join(work, tool.name);
      rmSync(place, { recursive: true, force: true });
      mkdirSync(place, { recursive: true });
      return { tool, place, commands: tool.commands(place, corpus.path), into: results.get(tool.name) };
    });
    const report = (step, tool, text) =>
      console.log(`${corpus.name}, round ${round + 1}: ${step}: ${tool.name} ${text}`);
    const step = async (name, command, { tool, into }) => {
      const measured = await measure(command);
      into.steps[name].seconds.push(measured.seconds);
      if (measured.peakBytes !== undefined) {
        into.steps[name].peakBytes.push(measured.peakBytes);
        into.steps[name].cpuSeconds.push(measured.cpuSeconds);
      }
      report(STEPS[name], tool, `${figure(measured.seconds)} s`);
      return measured;
    };

    for (const { commands } of running) await measure(commands.init);
    for (const each of running) {
      const { stdout } = await step('first', each.commands.snapshot('first'), each);
      if (each.tool.name === 'cbr') {
        const { verifySeconds } = snapshotFigures(readLines(stdout).summary);
        if (verifySeconds !== undefined) each.into.verifySeconds.push(verifySeconds);
      }
    }
    for (const { place, tool, into } of running) {
      const { bytes } = measureFolder(join(place, 'repository'));
      into.repositoryBytes.push(bytes);
      report(STEPS.size, tool, sizeText(bytes));
    }
    for (const each of running) await step('second', each.commands.snapshot('second'), each);
    for (const each of running) {
      const target = join(memory, each.tool.name);
      mkdirSync(target, { recursive: true });
      try {
        await step('restore', each.commands.restore(target), each);
        if (round === 0) compareTrees(corpus.path, join(target, corpus.path), each.tool.name);
      } finally {
        rmSync(target, { recursive: true, force: true });
      }
    }
    for (const each of running) await step('check', each.commands.check, each);
  }
  rmSync(work, { recursive: true, force: true });
  return [...results.values()];
}

/** @param {string} tool @returns {Results} */
function emptyResults(tool) {
  const steps = Object.keys(STEPS).filter((name) => name !== 'size');
  const series = () => ({ seconds: [], cpuSeconds: [], peakBytes: [] });
  return {
    tool,
    steps: Object.fromEntries(steps.map((name) => [name, series()])),
    repositoryBytes: [],
    verifySeconds: [],
  };
}

/** Brings the corpus into the page cache, so that all tools find it warm. @param {string} path */
function readOnce(path) {
  execFileSync('/bin/sh', ['-c', 'find "$1" -type f -print0 | xargs -0 cat > /dev/null', 'sh', path]);
}

/** Throws unless both folders hold the same names and bytes. @param {string} source @param {string} restored @param {string} tool */
function compareTrees(source, restored, tool) {
  const run = spawnSync('diff', ['-rq', '--no-dereference', source, restored], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (run.status !== 0)
    throw new Error(`${tool} restored other bytes:\n${run.stdout.slice(0, 4000)}${run.stderr}`);
}
