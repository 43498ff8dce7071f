import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const CHILD = fileURLToPath(new URL('./child.mjs', import.meta.url));

export interface Verdict {
  /** What opening the cache had to say. */
  readonly notices: readonly string[];
  readonly findings: readonly string[];
  readonly segments: number;
  readonly stateKept: boolean;
  readonly record?: string;
}

export function start(...args: (string | number)[]): ChildProcess {
  return spawn(process.execPath, [CHILD, ...args.map(String)], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs child.mjs to its end. */
export async function run(...args: (string | number)[]) {
  const child = start(...args);
  let [out, err] = ['', ''];
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, out, err };
}

/** Opens and uses the cache in a process of its own, which must neither die nor find anything wrong. */
export async function verify(folder: string, scale: number, what: string): Promise<Verdict> {
  const { code, signal, out, err } = await run('verify', folder, scale);
  expect({ what, code, signal, err }).toEqual({ what, code: 0, signal: null, err: '' });
  const verdict = JSON.parse(out) as Verdict;
  expect({ what, findings: verdict.findings }).toEqual({ what, findings: [] });
  return verdict;
}
