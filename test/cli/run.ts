import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { CBR, type Ended, runChild } from './child.js';

/** The built program as a child process, in an empty home folder. */

export type Run = Ended;

export type Line = Readonly<Record<string, unknown>> & { readonly type: string };

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Called with the child once it runs. */
  readonly during?: (child: ChildProcess) => void;
}

/** A folder of its own for one test: `home`, `repo` (not made) and `source`. */
export class Place {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'cbr-cli-')));
  readonly home = join(this.root, 'home');
  readonly repo = join(this.root, 'repo');
  readonly source = join(this.root, 'source');
  readonly cache = join(this.home, '.cache/cbr');

  constructor() {
    mkdirSync(this.home);
    mkdirSync(this.source);
  }

  /** What the program sees of the environment; nothing of the tester's own. */
  env(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    return { PATH: process.env.PATH, HOME: this.home, TZ: 'UTC', CBR_REPO: this.repo, ...extra };
  }

  /** Runs `cbr` to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Run> {
    return runProgram([process.execPath, CBR, ...args], this, options);
  }

  /** Runs a shell script in which `cbr` is the program. */
  shell(script: string, options: RunOptions = {}): Promise<Run> {
    const cbr = `cbr() { ${quoted(process.execPath)} ${quoted(CBR)} "$@"; }`;
    return runProgram(['/bin/sh', '-c', `${cbr}\n${script}`], this, options);
  }

  /** As `run` with `--json`: every line parsed, the last of them the summary. */
  async json(args: readonly string[], options: RunOptions = {}) {
    const run = await this.run([...args, '--json'], options);
    const lines = run.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
    const summary = lines.at(-1);
    if (summary?.type !== 'summary') {
      throw new Error(`no summary: ${run.stdout.slice(-1000)}${run.stderr.slice(-1000)}`);
    }
    const ofType = (type: string): Line[] => lines.filter((line) => line.type === type);
    return { ...run, lines, summary, items: ofType('item'), problems: ofType('problem') };
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A place that is removed when the test is over. */
export function place(): Place {
  const made = new Place();
  onTestFinished(() => made.remove());
  return made;
}

/** A place with a repository that is not encrypted: key derivation would only cost time. */
export async function plainPlace(): Promise<Place> {
  const made = place();
  const { code, stderr } = await made.run(['init', '--no-encryption']);
  if (code !== 0) throw new Error(stderr);
  return made;
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function runProgram(
  words: readonly string[],
  place: Place,
  { env, cwd = place.root, during }: RunOptions,
): Promise<Run> {
  return runChild(words, { cwd, env: place.env(env), during });
}
