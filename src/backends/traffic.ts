import type { Backend } from './backend.js';
import { forwardTo } from './forward.js';
import type { Operation } from './operation.js';

export interface OperationCount {
  /** Calls begun. */
  calls: number;
  /** Calls that rejected. */
  failed: number;
  /** Bytes read or written by calls that succeeded. */
  bytes: number;
}

export type Traffic = Readonly<Record<Operation, Readonly<OperationCount>>>;

export interface ObservedBackend extends Backend {
  /** What has passed so far; the same object goes on counting. */
  readonly traffic: Traffic;
}

/** `inner`, counting calls and bytes of each operation. */
export function withTraffic(inner: Backend): ObservedBackend {
  const none = (): OperationCount => ({ calls: 0, failed: 0, bytes: 0 });
  const traffic: Record<Operation, OperationCount> = {
    list: none(),
    stat: none(),
    read: none(),
    write: none(),
    remove: none(),
    removeMany: none(),
  };
  async function counted<T>(
    operation: Operation,
    run: () => Promise<T>,
    size: (result: T) => number = () => 0,
  ): Promise<T> {
    const count = traffic[operation];
    count.calls++;
    try {
      const result = await run();
      count.bytes += size(result);
      return result;
    } catch (error) {
      count.failed++;
      throw error;
    }
  }
  return {
    ...forwardTo(inner),
    traffic,
    async *list(...call) {
      traffic.list.calls++;
      try {
        yield* inner.list(...call);
      } catch (error) {
        traffic.list.failed++;
        throw error;
      }
    },
    stat: (...call) => counted('stat', () => inner.stat(...call)),
    read: (...call) =>
      counted(
        'read',
        () => inner.read(...call),
        (bytes) => bytes.byteLength,
      ),
    write: (kind, name, data, options) =>
      counted(
        'write',
        () => inner.write(kind, name, data, options),
        () => (data instanceof Uint8Array ? data.byteLength : data.size),
      ),
    remove: (...call) => counted('remove', () => inner.remove(...call)),
    removeMany: (...call) => counted('removeMany', () => inner.removeMany(...call)),
  };
}
