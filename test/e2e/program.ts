import type { ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadRepository, readSegment } from '../../dist/repo/index.js';
import { CBR, type Ended, runChild } from '../cli/child.js';
import { Scratch } from '../snapshot/scratch-repository.js';

/** The built program as a child process, over a scratch folder of the library's tests. */

export interface RunOptions {
  /** A program, with arguments, that the command line of `cbr` is appended to. */
  readonly under?: readonly string[];
  readonly during?: (child: ChildProcess) => void;
}

export type JsonLine = Readonly<Record<string, unknown>> & { readonly type: string };

export class Program extends Scratch {
  /** Runs `cbr` to its end. */
  run(args: readonly string[], { under = [], during }: RunOptions = {}): Promise<Ended> {
    const words = [...under, process.execPath, CBR, ...args];
    const env = {
      PATH: process.env.PATH,
      HOME: this.root,
      TZ: 'UTC',
      CBR_REPO: this.repo,
      CBR_CACHE_DIR: this.cache,
      CBR_PASSWORD: 'secret',
    };
    return runChild(words, { cwd: this.root, env, during });
  }

  /** Runs `cbr` and rejects unless it exits with 0. */
  async succeed(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const ended = await this.run(args, options);
    if (ended.code !== 0) throw new Error(`cbr ${args.join(' ')}: ${JSON.stringify(ended)}`);
    return ended;
  }

  /** As `run` with `--json`; the last line is the summary. */
  async json(
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<Ended & { readonly lines: readonly JsonLine[]; readonly summary: JsonLine }> {
    const ended = await this.run([...args, '--json'], options);
    const lines = ended.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as JsonLine);
    const summary = lines.at(-1);
    if (summary?.type !== 'summary') throw new Error(`no summary: ${JSON.stringify(ended)}`);
    return { ...ended, lines, summary };
  }

  /** Number of objects of a kind that are there now. */
  objects(kind: 'packs' | 'index' | 'sessions' | 'snapshots'): number {
    const found = readdirSync(join(this.repo, kind), { withFileTypes: true, recursive: true });
    return found.filter((entry) => entry.isFile()).length;
  }

  /** What index segments name: chunks named more than once, and packs named by none. */
  async waste(): Promise<{ readonly twice: number; readonly orphans: number }> {
    return this.use(async (repository) => {
      const { view } = await loadRepository(repository);
      const chunks = new Map<string, number>();
      const packs = new Set<string>();
      for (const name of view.segments.keys()) {
        const segment = (await readSegment(repository, name, []))!;
        for (const pack of segment.packs) packs.add(pack.name);
        const { ids, count } = segment.chunks;
        for (let row = 0; row < count; row++) {
          const id = ids.toString('latin1', 32 * row, 32 * (row + 1));
          chunks.set(id, (chunks.get(id) ?? 0) + 1);
        }
      }
      const twice = [...chunks.values()].filter((times) => times > 1).length;
      return { twice, orphans: this.objects('packs') - packs.size };
    });
  }
}

/** A scratch folder that is removed when the test is over. */
export function program(): Program {
  const made = new Program();
  onTestFinished(() => made.remove());
  return made;
}

/** Sends a signal as soon as `isTime`, asked every few milliseconds, says so; never if the program ends before. */
export function signalWhen(isTime: () => boolean, signal: NodeJS.Signals): (child: ChildProcess) => void {
  return (child) => {
    const timer = setInterval(() => {
      if (!isTime()) return;
      clearInterval(timer);
      child.kill(signal);
    }, 2);
    child.on('close', () => clearInterval(timer));
  };
}
