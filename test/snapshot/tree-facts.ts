import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { raw } from './source-tree.js';

/** What a tree is, told by nothing that cbr is made of: Node's own calls, lsattr and rsync. */

/** One line for each entry: path -> all that must be the same after a restore, in words. */
export type Facts = Readonly<Record<string, string>>;

/** Content of a sparse file is at most so much larger after a restore: small holes are filled. */
const SPARSE_SLACK = 128 * 1024;

interface Walked {
  readonly path: string;
  readonly stats: BigIntStats;
  /** What cannot be told by stat. */
  readonly detail: string;
}

/** All facts of the tree below (and of) a folder. Paths may be of any length. */
export function factsOf(root: string): Facts {
  const entries: Walked[] = [];
  walk(root, '.', entries);
  const flags = flagsOf(root, entries);
  const firstNames = new Map<bigint, string>();
  const facts: Record<string, string> = {};
  for (const { path, stats, detail } of entries) {
    const isFolder = stats.isDirectory();
    const words = [
      stats.mode.toString(8),
      `${stats.uid}:${stats.gid}`,
      `mtime ${stats.mtimeNs}`,
      ...(isFolder ? [] : [`names ${stats.nlink}`, `size ${stats.size}`]),
      ...(stats.isBlockDevice() || stats.isCharacterDevice() ? [`device ${stats.rdev}`] : []),
      detail,
      flags.get(path) ?? '',
    ];
    if (!isFolder && stats.nlink > 1n) {
      const first = firstNames.get(stats.ino) ?? path;
      firstNames.set(stats.ino, first);
      words.push(`same as ${first}`);
    }
    facts[path] = words.join(' | ');
  }
  return facts;
}

/** Raw paths of all entries, relative to the root and sorted, `.` first. */
export function pathsOf(root: string): string[] {
  const entries: Walked[] = [];
  walk(root, '.', entries, false);
  return entries.map(({ path }) => path);
}

/** Bytes on the disk of each regular file. */
export function allocatedBytes(root: string): ReadonlyMap<string, number> {
  const entries: Walked[] = [];
  walk(root, '.', entries, false);
  return new Map(
    entries
      .filter(({ stats }) => stats.isFile())
      .map(({ path, stats }) => [path, Number(stats.blocks) * 512]),
  );
}

/** Files of `restored` that take clearly more room than in `source`: their holes were filled. */
export function filledHoles(source: string, restored: string): string[] {
  const before = allocatedBytes(source);
  return [...allocatedBytes(restored)]
    .filter(([path, bytes]) => bytes > (before.get(path) ?? 0) + SPARSE_SLACK)
    .map(([path, bytes]) => `${path}: ${before.get(path)} -> ${bytes}`);
}

function walk(folder: string, relative: string, into: Walked[], withContent = true): void {
  const fd = openSync(raw(folder), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const here = `/proc/self/fd/${fd}`;
    if (relative === '.')
      into.push({ path: '.', stats: lstatSync(`${here}/.`, { bigint: true }), detail: '' });
    for (const name of readdirSync(here, 'latin1').sort()) {
      const path = raw(`${here}/${name}`);
      const stats = lstatSync(path, { bigint: true });
      const detail = withContent ? detailOf(path, stats) : '';
      into.push({ path: `${relative}/${name}`, stats, detail });
      if (stats.isDirectory()) walk(`${here}/${name}`, `${relative}/${name}`, into, withContent);
    }
  } finally {
    closeSync(fd);
  }
}

function detailOf(path: Buffer, stats: BigIntStats): string {
  if (stats.isSymbolicLink()) return `-> ${readlinkSync(path, 'latin1')}`;
  return stats.isFile() ? `content ${contentDigest(path)}` : '';
}

const buffer = Buffer.allocUnsafe(2 ** 20);

function contentDigest(path: Buffer): string {
  const hash = createHash('sha256');
  const fd = openSync(path, 'r');
  try {
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer))
      hash.update(buffer.subarray(0, read));
    return hash.digest('hex').slice(0, 16);
  } finally {
    closeSync(fd);
  }
}

/** Letters of lsattr for files and folders whose path it can take; none where the file system has no flags. */
function flagsOf(root: string, entries: readonly Walked[]): Map<string, string> {
  const asked = entries.filter(
    ({ path, stats }) => (stats.isFile() || stats.isDirectory()) && root.length + path.length < 4000,
  );
  const input = raw(asked.map(({ path }) => `${path}\0`).join(''));
  const found = new Map<string, string>();
  let output: string;
  try {
    output = execFileSync('xargs', ['-0', 'lsattr', '-d', '--'], {
      cwd: root,
      input,
      encoding: 'latin1',
      stdio: ['pipe', 'pipe', 'ignore'],
      maxBuffer: 2 ** 28,
      env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' },
    });
  } catch {
    return found; // no flags on this file system
  }
  let at = 0;
  for (const { path } of asked) {
    const space = output.indexOf(' ', at);
    if (!output.startsWith(`${path}\n`, space + 1)) throw new Error(`lsattr said nothing of ${path}`);
    // How the file system lays content out is its own affair.
    found.set(path, `flags ${output.slice(at, space).replace(/[-eIENV]/g, '')}`);
    at = space + path.length + 2;
  }
  return found;
}

/** What rsync would change to make `restored` equal to `source`; empty when it finds no difference. */
export function rsyncDifferences(source: string, restored: string): string {
  const options = ['-aHAX', '--checksum', '--dry-run', '--itemize-changes', '--delete'];
  return execFileSync('rsync', [...options, `${source}/`, `${restored}/`], {
    encoding: 'latin1',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
  });
}
