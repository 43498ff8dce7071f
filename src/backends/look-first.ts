import { ObjectExistsError, ObjectNotFoundError } from '../core/index.js';
import { type Backend, type ObjectKind, objectPath } from './backend.js';
import { forwardTo } from './forward.js';

/** Their names are random or digests of random content: nobody else writes them. */
const OWN_NAMES: ReadonlySet<ObjectKind> = new Set(['packs', 'index', 'sessions']);

/**
 * `inner`, a store that silently overwrites, looking whether a name is taken before it writes it. That is no promise: of two
 * who look at the same time both write, and the later one counts. Whoever uses this keeps a waiting period.
 */
export function lookingFirst(inner: Backend): Backend {
  return {
    ...forwardTo(inner),
    capabilities: Object.freeze({ ...inner.capabilities, createOnly: false }),
    write: async (kind, name, data, options) => {
      if (!OWN_NAMES.has(kind) && (await isTaken(inner, kind, name))) {
        throw new ObjectExistsError(objectPath(kind, name));
      }
      await inner.write(kind, name, data, options);
    },
  };
}

async function isTaken(inner: Backend, kind: ObjectKind, name: string): Promise<boolean> {
  try {
    await inner.stat(kind, name);
    return true;
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return false;
    throw error;
  }
}
