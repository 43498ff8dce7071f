/** Runs commands one at a time and measures them. */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const GNU_TIME = '/usr/bin/time';

/** Whether peak memory and processor time can be measured: GNU time is there (Debian: apt-get install time). */
export const hasGnuTime = (() => {
  try {
    accessSync(GNU_TIME, constants.X_OK);
    return true;
  } catch {
    return false;
  }
})();

/**
 * @typedef {{file: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd?: string}} Command
 * @typedef {{seconds: number, cpuSeconds?: number, peakBytes?: number, stdout: string}} Measured
 */

/**
 * Runs the command to its end. What is still to be written to disk from before is written first, so that no tool pays for
 * another one's writes. Throws when it exits other than 0.
 * @param {Command} command @returns {Promise<Measured>}
 */
export async function measure({ file, args, env, cwd }) {
  const folder = mkdtempSync(join(tmpdir(), 'cbr-measure-'));
  const [stdout, stderr, times] = ['stdout', 'stderr', 'times'].map((name) => join(folder, name));
  const outputs = [openSync(stdout, 'w'), openSync(stderr, 'w')];
  try {
    spawnSync('sync');
    const line = hasGnuTime ? [GNU_TIME, '-f', '%U %S %M', '-o', times, file, ...args] : [file, ...args];
    const start = performance.now();
    const child = spawn(line[0], line.slice(1), { env, cwd, stdio: ['ignore', ...outputs] });
    const end = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(signal ?? code));
    });
    const seconds = (performance.now() - start) / 1000;
    if (end !== 0) {
      throw new Error(
        `${file} ${args.join(' ')}: ended with ${end}\n${readFileSync(stderr, 'utf8').slice(-4000)}`,
      );
    }
    const measured = { seconds, stdout: readFileSync(stdout, 'utf8') };
    if (!hasGnuTime) return measured;
    const [user, system, peak] = readFileSync(times, 'utf8').trim().split('\n').at(-1).split(' ').map(Number);
    return { ...measured, cpuSeconds: user + system, peakBytes: peak * 1024 };
  } finally {
    for (const output of outputs) closeSync(output);
    rmSync(folder, { recursive: true });
  }
}

/** @param {readonly number[]} values at least one */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Median of the ratios of values measured in the same round.
 * @param {readonly number[]} values @param {readonly number[]} others
 */
export function medianRatio(values, others) {
  return median(values.map((value, round) => value / others[round]));
}
