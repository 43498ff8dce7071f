import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What has to come back from a golden repository: its expected.json, explained in README.md. */

export interface Facts {
  readonly type: string;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** Seconds and nanoseconds. */
  readonly mtime: readonly [number, number];
  readonly size?: number;
  readonly sha256?: string;
  readonly target?: string;
  readonly device?: string;
  readonly sameAs?: string;
  readonly xattrs?: Readonly<Record<string, string>>;
  readonly flags?: string;
}

/** By path of raw bytes (latin1), without a leading slash. */
export type Tree = Readonly<Record<string, Facts>>;

type Fields = Readonly<Record<string, unknown>>;

interface StoredTree {
  readonly like?: string;
  readonly without?: readonly string[];
  readonly entries: Tree;
}

export interface Expected {
  readonly passwords: readonly string[];
  /** As `cbr snapshots --json` tells them. */
  readonly snapshots: readonly (Fields & { readonly snapshot: string })[];
  /** As `cbr unforget --json` tells them. */
  readonly forgotten: readonly (Fields & { readonly snapshot: string })[];
  /** Of those the one that can be brought back. */
  readonly restorable: string;
  /** As `cbr policy show --json` tells it. */
  readonly policy: Fields;
  readonly trees: Readonly<Record<string, StoredTree>>;
}

export function readExpected(folder: string): Expected {
  return JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected;
}

/** The whole tree of a snapshot, which is stored as the difference to another one. */
export function treeOf(expected: Expected, id: string): Tree {
  const { like, without = [], entries } = expected.trees[id]!;
  const tree: Record<string, Facts> = like === undefined ? {} : { ...treeOf(expected, like) };
  for (const path of without) delete tree[path];
  return { ...tree, ...entries };
}
