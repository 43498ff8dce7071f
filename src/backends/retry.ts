import { access, rm } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { BackendError, errnoOf, messageOf, ObjectExistsError } from '../core/index.js';
import type { Backend, CallOptions, ObjectKind, StagedFile } from './backend.js';
import { forwardTo } from './forward.js';
import { hasContent, storedSize } from './same-content.js';

export interface RetryOptions {
  /** How often a call is made at most. */
  readonly attempts?: number;
  /** No attempt begins later than so many milliseconds after a call failed for the first time; a list, since it last yielded something. */
  readonly limitMs?: number;
  /** As `limitMs`, until any call has succeeded: a medium that was never there is not waited for as long. */
  readonly firstLimitMs?: number;
  /** Milliseconds on a monotonic clock. */
  readonly clock?: () => number;
  /** Told what failed and is going to be repeated. */
  readonly report?: (message: string) => void;
  /** The pause before the second attempt, in milliseconds; each further one doubles it. */
  readonly firstPauseMs?: number;
  readonly longestPauseMs?: number;
  /** Waits; rejects when the signal is aborted. */
  readonly sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** From 0 to below 1: takes up to half off each pause, so that many clients do not return at the same moment. */
  readonly random?: () => number;
}

/** Six attempts with pauses of 0.25 to 4 s: outlasts a restarting server, and a lost one is told within ten seconds. */
const DEFAULTS: Required<RetryOptions> = Object.freeze({
  attempts: 6,
  limitMs: Number.POSITIVE_INFINITY,
  firstLimitMs: Number.POSITIVE_INFINITY,
  clock: () => performance.now(),
  report: () => undefined,
  firstPauseMs: 250,
  longestPauseMs: 8000,
  sleep: async (ms: number, signal?: AbortSignal) => {
    await setTimeout(ms, undefined, signal === undefined ? {} : { signal });
  },
  random: Math.random,
});

function isRetryable(error: unknown): boolean {
  return error instanceof BackendError && error.retryable;
}

/**
 * `inner`, trying again what failed with a retryable BackendError. A write whose first answer was lost and whose repetition
 * meets an existing object is resolved by reading back: the same bytes mean that the first one succeeded (B3).
 */
export function withRetry(inner: Backend, options: RetryOptions = {}): Backend {
  const policy = { ...DEFAULTS, ...options };
  let hasAnswered = false;

  /** Counts the attempts of one call. */
  function attempts(call: CallOptions | undefined): { pauseAfter(error: unknown): Promise<void> } {
    // What takes long and works is not counted: only from the first failure on does anybody wait in vain.
    let start: number | undefined;
    let number = 0;
    return {
      /** Waits before the next attempt, or throws `error` when there shall be none. */
      pauseAfter: async (error) => {
        number++;
        const longest = Math.min(policy.longestPauseMs, policy.firstPauseMs * 2 ** (number - 1));
        const pause = longest * (1 - policy.random() / 2);
        const limit = hasAnswered ? policy.limitMs : Math.min(policy.limitMs, policy.firstLimitMs);
        start ??= policy.clock();
        if (!isRetryable(error) || number >= policy.attempts) throw error;
        if (policy.clock() - start + pause > limit) throw error;
        policy.report(`${messageOf(error)}. Trying again.`);
        try {
          await policy.sleep(pause, call?.signal);
        } finally {
          call?.signal?.throwIfAborted();
        }
      },
    };
  }

  async function retried<T>(call: CallOptions | undefined, run: () => Promise<T>): Promise<T> {
    for (const its = attempts(call); ; ) {
      try {
        const result = await run();
        hasAnswered = true;
        return result;
      } catch (error) {
        await its.pauseAfter(error);
      }
    }
  }

  const { examine } = inner;
  return {
    ...forwardTo(inner),
    ...(examine === undefined ? {} : { examine: (call) => retried(call, () => examine.call(inner, call)) }),
    async *list(kind, call) {
      const yielded = new Set<string>();
      for (let its = attempts(call); ; ) {
        try {
          for await (const object of inner.list(kind, call)) {
            hasAnswered = true;
            if (yielded.has(object.name)) continue;
            yielded.add(object.name);
            yield object;
            its = attempts(call);
          }
          hasAnswered = true;
          return;
        } catch (error) {
          await its.pauseAfter(error);
        }
      }
    },
    stat: (kind, name, call) => retried(call, () => inner.stat(kind, name, call)),
    read: (kind, name, range, call) => retried(call, () => inner.read(kind, name, range, call)),
    write: (kind, name, data, call) => {
      let lost: unknown;
      return retried(call, async () => {
        if (lost !== undefined && (await isTaken(data)))
          return confirmTaken(inner, kind, name, data, lost, call);
        try {
          await inner.write(kind, name, data, call);
        } catch (error) {
          if (lost !== undefined && error instanceof ObjectExistsError) {
            if (await hasContent(inner, kind, name, data, call)) return removeStaged(data);
          }
          if (isRetryable(error)) lost = error;
          throw error;
        }
      });
    },
    remove: (kind, name, call) => retried(call, () => inner.remove(kind, name, call)),
    removeMany: (kind, names, call) => retried(call, () => inner.removeMany(kind, names, call)),
  };
}

/** Whether a staged file is gone. Only the medium removes it, and only when its bytes have become the object. */
async function isTaken(data: Uint8Array | StagedFile): Promise<boolean> {
  if (data instanceof Uint8Array) return false;
  try {
    await access(data.path);
    return false;
  } catch (error) {
    return errnoOf(error) === 'ENOENT';
  }
}

async function confirmTaken(
  inner: Backend,
  kind: ObjectKind,
  name: string,
  data: Uint8Array | StagedFile,
  lost: unknown,
  call: CallOptions | undefined,
): Promise<void> {
  const size = data instanceof Uint8Array ? data.byteLength : data.size;
  if ((await storedSize(inner, kind, name, call)) === size) return;
  throw new BackendError(
    `the staged file for ${kind}/${name} is gone, and the object does not hold its bytes`,
    false,
    {
      cause: lost,
    },
  );
}

async function removeStaged(data: Uint8Array | StagedFile): Promise<void> {
  if (!(data instanceof Uint8Array)) await rm(data.path, { force: true });
}
