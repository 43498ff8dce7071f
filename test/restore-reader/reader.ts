import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { type Ended, runChild } from '../cli/child.js';
import { type Facts, factsOf } from '../snapshot/tree-facts.js';

/** The program that lies on every disc, as it is built: one file, run by Node as a stranger would. */

export const READER = join(import.meta.dirname, '../../dist/restore/cbr-restore.mjs');

export interface ReaderOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly during?: (child: ChildProcess) => void;
  /** Where the program lies; as built by default. */
  readonly program?: string;
  /** What runs it: Node by default. */
  readonly node?: readonly string[];
}

const environment = (env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  TZ: 'UTC',
  ...env,
});

/** Runs it to its end, without a terminal. */
export function read(args: readonly string[], options: ReaderOptions = {}): Promise<Ended> {
  const { env, cwd = dirname(READER), during, program = READER, node = [process.execPath] } = options;
  return runChild([...node, program, ...args], { cwd, env: environment(env), during });
}

/** Types when a text shows up; `act` happens before. */
export interface Step {
  readonly when: string;
  readonly act?: () => void;
  readonly type: string;
}

/** Runs it on a terminal, which script(1) provides. */
export function readOnTerminal(
  args: readonly string[],
  steps: readonly Step[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; screen: string }> {
  const line = [process.execPath, READER, ...args].map((word) => `'${word}'`).join(' ');
  return new Promise((resolve, reject) => {
    const child = spawn('script', ['-qec', line, '/dev/null'], {
      cwd: dirname(READER),
      env: { ...environment(env), TERM: 'xterm', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const left = [...steps];
    let screen = '';
    let unanswered = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen += text;
      unanswered += text;
      for (let step = left[0]; step !== undefined; step = left[0]) {
        const at = unanswered.indexOf(step.when);
        if (at === -1) break;
        unanswered = unanswered.slice(at + step.when.length);
        left.shift();
        step.act?.();
        child.stdin.write(step.type);
      }
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, screen }));
  });
}

/** Paths that a run says it could not restore, each with its reason. */
export function lostIn({ stderr }: Pick<Ended, 'stderr'>): Record<string, string> {
  const [, list = ''] = stderr.split(/^Not restored, for lack of their content.*\n/m);
  let reason = '';
  const lost: Record<string, string> = {};
  for (const line of list.split('\n')) {
    const [, heading, path] = /^ {2}(?:(\S.*) \([\d,]+ entr(?:y|ies)\):| {2}(.*))$/.exec(line) ?? [];
    if (heading !== undefined) reason = heading;
    else if (path !== undefined) lost[path] = reason;
  }
  return lost;
}

/** Node keeps times to the microsecond, in numbers that are exact to a quarter of one. */
const TOLERATED_NANOSECONDS = 2000n;
/** The modes of devices and sockets, which Node cannot make. */
const UNMAKEABLE = /^([26]|14)[0-7]{4} /;

/**
 * How what the reader restored differs from what cbr did, in words: nothing, if it gave back all that Node can set. Names, content,
 * symlinks, hard links, rights, owners and times are compared. The root is not: a new target is for its owner alone.
 */
export function differences(byCbr: string, byReader: string): string[] {
  const wanted = timesApart(factsOf(byCbr));
  const found = timesApart(factsOf(byReader));
  const paths = [...new Set([...wanted.keys(), ...found.keys()])].filter((path) => path !== '.');
  return paths.flatMap((path) => {
    const [want, got] = [wanted.get(path), found.get(path)];
    if (want !== undefined && got === undefined)
      return UNMAKEABLE.test(want.fact) ? [] : [`${path}: missing`];
    if (want === undefined || got === undefined) return [`${path}: not expected`];
    const apart = want.mtime > got.mtime ? want.mtime - got.mtime : got.mtime - want.mtime;
    if (want.fact !== got.fact) return [`${path}: ${want.fact} became ${got.fact}`];
    return apart > TOLERATED_NANOSECONDS ? [`${path}: its time is ${apart} ns away`] : [];
  });
}

function timesApart(facts: Facts): Map<string, { fact: string; mtime: bigint }> {
  return new Map(
    Object.entries(facts).map(([path, fact]) => {
      const mtime = BigInt(/ mtime (-?\d+)/.exec(fact)![1]!);
      return [path, { fact: fact.replace(/ mtime -?\d+/, '').replace(/ flags [^|]*/, ''), mtime }];
    }),
  );
}
