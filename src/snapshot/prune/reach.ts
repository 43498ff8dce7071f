import { type ChunkId, readAhead } from '../../core/index.js';
import type { WalkTrees } from '../../repo/index.js';
import { pageReader, rootStep, type Step } from './page-steps.js';

/**
 * Pages that are read at the same time, for most of the time of a read is waiting; and steps between two looks at everything
 * else that waits: a heartbeat must not.
 */
const STEPS_AT_ONCE = 64;

/**
 * A walk through trees that can be continued with further roots and the same visitor. Strict: what a page names and this
 * program does not understand makes it reject, for what is not reached is removed by a prune.
 */
export function treeWalk(): WalkTrees {
  /** An attribute is bytes of a user's choice, which may be those of a page: it was seen, and not walked. */
  const attributes = new Set<ChunkId>();
  return async (root, visitor) => {
    const steps: Step[] = [rootStep(root)];
    const readPage = pageReader({
      step: (next) => steps.push(next),
      attribute: (value) => {
        if (visitor.see('tree', value)) attributes.add(value.id);
      },
      content: (chunk) => visitor.see('data', chunk),
    });
    while (steps.length > 0) {
      const batch = steps.splice(-STEPS_AT_ONCE).reverse();
      const fresh = batch.filter(({ chunk }) => visitor.see('tree', chunk) || attributes.delete(chunk.id));
      const plains = readAhead(fresh, STEPS_AT_ONCE, ({ chunk }) => visitor.read(chunk));
      let taken = 0;
      for await (const plain of plains) readPage(fresh[taken++]!, plain);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
}

/** Visits all that one root tree reaches. */
export const walkReachable: WalkTrees = (root, visitor) => treeWalk()(root, visitor);
