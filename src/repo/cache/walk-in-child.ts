import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { faultOf, isEmpty, lengthen } from './data-file.js';

/** Time that walking a data file may take: far more than it needs, so that only one that hangs is stopped. */
const START_MS = 60_000;
const BYTES_PER_MS = 2_000;

/** Enough of what a child says to find its error in. */
const MOST_OUTPUT = 64 * 1024;

/** Runs walk.ts; resolves to why it failed, or undefined. */
function runWalk(source: string, target: string, more: readonly string[]): Promise<string | undefined> {
  const script = fileURLToPath(new URL('./walk.js', import.meta.url));
  const timeout = Math.min(START_MS + Math.ceil(statSync(source).size / BYTES_PER_MS), 2 ** 31 - 1);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, source, target, ...more], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout,
      killSignal: 'SIGKILL',
    });
    let [outcome, said] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (outcome.length < MOST_OUTPUT) outcome += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < MOST_OUTPUT) said += text;
    });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => {
      if (outcome === 'sound\n') resolve(undefined);
      else resolve(/^\w*Error: (.*)$/m.exec(said)?.[1] ?? `reading it ended with ${signal ?? code}`);
    });
  });
}

/**
 * Checks a data file that a killed process left open, and replaces it by a sound one of the same content (or by none, if
 * it has none). `more`: what walk.ts is told beside the files. Resolves to why that cannot be done, or undefined when it is
 * done. Nobody else may use the file.
 */
export async function replaceBySound(
  data: string,
  more: readonly string[] = [],
): Promise<string | undefined> {
  if (statSync(data).size === 0 || isEmpty(data)) {
    rmSync(data);
    return undefined;
  }
  lengthen(data);
  const fault = faultOf(data);
  if (fault !== undefined) return fault;
  const sound = `${data}-walked-${randomBytes(8).toString('hex')}`;
  try {
    const failure = await runWalk(data, sound, more);
    if (failure === undefined) renameSync(sound, data);
    return failure;
  } finally {
    for (const path of [sound, `${sound}-lock`]) rmSync(path, { force: true });
  }
}
