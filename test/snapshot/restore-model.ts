import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { OverwriteRule } from '../../dist/snapshot/index.js';
import { runScript } from './source-tree.js';

/** What a restore into a target that is not empty has to do, as a model that is told by nothing of cbr. */

export interface ModelFolder {
  readonly kind: 'folder';
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly children: ReadonlyMap<string, ModelNode>;
}

export type ModelLeaf = { readonly mode: number; readonly mtime: number } & (
  | { readonly kind: 'file'; readonly content: string }
  | { readonly kind: 'symlink'; readonly to: string }
  | { readonly kind: 'fifo' }
);

export type ModelNode = ModelFolder | ModelLeaf;

/** Few of each, so that the two trees of a case often meet. */
const name = fc.constantFrom('a', 'b', 'c', 'd');
const mtime = fc.constantFrom(1_000_000_000, 1_100_000_000, 1_200_000_000);
const content = fc.constantFrom('', 'one', 'two', 'longer', 'x'.repeat(9000), `${'x'.repeat(8999)}y`);

const leaf: fc.Arbitrary<ModelLeaf> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('file' as const),
      mode: fc.constantFrom(0o644, 0o600, 0o755),
      mtime,
      content,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('symlink' as const),
      mode: fc.constant(0o777),
      mtime,
      to: fc.constantFrom('a', '/nowhere', '..'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('fifo' as const), mode: fc.constantFrom(0o644, 0o600), mtime }),
  },
);

const { folder } = fc.letrec<{ folder: ModelFolder; node: ModelNode }>((tie) => ({
  node: fc.oneof({ maxDepth: 3 }, { weight: 3, arbitrary: leaf }, { weight: 2, arbitrary: tie('folder') }),
  folder: fc
    .record({
      mode: fc.constantFrom(0o755, 0o700),
      mtime,
      children: fc.uniqueArray(fc.tuple(name, tie('node')), { maxLength: 4, selector: ([each]) => each }),
    })
    .map((made) => ({ kind: 'folder' as const, ...made, children: new Map(made.children) })),
}));

export const modelTree: fc.Arbitrary<ModelFolder> = folder;

/** One folder that holds them all. */
export function besideEachOther(trees: readonly ModelFolder[]): ModelFolder {
  const children = new Map(trees.map((tree, i) => [`case ${i}`, tree]));
  return { kind: 'folder', mode: 0o755, mtime: 1_000_000_000, children };
}

export function buildModel(at: string, tree: ModelFolder): void {
  const times: string[] = [];
  build(at, tree, times);
  runScript('/', times);
}

function build(at: string, node: ModelNode, times: string[]): void {
  if (node.kind === 'folder') {
    mkdirSync(at, { recursive: true });
    for (const [each, below] of node.children) build(join(at, each), below, times);
  } else if (node.kind === 'file') writeFileSync(at, node.content);
  else if (node.kind === 'symlink') symlinkSync(node.to, at);
  else execFileSync('mkfifo', [at]);
  if (node.kind !== 'symlink') chmodSync(at, node.mode);
  times.push(`touch -h -d @${node.mtime} '${at}'`);
}

export interface ModelOutcome {
  readonly tree: ModelFolder;
  /** Paths of folders whose time nobody promises: things were made or deleted in a folder that is left alone. */
  readonly timeless: ReadonlySet<string>;
  readonly isLost: boolean;
}

/** What the target is afterwards. */
export function modelRestore(
  source: ModelFolder,
  target: ModelFolder,
  rule: OverwriteRule,
  deletes: boolean,
): ModelOutcome {
  const asked = new ModelRestore(rule, deletes);
  const tree = asked.merge(source, target, '.');
  if (!asked.isLost || !deletes) return { tree, timeless: asked.timeless, isLost: asked.isLost };
  // What cannot be restored whole deletes nothing.
  return { ...modelRestore(source, target, rule, false), isLost: true };
}

class ModelRestore {
  isLost = false;
  readonly timeless = new Set<string>();

  constructor(
    private readonly rule: OverwriteRule,
    private readonly deletes: boolean,
  ) {}

  merge(source: ModelFolder, target: ModelFolder, path: string): ModelFolder {
    const children = new Map<string, ModelNode>();
    for (const [each, node] of target.children) {
      if (!source.children.has(each) && !this.deletes) children.set(each, node);
    }
    for (const [each, node] of source.children) {
      children.set(each, this.place(node, target.children.get(each), `${path}/${each}`));
    }
    const isSet = this.gives(source, target);
    if (!isSet) this.timeless.add(path);
    const { mode, mtime: time } = isSet ? source : target;
    return { kind: 'folder', mode, mtime: time, children };
  }

  private place(node: ModelNode, there: ModelNode | undefined, path: string): ModelNode {
    if (there === undefined) return node;
    if (node.kind === 'folder') {
      if (there.kind === 'folder') return this.merge(node, there, path);
      if (this.gives(node, there)) return node;
      this.isLost = true;
      return there;
    }
    if (!this.gives(node, there)) return there;
    if (there.kind === 'folder') {
      if (there.children.size === 0 || this.deletes) return node;
      this.isLost = true;
      return there;
    }
    const isTrusted = this.rule.overwrite === 'if-changed' && !this.rule.compareContent;
    if (node.kind === 'file' && there.kind === 'file' && isTrusted) {
      const isRight = node.content.length === there.content.length && node.mtime === there.mtime;
      if (isRight) return { ...node, content: there.content };
    }
    return node;
  }

  private gives(node: ModelNode, there: ModelNode): boolean {
    if (this.rule.overwrite === 'never') return false;
    return this.rule.overwrite !== 'if-newer' || node.mtime > there.mtime;
  }
}

/** A line for each entry of a model. */
export function modelFacts({ tree, timeless }: Pick<ModelOutcome, 'tree' | 'timeless'>): readonly string[] {
  const lines: string[] = [];
  const walk = (node: ModelNode, path: string): void => {
    const time = timeless.has(path) ? 'any' : node.mtime;
    if (node.kind === 'folder') {
      lines.push(`${path}: folder ${node.mode.toString(8)} ${time}`);
      for (const [each, below] of [...node.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
        walk(below, `${path}/${each}`);
      }
    } else lines.push(`${path}: ${leafFacts(node, node.mode, node.mtime)}`);
  };
  walk(tree, '.');
  return lines;
}

/** The same of what lies on the disk. */
export function foundFacts(root: string, timeless: ReadonlySet<string>): readonly string[] {
  const lines: string[] = [];
  const walk = (path: string): void => {
    const at = join(root, path);
    const stats = lstatSync(at);
    const time = stats.mtimeMs / 1000;
    const mode = stats.mode & 0o7777;
    if (stats.isDirectory()) {
      lines.push(`${path}: folder ${mode.toString(8)} ${timeless.has(path) ? 'any' : time}`);
      for (const each of readdirSync(at).sort()) walk(`${path}/${each}`);
    } else if (stats.isSymbolicLink()) {
      lines.push(
        `${path}: ${leafFacts({ kind: 'symlink', mode, mtime: time, to: readlinkSync(at) }, mode, time)}`,
      );
    } else if (stats.isFIFO())
      lines.push(`${path}: ${leafFacts({ kind: 'fifo', mode, mtime: time }, mode, time)}`);
    else {
      const text = readFileSync(at, 'latin1');
      lines.push(`${path}: ${leafFacts({ kind: 'file', mode, mtime: time, content: text }, mode, time)}`);
    }
  };
  walk('.');
  return lines;
}

function leafFacts(node: ModelLeaf, mode: number, time: number): string {
  const about =
    node.kind === 'file'
      ? `${node.content.length} ${node.content.slice(0, 8)}...${node.content.slice(-1)}`
      : node.kind === 'symlink'
        ? node.to
        : '';
  return `${node.kind} ${mode.toString(8)} ${time} ${about}`;
}
