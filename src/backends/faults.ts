import { BackendError } from '../core/index.js';
import type { Backend, ObjectKind } from './backend.js';
import { forwardTo } from './forward.js';
import type { Operation } from './operation.js';

/** One call to a backend, as a fault plan sees it. */
export interface BackendCall {
  /** 1 for the first call of any operation. */
  readonly number: number;
  readonly operation: Operation;
  readonly kind: ObjectKind;
  /** The names it concerns; none for a list. */
  readonly names: readonly string[];
}

export interface Fault {
  /** `before`: the medium never sees the call. `after`: it carries the call out and the answer is lost. */
  readonly when: 'before' | 'after';
  /** Whether the process is as good as dead: this and every later call rejects, and so do those under way. */
  readonly stop?: boolean;
  /** What the call rejects with; a BackendError by default, retryable unless `stop`. */
  readonly error?: Error;
}

/** Decides for each call, in the order in which they begin, whether it fails. */
export type FaultPlan = (call: BackendCall) => Fault | undefined;

export interface FaultyBackend extends Backend {
  /** Number of calls begun so far. */
  readonly calls: number;
}

/** The plan in which only the call of that number fails. */
export function failAt(number: number, fault: Fault): FaultPlan {
  return (call) => (call.number === number ? fault : undefined);
}

/** `inner`, failing where `plan` says so; for tests. */
export function withFaults(inner: Backend, plan: FaultPlan): FaultyBackend {
  let calls = 0;
  let stopped: Error | undefined;

  function begin(operation: Operation, kind: ObjectKind, names: readonly string[]): Fault | undefined {
    const number = ++calls;
    if (stopped !== undefined) throw stopped;
    const fault = plan({ number, operation, kind, names });
    if (fault === undefined) return undefined;
    const what = `injected ${fault.stop ? 'stop' : 'failure'} ${fault.when} call ${number} (${operation} ${kind})`;
    const error = fault.error ?? new BackendError(what, !fault.stop);
    if (fault.stop) stopped = error;
    if (fault.when === 'before') throw error;
    return { ...fault, error };
  }

  async function run<T>(
    operation: Operation,
    kind: ObjectKind,
    names: readonly string[],
    call: () => Promise<T>,
  ) {
    const fault = begin(operation, kind, names);
    if (fault === undefined) {
      const result = await call();
      if (stopped !== undefined) throw stopped;
      return result;
    }
    // Whether it succeeded or failed, the answer is lost.
    await call().catch(() => undefined);
    throw fault.error;
  }

  return {
    ...forwardTo(inner),
    get calls() {
      return calls;
    },
    async *list(kind, options) {
      const fault = begin('list', kind, []);
      for await (const object of inner.list(kind, options)) {
        if (fault === undefined && stopped !== undefined) throw stopped;
        yield object;
      }
      if (fault !== undefined) throw fault.error;
    },
    stat: (kind, name, options) => run('stat', kind, [name], () => inner.stat(kind, name, options)),
    read: (kind, name, range, options) =>
      run('read', kind, [name], () => inner.read(kind, name, range, options)),
    write: (kind, name, data, options) =>
      run('write', kind, [name], () => inner.write(kind, name, data, options)),
    remove: (kind, name, options) => run('remove', kind, [name], () => inner.remove(kind, name, options)),
    removeMany: (kind, names, options) =>
      run('removeMany', kind, names, () => inner.removeMany(kind, names, options)),
  };
}
