/** bench/RESULTS.md: what was measured, where, with what. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { hasGnuTime, median, medianRatio } from './measure.mjs';
import { STEPS } from './rounds.mjs';
import { judge, peakOf, valuesOf } from './targets.mjs';
import { countText, figure, markdownTable, sizeText } from './text.mjs';

const BASELINE = 'restic';

/**
 * @typedef {{name: string, path: string, files: number, bytes: number, content: string}} Corpus
 * @param {object} run
 * @param {readonly import('./tools.mjs').Tool[]} run.tools
 * @param {readonly {corpus: Corpus, results: readonly import('./rounds.mjs').Results[]}[]} run.measured
 * @param {{extraMilliseconds: number, runs: number} | undefined} run.start
 * @param {number} run.rounds
 * @param {Date} run.date
 * @param {string} run.restoredTo
 */
export function reportText({ tools, measured, start, rounds, date, restoredTo }) {
  const sections = [
    '# Benchmark results',
    `Written by \`npm run bench\` on ${date.toISOString().slice(0, 10)}; do not edit. ${machineText()}`,
    `Programs: ${tools.map(({ name, version }) => `${name} ${version}`).join(', ')}. Each ran with encryption and its ` +
      'defaults (borg: repokey, zstd,3). ' +
      `${rounds} rounds a corpus; within a round the programs take turns at each step, each round starts with another ` +
      'one and with fresh repositories and caches; the corpus is read once before, so that it is warm for all. ' +
      `Restored to ${restoredTo}; the restored bytes of the first round were compared with the corpus. Repository size ` +
      'is the sum of the lengths of all files after the first snapshot.',
    'Cells: median (smallest-largest), and the ratio to restic: the median of the ratios of the rounds.',
  ];
  for (const { corpus, results } of measured) {
    sections.push(
      `## ${corpus.name}`,
      `${countText(corpus.files)} files, ${sizeText(corpus.bytes)}: ${corpus.content}.`,
      markdownTable(corpusRows(results)),
      ...verifyText(results),
    );
  }
  if (start !== undefined) {
    const extra = figure(start.extraMilliseconds);
    sections.push(
      '## Start',
      `\`cbr --version\` takes ${extra} ms more than \`node -e 0\` (medians of ${start.runs} runs).`,
    );
  }
  if (tools.some(({ name }) => name === 'cbr')) {
    const headings = ['target, against restic', 'at most', 'measured', ''];
    sections.push('## Targets', markdownTable([headings, ...judge(measured, start)]));
  }
  return `${sections.join('\n\n')}\n`;
}

/** @param {readonly import('./rounds.mjs').Results[]} results */
function corpusRows(results) {
  const baseline = results.find(({ tool }) => tool === BASELINE);
  const cell = (each, step) => {
    const values = valuesOf(each, step);
    const text = step === 'size' ? sizeText : (/** @type {number} */ value) => `${figure(value)} s`;
    const spread = step === 'size' ? '' : ` (${figure(Math.min(...values))}-${figure(Math.max(...values))})`;
    const ratio =
      baseline && each !== baseline ? `, ${figure(medianRatio(values, valuesOf(baseline, step)))}` : '';
    return `${text(median(values))}${spread}${ratio}`;
  };
  const rows = Object.entries(STEPS).map(([step, name]) => [
    name,
    ...results.map((each) => cell(each, step)),
  ]);
  if (hasGnuTime) {
    rows.push(
      [
        'processor time, first snapshot',
        ...results.map(({ steps }) => `${figure(median(steps.first.cpuSeconds))} s`),
      ],
      ['peak memory, first snapshot', ...results.map(({ steps }) => sizeText(median(steps.first.peakBytes)))],
      ['peak memory, all steps', ...results.map((each) => sizeText(peakOf(each) ?? 0))],
    );
  }
  return [['', ...results.map(({ tool }) => tool)], ...rows];
}

/** @param {readonly import('./rounds.mjs').Results[]} results */
function verifyText(results) {
  const own = results.find(({ verifySeconds }) => verifySeconds.length > 0);
  if (own === undefined) return [];
  const seconds = figure(median(own.verifySeconds));
  return [
    `Opening again and comparing all that was sealed took cbr ${seconds} s of thread time in the first snapshot.`,
  ];
}

function machineText() {
  const [first] = cpus();
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  const memory = hasGnuTime ? '' : ' Memory and processor time were not measured: GNU time is not installed.';
  return (
    `Machine: ${cpus().length} cores (${first?.model.trim()}), ${sizeText(totalmem())} of memory, ${system}, ` +
    `kernel ${release()}, Node ${process.versions.node}.${commitText()}${memory}`
  );
}

function commitText() {
  try {
    const git = (...args) =>
      execFileSync('git', args, {
        cwd: import.meta.dirname,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    const changed =
      git('status', '--porcelain', '--', '../src', '../package.json') === '' ? '' : ' with changes';
    return ` Commit ${git('rev-parse', '--short', 'HEAD')}${changed}.`;
  } catch {
    return '';
  }
}
