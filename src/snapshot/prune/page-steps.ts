import { FormatError } from '../../core/index.js';
import type { Reference } from '../../repo/index.js';
import { readListPage } from '../content-list.js';
import type { ContentItem } from '../entry.js';
import { type NamedByTree, readTreeReferences } from './page-references.js';

/** The steps of a walk through trees: each takes one page, and tells what it names. */

/** Pages are nested no deeper than this (docs/format.md, "Tree" and "Content list"). */
const MOST_LEVEL = 8;

/** A page that is still to be read. */
export interface Step {
  readonly kind: 'tree' | 'list';
  readonly chunk: Reference;
  readonly mostLevel: number;
}

/** Is told what pages name, in their order. */
export interface StepTaker {
  step(next: Step): void;
  attribute(value: Reference): void;
  /** Content of a file. */
  content(chunk: Reference): void;
}

export function rootStep(root: Reference): Step {
  return { kind: 'tree', chunk: root, mostLevel: MOST_LEVEL };
}

/** Reads the page of a step from its plain bytes. Strict: rejects with FormatError what is not understood. */
export function pageReader(taker: StepTaker): (step: Step, plain: Uint8Array) => void {
  const content = (item: ContentItem): void => {
    if (item.id !== undefined) taker.content(item);
  };
  const named: NamedByTree = {
    page: (chunk, mostLevel) => taker.step({ kind: 'tree', chunk, mostLevel }),
    tree: (chunk) => taker.step(rootStep(chunk)),
    list: (chunk) => taker.step({ kind: 'list', chunk, mostLevel: MOST_LEVEL }),
    attribute: (value) => taker.attribute(value),
    content,
  };
  return ({ kind, mostLevel }, plain) => {
    if (kind === 'tree') {
      readTreeReferences(plain, mostLevel, named);
      return;
    }
    const page = readListPage(plain, 'content list');
    if (page.level > mostLevel) throw new FormatError('content list: pages are nested wrongly');
    if ('items' in page) for (const item of page.items) content(item);
    else for (const chunk of page.pages) taker.step({ kind: 'list', chunk, mostLevel: page.level - 1 });
  };
}
