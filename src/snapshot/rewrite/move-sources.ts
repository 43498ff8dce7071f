import { CbrError } from '../../core/index.js';
import { displayPath, joinRaw, parentPath, type RawPath } from '../../fs/index.js';
import type { ReadTreeChunk, StoreTreeChunk } from '../content-list.js';
import type { ChunkReference, Entry, TimeStamp } from '../entry.js';
import { encodeEntry, readTree, storeTree } from '../tree.js';

/** What was at `from`, a source or a folder above sources, is to be at `to`. */
export interface Move {
  readonly from: RawPath;
  readonly to: RawPath;
}

export function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`);
}

function movedBy(path: RawPath, { from, to }: Move): RawPath {
  if (!isAtOrBelow(path, from)) return path;
  const rest = path.slice(from === '/' ? 0 : from.length);
  const moved = rest === '/' ? to : `${to === '/' ? '' : to}${rest}`;
  return (moved === '' ? '/' : moved) as RawPath;
}

/** Where moves, one after the other, take a path. */
export function movedPath(path: string, moves: readonly Move[]): string {
  return moves.reduce<RawPath>(movedBy, path as RawPath);
}

/**
 * The source paths after each of the moves. Rejects with `usage` when one moves nothing, or into a source or onto another one:
 * what is there already is never mixed with what comes.
 */
export function movedSources(paths: readonly string[], moves: readonly Move[]): readonly string[] {
  return moves.reduce((now, move) => {
    const { from, to } = move;
    const staying = now.filter((path) => !isAtOrBelow(path, from));
    if (staying.length === now.length) {
      const known = now.map(displayPath).join(', ');
      throw refused(move, `${displayPath(from)} is neither a source nor a folder above one (${known})`);
    }
    const other = staying.find((path) => isAtOrBelow(to, path) || isAtOrBelow(path, to));
    if (other !== undefined) throw refused(move, `the source ${displayPath(other)} is in the way`);
    return now.map((path) => movedBy(path as RawPath, move)).sort();
  }, paths);
}

function refused({ from, to }: Move, why: string): CbrError {
  return new CbrError('usage', `cannot move ${displayPath(from)} to ${displayPath(to)}: ${why}`, {
    hint: 'Sources move whole, to where nothing else is.',
  });
}

export interface MoveParts {
  readonly read: ReadTreeChunk;
  readonly put: StoreTreeChunk;
  /** What folders that nothing is known of get as their time. */
  readonly time: TimeStamp;
}

/**
 * The root tree after the moves, of sources that `movedSources` lets through. Only folders above the sources are read and stored
 * anew; those on the way to where something goes keep their attributes if they were there before.
 */
export async function moveSources(
  root: ChunkReference,
  sources: readonly string[],
  moves: readonly Move[],
  its: MoveParts,
): Promise<ChunkReference> {
  const top = await readWay({ entry: undefined, tree: root }, '/' as RawPath, new WaysTo(sources), its.read);
  return storeNode(moves.reduce(moved, top), its);
}

/** What is at a path: a folder on the way to sources has children; all else is as it was stored. */
interface Node {
  /** The root, and folders that were not there, have none. */
  readonly entry: Entry | undefined;
  readonly tree?: ChunkReference | undefined;
  readonly children?: Map<string, Node>;
  /** A folder that had nothing in it from the start is no left-over of a move. */
  readonly wasEmpty?: boolean;
}

/** The folders above sources. */
class WaysTo {
  private readonly ways = new Set<string>();

  constructor(sources: readonly string[]) {
    for (const source of sources) {
      for (let path = source as RawPath; path !== '/'; ) {
        path = parentPath(path);
        this.ways.add(path);
      }
    }
    for (const source of sources) this.ways.delete(source);
  }

  has(path: RawPath): boolean {
    return this.ways.has(path);
  }
}

async function readWay(node: Node, path: RawPath, ways: WaysTo, read: ReadTreeChunk): Promise<Node> {
  if (node.tree === undefined || !ways.has(path)) return node;
  const children = new Map<string, Node>();
  for (const entry of await readTree(node.tree, read)) {
    const child = { entry, tree: entry.tree };
    children.set(entry.name, await readWay(child, joinRaw(path, entry.name), ways, read));
  }
  return { ...node, children, wasEmpty: children.size === 0 };
}

/** The root after one move; what it was is changed. */
function moved(root: Node, move: Move): Node {
  const node = takeOut(root, namesOf(move.from));
  if (node === undefined) return root;
  if (move.to === '/') {
    if (node.tree === undefined && node.children === undefined) throw refused(move, 'it is no folder');
    if (node !== root && !isLeftOver(root)) throw refused(move, 'there is something else in the root');
    return { ...node, entry: undefined };
  }
  const top: Node = node === root ? { entry: undefined, children: new Map() } : root;
  putIn(top, namesOf(move.to), node, move);
  return top;
}

/** Undefined for a source that was missing when the snapshot was taken. */
function takeOut(root: Node, names: readonly string[]): Node | undefined {
  let at: Node = root;
  for (const [depth, name] of names.entries()) {
    const next = at.children?.get(name);
    if (next === undefined) return undefined;
    if (depth === names.length - 1) at.children!.delete(name);
    at = next;
  }
  return at;
}

function putIn(root: Node, names: readonly string[], node: Node, move: Move): void {
  let at = root;
  for (const [depth, name] of names.entries()) {
    const { children } = at;
    if (children === undefined) throw refused(move, 'what is there is no folder above sources');
    const isLast = depth === names.length - 1;
    const there = children.get(name);
    if (isLast && there !== undefined && !isLeftOver(there))
      throw refused(move, 'something is there already');
    const next = isLast ? node : (there ?? { entry: undefined, children: new Map() });
    children.set(name, next);
    at = next;
  }
}

/** A folder that was only the way to what has moved. */
function isLeftOver({ children, wasEmpty }: Node): boolean {
  return children !== undefined && wasEmpty !== true && [...children.values()].every(isLeftOver);
}

function storeNode({ tree, children }: Node, its: MoveParts): ChunkReference {
  if (children === undefined) return tree!;
  const kept = [...children].filter(([, child]) => !isLeftOver(child));
  kept.sort(([a], [b]) => (a < b ? -1 : 1));
  const entries = kept.map(([name, child]) => {
    const { entry } = child;
    if (entry !== undefined && entry.tree === undefined) return encodeEntry({ ...entry, name });
    const below = storeNode(child, its);
    return encodeEntry(entry === undefined ? newFolder(name, below, its) : { ...entry, name, tree: below });
  });
  return storeTree(entries, its.put);
}

/** What everybody may enter and only root may change. */
function newFolder(name: string, tree: ChunkReference, { time }: MoveParts): Entry {
  return { name, type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: time, tree };
}

function namesOf(path: RawPath): string[] {
  return path.split('/').filter((name) => name !== '');
}
