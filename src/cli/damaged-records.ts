import type { ListedSnapshots } from '../snapshot/index.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import type { Output } from './output.js';

/** Tells the records of a kind that cannot be opened, each as a problem; returns the exit code that they leave. */
export function tellDamaged(
  output: Output,
  { damaged }: Pick<ListedSnapshots, 'damaged'>,
  kind: 'snapshots' | 'forgotten' = 'snapshots',
): ExitCode {
  for (const { id, error } of damaged) {
    output.problem({
      severity: 'error',
      about: 'repository',
      code: error.code,
      reason: error.message,
      hint: error.hint ?? 'Run: cbr check',
      object: `${kind}/${id}`,
    });
  }
  return damaged.length > 0 ? EXIT.damage : EXIT.done;
}
