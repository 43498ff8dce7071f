import { OBJECT_KINDS, type ObjectKind } from '../../dist/backends/index.js';
import { CbrError } from '../../dist/core/index.js';
import type { Random } from './random.js';

/** What a process does that others can see, and sleeping. */
export const OPERATIONS = ['list', 'stat', 'read', 'write', 'remove', 'sleep'] as const;
export type TurnOperation = (typeof OPERATIONS)[number];

/** What all calls of a process that was stopped reject with: it is gone, and what it still does nobody sees. */
export class StoppedError extends Error {
  constructor() {
    super('this process was stopped');
  }
}

/** The schedule itself went wrong: processes wait for each other, or for ever. */
export class StuckError extends Error {}

interface WaitingCall {
  readonly operation: TurnOperation;
  readonly kind: ObjectKind | undefined;
  readonly name: string;
  readonly action: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** The step at which it was first seen waiting. */
  since?: number;
}

/** One running process. All its calls wait for their turn. */
export class Actor {
  readonly waiting: WaitingCall[] = [];
  weight = 1;
  /** The step before which it takes no turn. */
  asleepUntil = 0;
  /** Its own monotonic clock in milliseconds. */
  clockMs = 1000;
  stopped = false;
  finished = false;
  private refusals = 0;

  constructor(
    readonly name: string,
    /** Small: for the trace. */
    readonly index: number,
    readonly pid: number,
    /** Whether it may be stopped and put to sleep. */
    readonly mortal: boolean,
    private readonly onStop: () => void,
  ) {}

  /** Waits until the scheduler lets this call happen. */
  turn<T>(operation: TurnOperation, kind: ObjectKind | undefined, name: string, action: () => T): Promise<T> {
    if (this.stopped) {
      // Whoever tries again for ever must not keep this process from ending.
      if (++this.refusals > 1000) return new Promise(() => undefined);
      return Promise.reject(new StoppedError());
    }
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({
        operation,
        kind,
        name,
        action,
        resolve: resolve as (value: unknown) => void,
        reject,
      });
    });
  }

  stop(): void {
    this.stopped = true;
    this.onStop();
    for (const call of this.waiting.splice(0)) call.reject(new StoppedError());
  }
}

export interface SchedulerOptions {
  readonly random: Random;
  /** Per step. */
  readonly stopRate: number;
  readonly sleepRate: number;
  readonly mostSleepSteps: number;
  /** How far the clock of a sleeper may jump, in milliseconds. */
  readonly mostClockJump: number;
  /** Schedules that take more are stuck. */
  readonly mostSteps: number;
  readonly recording: boolean;
  /** Calls before which nobody sleeps, and which wait for `mostUrgentSteps` at most. */
  readonly isUrgent?: (operation: TurnOperation, kind: ObjectKind | undefined) => boolean;
  readonly mostUrgentSteps?: number;
  readonly beforeStep: (operation: TurnOperation, kind: ObjectKind | undefined) => void;
  readonly afterStep: (operation: TurnOperation, kind: ObjectKind | undefined) => void;
}

/** How often, in steps, the processes change their speeds. */
const SPEED_STEPS = 40;
const SPEEDS = [0.03, 0.2, 1, 1, 4];

/** Lets one waiting call happen at a time, chosen by the random generator. */
export class Scheduler {
  readonly actors: Actor[] = [];
  readonly trace: string[] = [];
  step = 0;
  private hashLow = 0x811c9dc5;
  private hashHigh = 0x9e3779b9;
  /** Processes that have calls waiting or will have. */
  private running: Actor[] = [];
  /** Those that have not come to their first call yet. */
  private starting: Actor[] = [];

  constructor(private readonly options: SchedulerOptions) {}

  /** Starts a process; `life` is all it does. Stopping it is no error, anything else that `life` rejects with is. */
  start(actor: Actor, life: () => Promise<void>, failed: (error: unknown) => void): void {
    this.actors.push(actor);
    this.running.push(actor);
    this.starting.push(actor);
    life().then(
      () => {
        actor.finished = true;
      },
      (error: unknown) => {
        actor.finished = true;
        if (!actor.stopped) failed(error);
      },
    );
  }

  /** A number that is the same for the same trace, and hardly ever for another one. */
  get traceHash(): number {
    return (this.hashHigh & 0x1fffff) * 2 ** 32 + (this.hashLow >>> 0);
  }

  private note(actor: Actor, call: WaitingCall | undefined, outcome: string, detail: number): void {
    const operation = call === undefined ? OPERATIONS.length : OPERATIONS.indexOf(call.operation);
    const kind = call?.kind === undefined ? 31 : OBJECT_KINDS.indexOf(call.kind);
    const word = ((actor.index * 16 + operation) * 32 + kind) * 16 + detail;
    this.hashLow = Math.imul(this.hashLow ^ word, 0x01000193) ^ (this.hashHigh >>> 7);
    this.hashHigh = Math.imul(this.hashHigh ^ (word + this.step), 0x85ebca6b) ^ (this.hashLow >>> 11);
    if (!this.options.recording) return;
    const what = call === undefined ? '' : `${call.operation} ${call.kind ?? ''}/${short(call.name)} `;
    this.trace.push(`${this.step} ${actor.name} ${what}-> ${outcome}`);
  }

  /** Runs until every process has ended. Rejects with StuckError when that does not happen. */
  async run(): Promise<void> {
    for (;;) {
      for (const actor of this.starting.splice(0)) await this.settle(actor);
      if (this.starting.length > 0) continue;
      this.running = this.running.filter((actor) => !actor.finished);
      if (this.running.length === 0) return;
      if (++this.step > this.options.mostSteps) throw new StuckError(`no end after ${this.step} steps`);
      await this.takeStep();
    }
  }

  private async takeStep(): Promise<void> {
    const { random, stopRate, sleepRate, mostSleepSteps, mostClockJump } = this.options;
    if (this.step % SPEED_STEPS === 1) for (const each of this.running) each.weight = random.pick(SPEEDS);
    const actor = this.choose();
    if (actor.mortal && random.chance(stopRate)) {
      this.note(actor, undefined, 'stopped', 0);
      actor.stop();
      await this.settle(actor);
      return;
    }
    if (actor.mortal && random.chance(sleepRate) && this.urgentCall(actor) === undefined) {
      this.note(actor, undefined, 'sleeps', 1);
      actor.asleepUntil = this.step + random.between(1, mostSleepSteps);
      actor.clockMs += random.below(mostClockJump + 1);
      return;
    }
    const [call] = actor.waiting.splice(random.below(actor.waiting.length), 1);
    this.options.beforeStep(call!.operation, call!.kind);
    this.perform(actor, call!);
    this.options.afterStep(call!.operation, call!.kind);
    await this.settle(actor);
  }

  private urgentCall({ waiting }: Actor): WaitingCall | undefined {
    const { isUrgent } = this.options;
    return isUrgent === undefined
      ? undefined
      : waiting.find(({ operation, kind }) => isUrgent(operation, kind));
  }

  private overdue(): Actor | undefined {
    const { isUrgent, mostUrgentSteps = 0 } = this.options;
    if (isUrgent === undefined) return undefined;
    return this.running.find((actor) => {
      const call = this.urgentCall(actor);
      if (call === undefined) return false;
      call.since ??= this.step;
      return this.step - call.since > mostUrgentSteps;
    });
  }

  private choose(): Actor {
    const overdue = this.overdue();
    if (overdue !== undefined) return overdue;
    let total = 0;
    let soonest: Actor | undefined;
    for (const actor of this.running) {
      if (actor.waiting.length === 0) continue;
      if (actor.asleepUntil <= this.step) total += actor.weight;
      if (soonest === undefined || actor.asleepUntil < soonest.asleepUntil) soonest = actor;
    }
    if (soonest === undefined) throw new StuckError('every process waits, and for nothing');
    if (total === 0) {
      this.step = soonest.asleepUntil;
      return soonest;
    }
    let left = (this.options.random.next() / 2 ** 32) * total;
    for (const actor of this.running) {
      if (actor.waiting.length === 0 || actor.asleepUntil > this.step) continue;
      left -= actor.weight;
      if (left < 0) return actor;
    }
    return soonest;
  }

  private perform(actor: Actor, call: WaitingCall): void {
    try {
      const value = call.action();
      this.note(actor, call, 'done', 2);
      call.resolve(value);
    } catch (error) {
      const code = error instanceof CbrError ? error.code : String(error);
      this.note(actor, call, code, code === 'object-exists' ? 3 : code === 'object-not-found' ? 4 : 5);
      call.reject(error);
    }
  }

  /**
   * Waits until the process that was let go on waits again. Only promises and immediates are involved, so what it has done
   * by then does not depend on time.
   */
  private async settle(actor: Actor): Promise<void> {
    await drained();
    for (let round = 0; !actor.finished && actor.waiting.length === 0; round++) {
      if (round > 1000) throw new StuckError(`${actor.name} waits, and for nothing`);
      await immediate();
    }
  }
}

/** When all promises that can go on have gone on. */
function drained(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

export function immediate(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function short(name: string): string {
  return name.replace(/[0-9a-f]{32,}/, (digits) => digits.slice(0, 8));
}
