/**
 * The benchmark of retention: many snapshots of *tree* with 2 % of its files changed in between, forgotten but for a few, and
 * pruned; cbr beside restic on repositories of the same history.
 *
 *   npm run bench:prune -- [--snapshots 100] [--keep 10] [--rounds 3] [--files N] [--prepare] [--out FILE]
 *
 * The repositories are made once in $CBR_BENCH_DIR/prune (default: cbr-bench in the temporary folder; 5 GB and more) and
 * copied for each measurement; --prepare only makes them. --files takes so many files of the corpus, for a quick look.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readLines } from './cbr-json.mjs';
import { measureFolder } from './corpora.mjs';
import { measure, median, medianRatio } from './measure.mjs';
import { CHANGED_PART, keptRepositories, usedCopy } from './prune-repositories.mjs';
import { countText, figure, markdownTable, sizeText } from './text.mjs';
import { cbr, peer } from './tools.mjs';

const TARGET_RATIO = 0.5;
const TARGET_UNUSED = 0.05;

const { values: options } = parseArgs({
  options: {
    snapshots: { type: 'string', default: '100' },
    keep: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    files: { type: 'string' },
    prepare: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});

/**
 * What is measured of one tool, a value a round. Sizes in bytes.
 * @typedef {{together: number[], prune: number[], togetherPeak: number[], prunePeak: number[], togetherCpu: number[], pruneCpu: number[],
 *   before: number[], after: number[], unused: number[]}} Series
 */

/** @returns {Series} */
function emptySeries() {
  return {
    together: [],
    prune: [],
    togetherPeak: [],
    prunePeak: [],
    togetherCpu: [],
    pruneCpu: [],
    before: [],
    after: [],
    unused: [],
  };
}

/** The part of the stored bytes that no snapshot needs, by what each program says of the repository as it is now. */
async function unusedPart(tool, place, commands) {
  if (tool.name === 'cbr') {
    const { stdout } = await measure(commands.pruneDryRun);
    const { freed, added, kept, unused } = readLines(stdout).summary.bytes;
    return (freed - added + unused) / (freed - added + kept);
  }
  const { stdout } = await measure(commands.rawStats);
  const { bytes } = measureFolder(join(place, 'repository/data'));
  return 1 - JSON.parse(stdout).total_size / bytes;
}

async function measureRound(round, kept, tools, keep, results) {
  // Each round starts with another tool, so that no tool always follows the same one.
  const order = tools.map((_, i) => tools[(i + round) % tools.length]);
  const repositoryBytes = (place) => measureFolder(join(place, 'repository')).bytes;
  const note = (tool, text) => console.log(`round ${round + 1}: ${tool.name} ${text}`);

  for (const tool of order) {
    const { commands } = usedCopy(kept, tool);
    await measure(commands.settle);
    await measure(commands.forget(keep));
    const { seconds, peakBytes, cpuSeconds } = await measure(commands.prune);
    const into = results.get(tool.name);
    into.prune.push(seconds);
    into.prunePeak.push(peakBytes);
    into.pruneCpu.push(cpuSeconds);
    note(tool, `prune alone: ${figure(seconds)} s`);
  }
  for (const tool of order) {
    const { place, commands } = usedCopy(kept, tool);
    const into = results.get(tool.name);
    into.before.push(repositoryBytes(place));
    await measure(commands.settle);
    const { seconds, peakBytes, cpuSeconds } = await measure(commands.forgetAndPrune(keep));
    into.together.push(seconds);
    into.togetherPeak.push(peakBytes);
    into.togetherCpu.push(cpuSeconds);
    into.after.push(repositoryBytes(place));
    into.unused.push(await unusedPart(tool, place, commands));
    note(tool, `forget and prune: ${figure(seconds)} s`);
    if (round === 0) await measure(commands.check);
  }
}

/** @param {Map<string, Series>} results */
function tableText(results) {
  const baseline = results.get('restic');
  const seconds = (value) => `${figure(value)} s`;
  const percent = (value) => `${figure(100 * value)} %`;
  const spread = (values, text) => {
    if (values.some((value) => value === undefined)) return '-';
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return least === most ? text(least) : `${text(median(values))} (${text(least)} to ${text(most)})`;
  };
  const row = (name, of, text, withRatio) => [
    name,
    ...[...results].map(([tool, series]) => {
      const ratio =
        withRatio && baseline && tool !== 'restic'
          ? `, ${figure(medianRatio(of(series), of(baseline)))}`
          : '';
      return `${spread(of(series), text)}${ratio}`;
    }),
  ];
  return markdownTable([
    ['', ...results.keys()],
    row('forget and prune', (each) => each.together, seconds, true),
    row('prune alone', (each) => each.prune, seconds, true),
    row('processor time, forget and prune', (each) => each.togetherCpu, seconds, true),
    row('processor time, prune alone', (each) => each.pruneCpu, seconds, true),
    row('peak memory, forget and prune', (each) => each.togetherPeak, sizeText, false),
    row('peak memory, prune alone', (each) => each.prunePeak, sizeText, false),
    row('repository before', (each) => each.before, sizeText, true),
    row('repository after', (each) => each.after, sizeText, true),
    row('of it unused after', (each) => each.unused, percent, false),
  ]);
}

/** @param {Map<string, Series>} results */
function verdicts(results) {
  const own = results.get('cbr');
  const other = results.get('restic');
  const verdict = (found, limit) => (found <= limit ? 'reached' : 'missed');
  const rows = [['target', 'at most', 'measured', '']];
  if (other !== undefined) {
    const ratio = medianRatio(own.together, other.together);
    const name = 'forget and prune, against restic';
    rows.push([name, figure(TARGET_RATIO), figure(ratio), verdict(ratio, TARGET_RATIO)]);
  }
  const unused = median(own.unused);
  const percent = (part) => `${figure(100 * part)} %`;
  rows.push(['unused afterwards', percent(TARGET_UNUSED), percent(unused), verdict(unused, TARGET_UNUSED)]);
  return markdownTable(rows);
}

/** @param {string} name @param {string} text */
function wholeNumber(name, text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name} ${text}: a number from 1 on expected`);
  return value;
}

async function main() {
  const [snapshots, keep, rounds] = ['snapshots', 'keep', 'rounds'].map((name) =>
    wholeNumber(name, options[name]),
  );
  const files = options.files === undefined ? undefined : wholeNumber('files', options.files);
  const restic = peer('restic');
  if (restic === undefined) console.log('restic is not installed and not measured');
  const tools = [cbr(), ...(restic === undefined ? [] : [restic])];
  const cache = process.env.CBR_BENCH_DIR ?? join(tmpdir(), 'cbr-bench');
  const kept = await keptRepositories(cache, tools, { snapshots, files });
  if (options.prepare) return;

  const results = new Map(tools.map(({ name }) => [name, emptySeries()]));
  try {
    for (let round = 0; round < rounds; round++) await measureRound(round, kept, tools, keep, results);
  } finally {
    rmSync(join(kept.folder, 'live'), { recursive: true, force: true });
  }
  const text = [
    '## Retention',
    `${snapshots} snapshots of ${files === undefined ? '*tree*' : `${countText(files)} files of *tree*`} with ` +
      `${figure(100 * CHANGED_PART)} % of the files changed in between (at last ${countText(kept.files)} files, ` +
      `${sizeText(kept.bytes)}), forgotten but for ${keep}, and pruned. Programs: ` +
      `${tools.map(({ name, version }) => `${name} ${version}`).join(', ')}, with encryption and their defaults; ` +
      `${rounds} rounds, each on fresh copies of the same repositories, taking turns.`,
    tableText(results),
    verdicts(results),
  ].join('\n\n');
  if (options.out !== undefined) writeFileSync(options.out, `${text}\n`);
  console.log(`\n${text}`);
}

try {
  if (!existsSync(new URL('../dist/program/main.js', import.meta.url))) {
    throw new Error('cbr is not built: run npm ci, or npm run build');
  }
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
