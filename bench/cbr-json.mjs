/** Runs the built program with --json, and is the one place here that knows the field names of docs/json.md. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The built program. */
export const CBR = fileURLToPath(new URL('../bin/cbr.js', import.meta.url));

/**
 * Runs a command to its end and returns what it printed; throws when it exits other than 0.
 * @param {readonly string[]} args @param {NodeJS.ProcessEnv} env
 */
export function runCbr(args, env) {
  const start = performance.now();
  const run = spawnSync(process.execPath, [CBR, ...args, '--json', '--no-progress'], {
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const seconds = (performance.now() - start) / 1000;
  if (run.status !== 0) {
    const end = run.signal ?? `exit code ${run.status}`;
    throw new Error(`cbr ${args.join(' ')}: ${end}\n${run.stdout.slice(-2000)}${run.stderr.slice(-2000)}`);
  }
  return { ...readLines(run.stdout), seconds };
}

/** @param {string} stdout of a command with --json */
export function readLines(stdout) {
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  const summary = lines.at(-1);
  if (summary?.type !== 'summary') throw new Error(`the last line is no summary: ${JSON.stringify(summary)}`);
  return {
    summary,
    items: lines.filter(({ type }) => type === 'item'),
    problems: lines.filter(({ type }) => type === 'problem'),
  };
}

/** The figures of a snapshot's summary; all sizes in bytes. */
export function snapshotFigures(summary) {
  const { files, bytes } = summary;
  return {
    snapshot: required(summary, 'snapshot'),
    files: required(files, 'new') + required(files, 'changed') + required(files, 'unchanged'),
    sourceBytes: required(bytes, 'source'),
    newBytes: required(bytes, 'new'),
    storedBytes: required(bytes, 'stored'),
    problems: required(summary, 'problems'),
    /** Thread seconds spent on opening again what was sealed; undefined when the program does not say. */
    verifySeconds: summary.verifySeconds,
  };
}

/** The figures of a restore's summary. */
export function restoreFigures(summary) {
  return {
    files: required(summary.files, 'restored'),
    restoredBytes: required(summary.bytes, 'restored'),
    problems: required(summary, 'problems'),
  };
}

function required(object, name) {
  const value = object?.[name];
  if (value === undefined) throw new Error(`the summary has no ${name}: ${JSON.stringify(object)}`);
  return value;
}
