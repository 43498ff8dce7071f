import { readFile, rm } from 'node:fs/promises';
import type { Backend } from '../../dist/backends/index.js';

/** `inner` as a store that knows nothing of create-only: a second write of a name silently replaces the first. */
export function overwriting(inner: Backend): Backend {
  return {
    location: inner.location,
    concurrency: inner.concurrency,
    capabilities: inner.capabilities,
    ...(inner.stagingFolder === undefined ? {} : { stagingFolder: inner.stagingFolder }),
    ...(inner.room === undefined ? {} : { room: inner.room }),
    list: (...call) => inner.list(...call),
    stat: (...call) => inner.stat(...call),
    read: (...call) => inner.read(...call),
    write: async (kind, name, data, options) => {
      const bytes = data instanceof Uint8Array ? data : await readFile(data.path);
      await inner.remove(kind, name, options);
      await inner.write(kind, name, bytes, options).catch((error: { code?: string }) => {
        // Somebody else was in between: one of both has replaced the other.
        if (error.code !== 'object-exists') throw error;
      });
      if (!(data instanceof Uint8Array)) await rm(data.path, { force: true });
    },
    remove: (...call) => inner.remove(...call),
    removeMany: (...call) => inner.removeMany(...call),
    close: () => inner.close(),
  };
}
