/** What cbr shall reach, and whether it did. Ratios are against restic in the same run. */
import { median, medianRatio } from './measure.mjs';
import { STEPS } from './rounds.mjs';
import { figure, sizeText } from './text.mjs';

const RATIO_TARGETS = [
  { step: 'first', limits: { tree: 0.5, big: 0.6, vers: 0.5 } },
  { step: 'size', limits: { tree: 0.84, vers: 0.8, big: 0.98 } },
  { step: 'second', limits: { tree: 0.35 } },
  { step: 'restore', limits: { tree: 0.5, big: 0.7, vers: 0.8 } },
  { step: 'check', limits: { tree: 1.0 } },
];
const PEAK_BYTES_ON_TREE = 450_000_000;
const START_MILLISECONDS = 60;

/**
 * The values of a step, one a round.
 * @param {import('./rounds.mjs').Results} results @param {string} step
 */
export function valuesOf(results, step) {
  return step === 'size' ? results.repositoryBytes : results.steps[step].seconds;
}

/**
 * The largest peak of all steps, each the median of its rounds; undefined where it was not measured.
 * @param {import('./rounds.mjs').Results} results
 */
export function peakOf(results) {
  const peaks = Object.values(results.steps)
    .filter(({ peakBytes }) => peakBytes.length > 0)
    .map(({ peakBytes }) => median(peakBytes));
  return peaks.length > 0 ? Math.max(...peaks) : undefined;
}

/**
 * A row for each target: what, limit, measured, verdict.
 * @param {readonly {corpus: {name: string}, results: readonly import('./rounds.mjs').Results[]}[]} measured
 * @param {{extraMilliseconds: number} | undefined} start
 */
export function judge(measured, start) {
  const rows = [];
  const add = (what, limit, found, text) => {
    const verdict =
      found === undefined
        ? 'not measured'
        : found <= limit
          ? 'reached'
          : `missed by ${figure((found / limit - 1) * 100)} %`;
    rows.push([what, text(limit), found === undefined ? '-' : text(found), verdict]);
  };
  const resultsOf = (name, tool) =>
    measured.find(({ corpus }) => corpus.name === name)?.results.find((each) => each.tool === tool);
  for (const { step, limits } of RATIO_TARGETS) {
    for (const [name, limit] of Object.entries(limits)) {
      const [own, other] = [resultsOf(name, 'cbr'), resultsOf(name, 'restic')];
      const ratio = own && other ? medianRatio(valuesOf(own, step), valuesOf(other, step)) : undefined;
      add(`${STEPS[step]}, *${name}*`, limit, ratio, figure);
    }
  }
  const tree = resultsOf('tree', 'cbr');
  add('peak memory, *tree*', PEAK_BYTES_ON_TREE, tree && peakOf(tree), sizeText);
  add(
    '`cbr --version` beyond `node -e 0`',
    START_MILLISECONDS,
    start?.extraMilliseconds,
    (ms) => `${figure(ms)} ms`,
  );
  return rows;
}
