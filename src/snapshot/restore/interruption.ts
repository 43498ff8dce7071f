import { CbrError } from '../../core/index.js';

/** Throws (interrupted) when a restore that has begun is to stop. */
export function stopIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new CbrError('interrupted', 'the restore was interrupted', {
    hint: 'The same command with --overwrite if-changed goes on with what is missing.',
  });
}
