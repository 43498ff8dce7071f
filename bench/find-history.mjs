/**
 * The benchmark of finding: `cbr find --history` and `cbr log` over many snapshots of many files, with the path index made by the
 * first search and with it at hand; what the index takes, and what each snapshot adds to it.
 *
 *   npm run bench:find -- [--snapshots 1000] [--files 100000] [--changed 0.0075] [--rounds 5] [--out FILE]
 *
 * The repository is made once in $CBR_BENCH_DIR/find (default: cbr-bench in the temporary folder).
 */
import { rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CBR, readLines } from './cbr-json.mjs';
import { findRepository, PASSWORD, placeOf } from './find-repository.mjs';
import { measure, median } from './measure.mjs';
import { countText, figure, markdownTable, sizeText } from './text.mjs';

const TARGET_SECONDS = 1;

const { values: options } = parseArgs({
  options: {
    snapshots: { type: 'string', default: '1000' },
    files: { type: 'string', default: '100000' },
    changed: { type: 'string', default: '0.0075' },
    rounds: { type: 'string', default: '5' },
    out: { type: 'string' },
  },
});

/** What is searched for; the first is what the target is about. @param {number} files */
function searches(files) {
  const { name, project, folder } = placeOf(Math.floor(files / 2 / 20) * 20 + 1);
  return [
    ['one name', ['find', '--history', name]],
    ['a hundred names', ['find', '--history', `*${name.slice(5, 11)}??.*`]],
    ['names in one project', ['find', '--history', `${project}/**/*.odt`]],
    ['a tenth of all files', ['find', '--history', '*.odt']],
    ['the newest snapshot alone', ['find', name]],
    ['one file', ['log', `${project}/${folder}/${name}`]],
  ];
}

async function main() {
  const [snapshots, files, changed, rounds] = ['snapshots', 'files', 'changed', 'rounds'].map((name) =>
    Number(options[name]),
  );
  const cache = process.env.CBR_BENCH_DIR ?? join(tmpdir(), 'cbr-bench');
  const made = await findRepository(cache, { snapshots, files, changed });
  const run = async (...args) => {
    const command = {
      file: process.execPath,
      args: [CBR, ...args, '--json', '--no-progress'],
      env: environment(made),
    };
    const measured = await measure(command);
    return { ...measured, ...readLines(measured.stdout) };
  };
  rmSync(made.cacheRoot, { recursive: true, force: true });
  const first = await run('find', '--snapshot', 'latest', 'nothing');
  const rest = await run('find', '--history', 'nothing');
  const again = await run('find', '--history', 'nothing');
  const rows = [['', 'median', 'smallest to largest', 'paths', 'versions', 'peak memory']];
  let target = Number.POSITIVE_INFINITY;
  for (const [i, [what, args]] of searches(files).entries()) {
    const runs = [];
    for (let round = 0; round < rounds; round++) runs.push(await run(...args));
    const seconds = runs.map((each) => each.seconds);
    const { summary } = runs[0];
    if (i === 0) target = median(seconds);
    rows.push([
      `${what}: \`cbr ${args.join(' ')}\``,
      `${figure(median(seconds))} s`,
      `${figure(Math.min(...seconds))} s to ${figure(Math.max(...seconds))} s`,
      countText(summary.paths ?? 1),
      countText(summary.versions),
      sizeText(Math.max(...runs.map(({ peakBytes = 0 }) => peakBytes))),
    ]);
  }
  const text = report({ snapshots, files, changed, rounds, made, first, rest, again, rows, target });
  if (options.out !== undefined) writeFileSync(options.out, text);
  console.log(`\n${text}`);
}

function environment({ location, cacheRoot }) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('CBR_'));
  return {
    ...Object.fromEntries(kept),
    CBR_REPO: location,
    CBR_CACHE_DIR: cacheRoot,
    CBR_PASSWORD: PASSWORD,
  };
}

function report({ snapshots, files, changed, rounds, first, rest, again, rows, target }) {
  const [one, all] = [first.summary.pathIndex, rest.summary.pathIndex];
  const added = all.added;
  const index = [
    ['the path index', 'one snapshot', `${countText(snapshots)} snapshots`, 'each further one'],
    ['size', sizeText(one.bytes), sizeText(all.bytes), sizeText((all.bytes - one.bytes) / added)],
    ['paths', countText(one.paths), countText(all.paths), figure((all.paths - one.paths) / added)],
    ['changes', countText(one.changes), countText(all.changes), figure((all.changes - one.changes) / added)],
    [
      'bytes a change',
      figure(one.bytes / one.changes),
      figure(all.bytes / all.changes),
      figure((all.bytes - one.bytes) / (all.changes - one.changes)),
    ],
    [
      'time to take in',
      `${figure(one.seconds)} s`,
      `${figure(one.seconds + all.seconds)} s`,
      `${figure((1000 * all.seconds) / added)} ms`,
    ],
    ['memory, largest', sizeText(first.peakBytes ?? 0), sizeText(rest.peakBytes ?? 0), ''],
  ];
  const { cpu, memory } = { cpu: cpus().length, memory: sizeText(totalmem()) };
  return `# Finding

${countText(snapshots)} snapshots of ${countText(files)} files, of which ${(100 * changed).toFixed(2)} % change from one to the next (three in each of some folders; one in
fifty is removed, and another one made); encrypted. Times are of the whole command, process start, password and opening included;
${rounds} rounds. Generated by the library's own sessions and trees, not by runs of the program.

${markdownTable(rows)}

${markdownTable(index)}

A search that takes nothing in grows the index by ${again.summary.pathIndex.grown} bytes.

| target | at most | measured | |
| --- | ---: | ---: | ---: |
| \`find --history\`, path index at hand | ${figure(TARGET_SECONDS)} s | ${figure(target)} s | ${target <= TARGET_SECONDS ? 'reached' : 'missed'} |

Measured with \`npm run bench:find\` on ${new Date().toISOString().slice(0, 10)}: ${cpu} cores, ${memory} of memory, Node ${process.versions.node}.
`;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
