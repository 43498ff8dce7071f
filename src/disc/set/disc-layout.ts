import { SHA256SUMS_FILE } from '../checksums.js';
import { LABEL_FILE } from '../label.js';
import type { MappedFile } from '../xorriso/image-writer.js';
import type { DiscFile } from './disc-file.js';
import { segmentBounds } from './index-bound.js';
import type { DiscDraft, PlanPack } from './plan-discs.js';

/** All files of a disc by path and size, before any of them is made. Pure. */

export const README_FILE = 'README.txt';
const READER_FILE = 'restore/cbr-restore.mjs';
/** For those who have the disc and no program that runs any more. */
const FORMAT_FILE = 'restore/format.md';

/** Where the files are by which a disc is read without cbr: absolute paths. */
export interface RestoreSources {
  /** The program that restores. */
  readonly reader: string;
  /** The description of the format. */
  readonly format: string;
}

export function restoreFiles({ reader, format }: RestoreSources): readonly MappedFile[] {
  return [
    { from: reader, to: READER_FILE },
    { from: format, to: FORMAT_FILE },
  ];
}

/** Files of a disc that are no objects, and not the list of checksums. */
export const FILES_BESIDE: readonly string[] = [LABEL_FILE, README_FILE, READER_FILE, FORMAT_FILE];

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
