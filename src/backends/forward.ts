import type { Backend } from './backend.js';

/** A backend that hands every call to `inner`: what wrappers start from. */
export function forwardTo(inner: Backend): Backend {
  const { examine, storedDigest } = inner;
  return {
    location: inner.location,
    concurrency: inner.concurrency,
    ...(inner.isRemote === undefined ? {} : { isRemote: inner.isRemote }),
    capabilities: inner.capabilities,
    ...(inner.folder === undefined ? {} : { folder: inner.folder }),
    ...(inner.stagingFolder === undefined ? {} : { stagingFolder: inner.stagingFolder }),
    ...(inner.gathering === undefined ? {} : { gathering: inner.gathering }),
    ...(inner.room === undefined ? {} : { room: inner.room }),
    list: (...call) => inner.list(...call),
    stat: (...call) => inner.stat(...call),
    read: (...call) => inner.read(...call),
    write: (...call) => inner.write(...call),
    remove: (...call) => inner.remove(...call),
    removeMany: (...call) => inner.removeMany(...call),
    ...(examine === undefined ? {} : { examine: (...call) => examine.apply(inner, call) }),
    ...(storedDigest === undefined ? {} : { storedDigest: (...call) => storedDigest.apply(inner, call) }),
    close: () => inner.close(),
  };
}
