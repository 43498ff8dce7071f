import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

/** The built program. */
export const CBR = join(import.meta.dirname, '../../bin/cbr.js');

/** How a child process ended, and what it printed. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  readonly cwd: string;
  /** All that it sees of the environment. */
  readonly env: NodeJS.ProcessEnv;
  /** Called with the child once it runs. */
  readonly during?: ((child: ChildProcess) => void) | undefined;
}

/** Runs a program to its end, without input. Rejects when it cannot be started. */
export function runChild(
  [program, ...args]: readonly string[],
  { cwd, env, during }: ChildOptions,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const printed = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      printed.stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...printed }));
    during?.(child);
  });
}
