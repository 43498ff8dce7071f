import { type ChunkId, FormatError, readAhead } from '../../core/index.js';
import type { ReachVisitor, Reference, WalkTrees } from '../../repo/index.js';
import { readListPage } from '../content-list.js';
import type { ContentItem } from '../entry.js';
import { type NamedByTree, readTreeReferences } from './page-references.js';

/** Pages are nested no deeper than this (docs/format.md, "Tree" and "Content list"). */
const MOST_LEVEL = 8;
/** Steps between two looks at everything else that waits: a heartbeat must not. */
const STEPS_AT_ONCE = 200;

/** A page that is still to be read. */
interface Step {
  readonly kind: 'tree' | 'list';
  readonly chunk: Reference;
  readonly mostLevel: number;
}

/**
 * A walk through trees that can be continued with further roots and the same visitor. Strict: what a page names and this
 * program does not understand makes it reject, for what is not reached is removed by a prune.
 */
export function treeWalk(): WalkTrees {
  /** An attribute is bytes of a user's choice, which may be those of a page: it was seen, and not walked. */
  const attributes = new Set<ChunkId>();
  return async (root, visitor) => {
    const steps: Step[] = [{ kind: 'tree', chunk: root, mostLevel: MOST_LEVEL }];
    const walk: Walk = { visitor, steps };
    const named = takerOf(walk, attributes);
    while (steps.length > 0) {
      const batch = steps.splice(-STEPS_AT_ONCE).reverse();
      const fresh = batch.filter(({ chunk }) => visitor.see('tree', chunk) || attributes.delete(chunk.id));
      const plains = readAhead(fresh, STEPS_AT_ONCE, ({ chunk }) => visitor.read(chunk));
      let taken = 0;
      for await (const plain of plains) {
        const step = fresh[taken++]!;
        if (step.kind === 'tree') readTreeReferences(plain, step.mostLevel, named);
        else takeList(step, plain, walk);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
}

/** Visits all that one root tree reaches. */
export const walkReachable: WalkTrees = (root, visitor) => treeWalk()(root, visitor);

interface Walk {
  readonly visitor: ReachVisitor;
  readonly steps: Step[];
}

/** Notes what a page names as seen, or as steps still to be taken. */
function takerOf({ visitor, steps }: Walk, attributes: Set<ChunkId>): NamedByTree {
  return {
    page: (chunk, mostLevel) => steps.push({ kind: 'tree', chunk, mostLevel }),
    tree: (chunk) => steps.push({ kind: 'tree', chunk, mostLevel: MOST_LEVEL }),
    list: (chunk) => steps.push({ kind: 'list', chunk, mostLevel: MOST_LEVEL }),
    attribute: (value) => {
      if (visitor.see('tree', value)) attributes.add(value.id);
    },
    content: (item) => takeItem(item, visitor),
  };
}

function takeList({ mostLevel }: Step, plain: Uint8Array, { visitor, steps }: Walk): void {
  const page = readListPage(plain, 'content list');
  if (page.level > mostLevel) throw new FormatError('content list: pages are nested wrongly');
  if ('items' in page) for (const item of page.items) takeItem(item, visitor);
  else for (const below of page.pages) steps.push({ kind: 'list', chunk: below, mostLevel: page.level - 1 });
}

function takeItem(item: ContentItem, visitor: ReachVisitor): void {
  if (item.id !== undefined) visitor.see('data', item);
}
