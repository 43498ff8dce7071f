import type { Operation, Traffic } from '../backends/index.js';
import { countOf, sizeText } from './sizes.js';

/** The operations that a run used, for programs (docs/json.md, "Summary"). */
export function trafficFields(traffic: Traffic): Readonly<Record<string, unknown>> {
  const used = (Object.keys(traffic) as Operation[]).filter((operation) => traffic[operation].calls > 0);
  return Object.fromEntries(
    used.map((operation) => {
      const { calls, failed, bytes } = traffic[operation];
      return [operation, { calls, bytes, ...(failed === 0 ? {} : { failed }) }];
    }),
  );
}

/** The same for people: `Repository: 12 reads (3.1 MiB), 5 lists`. */
export function trafficText({ list, stat, read, write, remove, removeMany }: Traffic): string {
  const parts = [
    `${countOf(read.calls, 'read')} (${sizeText(read.bytes)})`,
    `${countOf(write.calls, 'write')} (${sizeText(write.bytes)})`,
    countOf(list.calls, 'list'),
    countOf(stat.calls, 'look', 'looks'),
    countOf(remove.calls + removeMany.calls, 'removal'),
  ];
  return `Repository: ${parts.join(', ')}`;
}
