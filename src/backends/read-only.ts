import { CbrError } from '../core/index.js';
import type { Backend } from './backend.js';
import { forwardTo } from './forward.js';

/** `inner` without the means to change it: `write`, `remove` and `removeMany` reject with CbrError 'read-only'. */
export function readOnly(inner: Backend): Backend {
  const refuse = async (): Promise<never> => {
    throw new CbrError('read-only', `the repository ${inner.location} is opened read-only`, {
      hint: 'run a command that writes without asking for read-only access',
    });
  };
  // A store is examined by writing to it.
  const { room: _, examine: _examine, ...others } = forwardTo(inner);
  return {
    ...others,
    capabilities: Object.freeze({ ...inner.capabilities, writable: false, removable: false }),
    write: refuse,
    remove: refuse,
    removeMany: refuse,
  };
}
