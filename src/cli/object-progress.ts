import type { ObjectProgress } from '../repo/index.js';
import type { ProgressEvent } from '../snapshot/index.js';
import type { Output } from './output.js';

/** Shows how far a work on whole objects is. */
export function objectProgress(
  output: Output,
  phase: ProgressEvent['phase'],
): (progress: ObjectProgress) => void {
  return ({ objects, totalObjects, bytes, totalBytes, current }) =>
    output.progress({
      type: 'progress',
      phase,
      files: objects,
      totalFiles: totalObjects,
      bytes,
      totalBytes,
      current,
    });
}
