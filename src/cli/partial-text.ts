import { messageOf } from '../core/index.js';
import { isPartial, type Snapshot } from '../snapshot/index.js';
import type { CommandContext } from './command.js';
import type { Output } from './output.js';

/** What is said of partial snapshots. */

/** A snapshot that was stopped just now. */
export function notePartial({ output, signal }: CommandContext): void {
  output.problem({
    severity: 'warning',
    about: 'source',
    code: 'interrupted',
    reason: `${messageOf(signal.reason)} before everything was taken in: the snapshot is partial`,
    hint: 'The same command goes on from there.',
  });
}

/** A snapshot that is about to be used; nothing where it is whole. */
export function noteIfPartial(output: Output, { id, about }: Snapshot): void {
  if (!isPartial(about)) return;
  output.problem({
    severity: 'warning',
    about: 'repository',
    code: 'partial',
    reason: 'is partial: it was stopped before everything was taken in',
    hint: 'What it lacks may be in another one. See: cbr snapshots',
    object: `snapshots/${id}`,
  });
}
