import type { Transferable } from 'node:worker_threads';

/** The tasks that a kind of worker knows: what goes in and what comes out, both structured-clonable. */
export type TaskTable = Record<string, { readonly input: unknown; readonly output: unknown }>;

/** What the pool sends to a worker. */
export interface TaskRequest {
  readonly id: number;
  readonly task: string;
  readonly input: unknown;
}

/** Tells a worker to end when it has answered what it was asked. */
export const END = 'end';

/** What a worker sends back. */
export type TaskReply =
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly error: SerializedError };

/** An error on its way between threads: classes do not survive the journey, codes and words do. */
export interface SerializedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly errno?: string;
  readonly hint?: string;
  readonly object?: string;
  readonly stack?: string;
}

export type Transfer = readonly Transferable[];
