import { CbrError } from '../core/index.js';
import type { Backend } from './backend.js';
import { forwardTo } from './forward.js';

/** `inner` without the means to take anything away: `remove` and `removeMany` reject with CbrError 'read-only'. */
export function appendOnly(inner: Backend): Backend {
  const refuse = async (): Promise<never> => {
    throw new CbrError('read-only', `the repository ${inner.location} is opened for adding only`, {
      hint: 'remove things from a machine that may, without --append-only',
    });
  };
  return {
    ...forwardTo(inner),
    capabilities: Object.freeze({ ...inner.capabilities, removable: false }),
    remove: refuse,
    removeMany: refuse,
  };
}
