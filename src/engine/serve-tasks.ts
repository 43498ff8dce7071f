import { parentPort } from 'node:worker_threads';
import { serializeError } from './serialized-error.js';
import { END, type TaskReply, type TaskRequest, type TaskTable, type Transfer } from './tasks.js';

/** What a task returns: its output and the buffers handed over with it instead of being copied. */
export interface TaskResult<Output> {
  readonly output: Output;
  readonly transfer?: Transfer;
}

export type TaskHandlers<T extends TaskTable> = {
  readonly [K in keyof T]: (
    input: T[K]['input'],
  ) => TaskResult<T[K]['output']> | Promise<TaskResult<T[K]['output']>>;
};

/**
 * The worker's side: makes the handlers from what the pool was opened with, which is the first message, then answers
 * requests one after the other. Call once, at the end of the worker's start.
 */
export function serveTasks<T extends TaskTable, Data>(
  open: (data: Data) => TaskHandlers<T> | Promise<TaskHandlers<T>>,
): void {
  const port = parentPort;
  if (port === null) throw new Error('serveTasks runs in a worker thread only');
  let handlers: Promise<TaskHandlers<T>> | undefined;
  let queue: Promise<void> = Promise.resolve();
  const answer = async (
    opened: Promise<TaskHandlers<T>>,
    { id, task, input }: TaskRequest,
  ): Promise<void> => {
    try {
      const result = await (await opened)[task]!(input as never);
      const reply: TaskReply = { id, output: result.output };
      port.postMessage(reply, [...(result.transfer ?? [])]);
    } catch (error) {
      const reply: TaskReply = { id, error: serializeError(error) };
      port.postMessage(reply);
    }
  };
  port.on('message', (message: Data | TaskRequest | typeof END) => {
    if (message === END) {
      queue = queue.then(() => port.close());
      return;
    }
    if (handlers === undefined) {
      handlers = (async () => open(message as Data))();
      // Each request is answered with what went wrong.
      handlers.catch(() => undefined);
      return;
    }
    const opened = handlers;
    queue = queue.then(() => answer(opened, message as TaskRequest));
  });
}
