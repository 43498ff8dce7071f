import { spawn } from 'node:child_process';
import { CbrError, messageOf } from '../core/index.js';

/** What a hook is told of a disc, by its environment. */
export interface HookFacts {
  /** needed: a disc has to be put in; burned: it is done and was read back. */
  readonly event: 'needed' | 'burned';
  readonly set: string;
  readonly number: number;
  readonly volume: string;
  readonly image: string;
  readonly device: string;
}

/** Runs a command of the user's by the shell. Rejects with `target` unless it exits with 0, and with the signal's reason. */
export function runHook(command: string, facts: HookFacts, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command], {
      stdio: 'inherit',
      signal,
      env: {
        ...process.env,
        CBR_DISC_EVENT: facts.event,
        CBR_DISC_SET: facts.set,
        CBR_DISC_NUMBER: String(facts.number),
        CBR_DISC_VOLUME: facts.volume,
        CBR_DISC_IMAGE: facts.image,
        CBR_DISC_DEVICE: facts.device,
      },
    });
    const fail = (why: string): void =>
      reject(
        signal.aborted
          ? signal.reason
          : new CbrError('target', `the hook failed for ${facts.volume} (${facts.event}): ${why}`, {
              hint: 'Run it alone to see why. Discs that were burned count as burned.',
            }),
      );
    child.on('error', (error) => fail(messageOf(error)));
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve();
      else fail(killedBy ?? `exit code ${code}`);
    });
  });
}
