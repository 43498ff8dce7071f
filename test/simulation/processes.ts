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

export interface SimulatedPids {
  use(processes: Processes): void;
  restore(): void;
}

/** Answers questions for simulated processes in the place of the system. */
export function simulatePids(): SimulatedPids {
  const original = process.kill;
  let processes: Processes | undefined;
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
    },
  };
}
