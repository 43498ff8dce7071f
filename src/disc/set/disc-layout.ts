import { SHA256SUMS_FILE } from '../checksums.js';
import { LABEL_FILE } from '../label.js';
import type { DiscFile } from './disc-file.js';
import { segmentBounds } from './index-bound.js';
import type { DiscDraft, PlanPack } from './plan-discs.js';

/** All files of a disc by path and size, before any of them is made. Pure. */

export const README_FILE = 'README.txt';
export const READER_FILE = 'restore/cbr-restore.mjs';

/** The path of a pack on a disc, as everywhere in a repository. */
export function packPath(name: string): string {
  return `packs/${name.slice(0, 2)}/${name}`;
}

export interface LayoutFacts {
  /** Files that are on every disc of the build, as large as they can become. */
  readonly shared: readonly DiscFile[];
  /** All packs that the snapshots need, tree packs among them: what the whole index lists. */
  readonly indexed: readonly PlanPack[];
  readonly isPadded: boolean;
  /** Bytes, at most. */
  readonly labelBytes: number;
}

/** Bytes that a README has at most. */
const README_BYTES = 6000;
/** Hexadecimal digits, two spaces and an end of line. */
const SUM_BYTES = 67;

export function layoutOf(draft: DiscDraft, facts: LayoutFacts): DiscFile[] {
  const { shared, indexed, isPadded, labelBytes } = facts;
  const packs = [...draft.data, ...draft.tree];
  const segments = segmentBounds(draft.index === 'all' ? indexed : packs, isPadded);
  const files: DiscFile[] = [
    ...shared,
    { to: LABEL_FILE, size: labelBytes },
    { to: README_FILE, size: README_BYTES },
    // Their names are digests: others of the same length.
    ...segments.map((size, i) => ({ to: `index/${String(i).padStart(64, '0')}`, size })),
    ...packs.map(({ name, size }) => ({ to: packPath(name), size })),
  ];
  const sums = files.reduce((sum, { to }) => sum + SUM_BYTES + to.length, 0);
  return [...files, { to: SHA256SUMS_FILE, size: sums }];
}
