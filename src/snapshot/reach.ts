import { type ChunkId, FormatError } from '../core/index.js';
import type { ReachVisitor, Reference, WalkTrees } from '../repo/index.js';
import { readListPage } from './content-list.js';
import type { ContentItem, Entry } from './entry.js';
import { readDecodedPage } from './tree.js';

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
    let taken = 0;
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const { chunk } = step;
      if (!visitor.see('tree', chunk) && !attributes.delete(chunk.id)) continue;
      const plain = await visitor.read(chunk);
      const waiting = steps.length;
      if (step.kind === 'tree') takeTree(step, plain, { visitor, steps, attributes });
      else takeList(step, plain, { visitor, steps, attributes });
      // What was named first is taken first: that is the order in which it was stored.
      for (let from = waiting, to = steps.length - 1; from < to; from++, to--) {
        [steps[from], steps[to]] = [steps[to]!, steps[from]!];
      }
      if (++taken % STEPS_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
}

/** Visits all that one root tree reaches. */
export const walkReachable: WalkTrees = (root, visitor) => treeWalk()(root, visitor);

interface Walk {
  readonly visitor: ReachVisitor;
  readonly steps: Step[];
  readonly attributes: Set<ChunkId>;
}

function takeTree({ mostLevel }: Step, plain: Uint8Array, walk: Walk): void {
  const page = readDecodedPage(plain, 'tree');
  if (page.level > mostLevel) throw new FormatError('tree: pages are nested wrongly');
  if ('entries' in page) for (const entry of page.entries) takeEntry(entry, walk);
  else
    for (const below of page.pages)
      walk.steps.push({ kind: 'tree', chunk: below, mostLevel: page.level - 1 });
}

function takeEntry({ content, tree, xattrs }: Entry, walk: Walk): void {
  if (xattrs !== undefined) {
    for (const { value } of xattrs) {
      if (!(value instanceof Uint8Array) && walk.visitor.see('tree', value)) walk.attributes.add(value.id);
    }
  }
  if (tree !== undefined) walk.steps.push({ kind: 'tree', chunk: tree, mostLevel: MOST_LEVEL });
  if (content === undefined) return;
  if (content.kind === 'items') takeItems(content.items, walk);
  else walk.steps.push({ kind: 'list', chunk: content.root, mostLevel: MOST_LEVEL });
}

function takeList({ mostLevel }: Step, plain: Uint8Array, walk: Walk): void {
  const page = readListPage(plain, 'content list');
  if (page.level > mostLevel) throw new FormatError('content list: pages are nested wrongly');
  if ('items' in page) takeItems(page.items, walk);
  else
    for (const below of page.pages)
      walk.steps.push({ kind: 'list', chunk: below, mostLevel: page.level - 1 });
}

function takeItems(items: readonly ContentItem[], { visitor }: Walk): void {
  for (const item of items) if (item.id !== undefined) visitor.see('data', item);
}
