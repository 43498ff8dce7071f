import { readdirSync } from 'node:fs';
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import type { Random } from './random.js';

/** Above all process ids that a system gives. */
const FIRST_PID = 2 ** 30;

/** The simulated processes of one schedule. */
export class Processes {
  private next = FIRST_PID;
  private readonly alive = new Set<number>();

  constructor(
    private readonly random: Random,
    /** How often a process that lives is held for dead. */
    private readonly wrongGuessRate: number,
  ) {}

  nextPid(): number {
    this.alive.add(this.next);
    return this.next++;
  }

  ended(pid: number): void {
    this.alive.delete(pid);
  }

  isAlive(pid: number): boolean {
    return this.alive.has(pid);
  }

  /** What somebody who looks believes. */
  seemsDead(pid: number): boolean {
    return !this.isAlive(pid) || this.random.chance(this.wrongGuessRate);
  }
}

export interface SimulatedSystem {
  use(processes: Processes): void;
  restore(): void;
}

/**
 * Answers in the place of the system whether simulated processes live, and what lies in their staging folder: at once, so
 * that nothing depends on how fast the threads of the system are.
 */
export function simulateSystem(stagingFolder: string): SimulatedSystem {
  const original = process.kill;
  const { readdir } = files;
  let processes: Processes | undefined;
  const listAtOnce = async (path: string): Promise<string[]> =>
    path === stagingFolder ? readdirSync(path) : readdir(path);
  files.readdir = listAtOnce as typeof readdir;
  syncBuiltinESMExports();
  process.kill = (pid: number, signal?: string | number): true => {
    if (pid < FIRST_PID || processes === undefined) return original.call(process, pid, signal);
    if (!processes.seemsDead(pid)) return true;
    throw Object.assign(new Error('no such process'), { code: 'ESRCH' });
  };
  return {
    use: (from) => {
      processes = from;
    },
    restore: () => {
      process.kill = original;
      files.readdir = readdir;
      syncBuiltinESMExports();
    },
  };
}
