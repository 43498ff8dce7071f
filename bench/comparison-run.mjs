/** Runs the tasks of the comparison with one tool, in a home folder of its own. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const DAY_SECONDS = 86_400;

/** What the tools are told once, in the environment or a file: the page shows it. */
export const SETTINGS = {
  cbr: ['export CBR_REPO=~/backup CBR_PASSWORD=secret'],
  restic: ['export RESTIC_REPOSITORY=~/backup RESTIC_PASSWORD=secret'],
  borg: ['export BORG_REPO=~/backup BORG_PASSPHRASE=secret'],
  dar: [`printf 'all:\\n-Q\\n' > ~/.darrc  # asks nothing; -K would encrypt`],
};

/**
 * @typedef {{name: string, runs: readonly string[], version: string}} ToolPlace
 * @typedef {{home: string, output: string, read: (path: string) => string, path: (path: string) => string}} Seen
 * @typedef {string | {hidden: string} | ((seen: Seen) => void)} Step a line that is typed, one of the test's own, or what happens
 *   meanwhile
 * @typedef {{steps?: readonly Step[], check?: (seen: Seen) => boolean, is?: 'part' | 'no', note?: string}} Way
 * @typedef {{title: string, about?: string, before?: (seen: Seen) => void, ways: Readonly<Record<string, Way>>}} Task
 * @typedef {{title: string, fault: string | undefined}} TaskResult
 */

/**
 * @param {ToolPlace} tool @param {readonly Task[]} tasks @param {(line: string) => void} say
 * @returns {readonly TaskResult[]}
 */
export function runTasks(tool, tasks, say) {
  const home = mkdtempSync(join(tmpdir(), `comparison-${tool.name}-`));
  try {
    prepare(home, tool);
    return tasks.map((task) => {
      const fault = faultOf(home, tool, task);
      say(`${fault === undefined ? 'ok  ' : 'FAIL'} ${task.title}${fault === undefined ? '' : `: ${fault}`}`);
      return { title: task.title, fault };
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** A home folder with some work in it, and the tool in a folder of the PATH. */
function prepare(home, { name, runs }) {
  const write = (path, content) => {
    mkdirSync(join(home, path, '..'), { recursive: true });
    writeFileSync(join(home, path), content);
    const fourDaysAgo = Date.now() / 1000 - 4 * DAY_SECONDS;
    utimesSync(join(home, path), fourDaysAgo, fourDaysAgo);
  };
  write(`.bin/${name}`, `#!/bin/sh\nexec ${runs.map((word) => `'${word}'`).join(' ')} "$@"\n`);
  chmodSync(join(home, '.bin', name), 0o755);
  write('work/notes.txt', 'first draft\n');
  write('work/letters/anna.txt', 'Dear Anna\n');
  write('work/secret.key', 'never to be stored\n');
  write('work/film.iso', randomBytes(300_000));
  write('work/cache/CACHEDIR.TAG', 'Signature: 8a477f597d28d172789f06886806bc55\n');
  write('work/cache/junk', randomBytes(100_000));
  for (let i = 0; i < 20; i++) write(`work/photos/${i}.jpg`, randomBytes(50_000));
  const run = shell(home, SETTINGS[name].filter((line) => !line.startsWith('export')).join('\n'), name);
  if (run.status !== 0) throw new Error(`${name}: ${run.stderr}`);
}

function faultOf(home, tool, task) {
  const seen = seenIn(home);
  task.before?.(seen);
  const { steps = [], check } = task.ways[tool.name];
  for (const step of steps) {
    if (typeof step === 'function') {
      step(seen);
      continue;
    }
    const line = typeof step === 'string' ? step : step.hidden;
    const { status, stdout, stderr } = shell(home, line, tool.name);
    seen.output += stdout;
    if (status !== 0) return `${line}: exit code ${status}: ${stderr.trim().slice(-300)}`;
  }
  try {
    return check === undefined || check(seen) ? undefined : 'the result is not what was wanted';
  } catch (error) {
    return error.message;
  }
}

/** @returns {Seen} */
function seenIn(home) {
  const path = (below) => join(home, below);
  return { home, output: '', path, read: (below) => readFileSync(path(below), 'utf8') };
}

function shell(home, script, name) {
  const settings = SETTINGS[name].filter((line) => line.startsWith('export')).join('\n');
  const env = { HOME: home, PATH: `${home}/.bin:${process.env.PATH}`, TZ: 'UTC', LANG: 'C.UTF-8' };
  return spawnSync(
    '/bin/bash',
    ['-c', `set -o pipefail\n${settings}\n[ ! -e ~/.vars ] || . ~/.vars\n${script}`],
    {
      cwd: home,
      env: { ...env, BORG_BASE_DIR: `${home}/.borg`, BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes' },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
}
