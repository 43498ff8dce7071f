import { setMaxListeners } from 'node:events';
import { CbrError } from '../core/index.js';

const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * A signal that is aborted by the first SIGINT, SIGTERM or SIGHUP, so that the run can stop cleanly. `onFirst` is called
 * then. A second one finds no listener and kills the process at once.
 */
export function abortOnSignals(onFirst: (name: string) => void): AbortSignal {
  const controller = new AbortController();
  // Every request under way listens.
  setMaxListeners(0, controller.signal);
  const stop = (name: NodeJS.Signals): void => {
    for (const each of STOPPING) process.removeListener(each, stop);
    onFirst(name);
    controller.abort(
      new CbrError('interrupted', `interrupted by ${name}`, {
        hint: 'What was done so far counts: the same command goes on from there.',
      }),
    );
  };
  for (const each of STOPPING) process.on(each, stop);
  return controller.signal;
}
