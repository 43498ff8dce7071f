import { Worker } from 'node:worker_threads';
import { CbrError } from '../core/index.js';
import { reviveError } from './serialized-error.js';
import { END, type TaskReply, type TaskRequest, type TaskTable, type Transfer } from './tasks.js';

export interface WorkerPoolOptions {
  /** The module each worker runs; it calls `serveTasks`. */
  readonly script: URL;
  readonly threads: number;
}

interface Job {
  readonly task: string;
  readonly input: unknown;
  readonly transfer: Transfer;
  readonly resolve: (output: never) => void;
  readonly reject: (error: Error) => void;
}

interface Member {
  readonly worker: Worker;
  /** Jobs that only this worker may do. */
  readonly own: Job[];
  running: Job | undefined;
  readonly ended: Promise<void>;
}

/** A worker that has not ended by itself after so long hangs. */
const LONGEST_END_MS = 10_000;

/**
 * Worker threads that take tasks from two queues, urgent ones first. Workers start when there is first something to do:
 * each costs 60 ms. One can be started ahead, before it is known what the pool is opened with. A worker that dies rejects
 * its task and all that follow: what it held in memory is gone.
 */
export class WorkerPool<T extends TaskTable> {
  private readonly members: Member[] = [];
  private readonly urgent: Job[] = [];
  private readonly normal: Job[] = [];
  private failure: Error | undefined;
  private nextId = 0;
  private closed = false;
  private data: object | undefined;

  constructor(private readonly options: WorkerPoolOptions) {}

  /** Workers that run. */
  get started(): number {
    return this.members.length;
  }

  /** Starts workers ahead of their first task. */
  warmUp(count: number): void {
    while (this.members.length < Math.min(count, this.options.threads)) this.start();
  }

  /** Gives each worker what its tasks need: once, before the first task. */
  open(data: object): void {
    this.data = data;
    for (const { worker } of this.members) worker.postMessage(data);
  }

  run<K extends keyof T & string>(
    task: K,
    input: T[K]['input'],
    options: { readonly urgent?: boolean; readonly transfer?: Transfer } = {},
  ): Promise<T[K]['output']> {
    return this.enqueue(
      options.urgent === true ? this.urgent : this.normal,
      task,
      input,
      options.transfer ?? [],
    );
  }

  /** Runs a task once on every worker that has started. */
  async runOnEach<K extends keyof T & string>(task: K, input: T[K]['input']): Promise<T[K]['output'][]> {
    return Promise.all(this.eachRun(task, input));
  }

  /** As `runOnEach`, each answer by itself. */
  eachRun<K extends keyof T & string>(task: K, input: T[K]['input']): Promise<T[K]['output']>[] {
    return this.members.map((member) => this.enqueue(member.own, task, input, []));
  }

  async close(): Promise<void> {
    this.closed = true;
    this.fail(new CbrError('interrupted', 'the worker threads were stopped'));
    await Promise.all(this.members.map(endOf));
  }

  private enqueue(queue: Job[], task: string, input: unknown, transfer: Transfer): Promise<never> {
    if (this.data === undefined) throw new RangeError('the pool of workers was not opened');
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      queue.push({ task, input, transfer, resolve, reject });
      this.dispatch();
    });
  }

  private dispatch(): void {
    for (const member of this.members) {
      if (member.running === undefined) this.give(member);
    }
    while ((this.urgent.length > 0 || this.normal.length > 0) && this.members.length < this.options.threads) {
      this.give(this.start());
    }
  }

  private give(member: Member): void {
    const job = this.urgent.shift() ?? member.own.shift() ?? this.normal.shift();
    if (job === undefined) return;
    member.running = job;
    const request: TaskRequest = { id: this.nextId++, task: job.task, input: job.input };
    member.worker.postMessage(request, [...job.transfer]);
  }

  private start(): Member {
    const worker = new Worker(this.options.script, {
      // File descriptors belong to the process: one worker opens a large file, another closes it. Tracked, the first would
      // close that number again at its end, whatever file it stands for by then.
      trackUnmanagedFds: false,
      // Workers make little that lives on; a third of the default keeps their memory small at the same speed.
      resourceLimits: { maxYoungGenerationSizeMb: 16 },
    });
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const member: Member = { worker, own: [], running: undefined, ended };
    worker.on('message', (reply: TaskReply) => this.settle(member, reply));
    worker.on('error', (error) => this.fail(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', (code) => {
      if (!this.closed) this.fail(new CbrError('internal', `a worker thread ended with code ${code}`));
    });
    if (this.data !== undefined) worker.postMessage(this.data);
    this.members.push(member);
    return member;
  }

  private settle(member: Member, reply: TaskReply): void {
    const job = member.running;
    member.running = undefined;
    this.give(member);
    if (job === undefined) return;
    if ('error' in reply) job.reject(reviveError(reply.error));
    else job.resolve(reply.output as never);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    const jobs = [...this.urgent.splice(0), ...this.normal.splice(0)];
    for (const member of this.members) {
      jobs.push(...member.own.splice(0));
      if (member.running !== undefined) jobs.push(member.running);
      member.running = undefined;
    }
    for (const job of jobs) job.reject(this.failure);
  }
}

/** Lets a worker end by itself: one that is stopped while it loads native code takes the whole process with it. */
async function endOf({ worker, ended }: Member): Promise<void> {
  worker.postMessage(END);
  const timer = setTimeout(() => void worker.terminate(), LONGEST_END_MS);
  await ended;
  clearTimeout(timer);
}
