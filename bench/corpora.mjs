/** Makes the corpora of the benchmark, once, under a cache folder outside the checkout. */
import { execFileSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const CORPUS_NAMES = /** @type {const} */ (['tree', 'big', 'vers']);

const TREE_FILES = 100_000;
const TAR_BYTES = 1_070_000_000;
const RANDOM_BYTES = 420_000_000;
const TYPESCRIPT_VERSIONS = [
  ...['5.0.4', '5.1.6', '5.2.2', '5.3.3', '5.4.5'],
  ...['5.5.4', '5.6.3', '5.7.3', '5.8.3', '5.9.3'],
];

/**
 * The corpus of that name: made if it is not there yet.
 * @param {string} cache @param {(typeof CORPUS_NAMES)[number]} name
 * @returns {{name: string, path: string, files: number, bytes: number, content: string}}
 */
export function corpus(cache, name) {
  const path = join(cache, 'corpora', name);
  const notes = `${path}.json`;
  if (!existsSync(notes)) {
    console.log(`making the corpus ${name} in ${path}`);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
    const content = { tree: makeTree, big: makeBig, vers: makeVersions }[name](path, cache);
    writeFileSync(`${notes}.new`, JSON.stringify({ ...measureFolder(path), content }));
    renameSync(`${notes}.new`, notes);
  }
  return { name, path, ...JSON.parse(readFileSync(notes, 'utf8')) };
}

/**
 * Regular files below a folder, and the sum of their lengths.
 * @param {string} folder
 */
export function measureFolder(folder) {
  let files = 0;
  let bytes = 0;
  const pending = [folder];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const entry of readdirSync(next, { withFileTypes: true })) {
      const path = join(next, entry.name);
      if (entry.isDirectory()) pending.push(path);
      else if (entry.isFile()) {
        files++;
        bytes += statSync(path).size;
      }
    }
  }
  return { files, bytes };
}

/** Folders of a usual machine with many small files, in the order in which they are taken until there are enough. */
function treeCandidates() {
  const versions = join(homedir(), '.pyenv/versions');
  const pythons = existsSync(versions)
    ? readdirSync(versions)
        .map((version) => join(versions, version, 'lib'))
        .filter((path) => existsSync(path))
        .map((path) => ({ path, files: measureFolder(path).files }))
        .sort((a, b) => b.files - a.files)
        .map(({ path }) => path)
    : [];
  const checkout = fileURLToPath(new URL('..', import.meta.url));
  return [
    ...['/usr/share', '/usr/include'],
    ...pythons,
    ...['/usr/lib/python3', '/usr/lib/node_modules', '/usr/local', join(checkout, 'node_modules')],
    ...['/usr/lib', '/opt', '/usr/src', '/var/lib'],
  ].filter((path) => existsSync(path));
}

/** @param {string} path */
function makeTree(path) {
  const taken = [];
  let files = 0;
  for (const candidate of treeCandidates()) {
    const into = join(path, candidate);
    mkdirSync(join(into, '..'), { recursive: true });
    execFileSync('cp', ['-a', candidate, into]);
    files += measureFolder(into).files;
    taken.push(candidate);
    if (files >= TREE_FILES) return `copies of ${taken.join(', ')}`;
  }
  return `copies of ${taken.join(', ')}; this machine has fewer than ${TREE_FILES} files to offer`;
}

/** @param {string} path @param {string} cache */
function makeBig(path, cache) {
  const tree = corpus(cache, 'tree').path;
  const listed = execFileSync('find', ['.', '-type', 'f', '-printf', '%s %p\\0'], {
    cwd: tree,
    maxBuffer: 2 ** 30,
    encoding: 'latin1',
  });
  const entries = listed
    .split('\0')
    .filter(Boolean)
    .map((line) => ({ size: Number.parseInt(line, 10), name: line.slice(line.indexOf(' ') + 1) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = [];
  let bytes = 0;
  for (const { name, size } of entries) {
    if (bytes >= TAR_BYTES) break;
    names.push(name);
    bytes += 512 + Math.ceil(size / 512) * 512;
  }
  execFileSync('tar', ['--null', '--no-recursion', '-T', '-', '-cf', join(path, 'tree.tar')], {
    cwd: tree,
    input: Buffer.from(names.join('\0'), 'latin1'),
  });
  writeRandom(join(path, 'random.bin'), RANDOM_BYTES);
  return 'one tar of files of tree, and a second file of random bytes';
}

/** The same bytes on every machine, and incompressible. @param {string} path @param {number} length */
function writeRandom(path, length) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16));
  const zeros = Buffer.alloc(10_000_000);
  const file = openSync(path, 'w');
  for (let left = length; left > 0; left -= zeros.length) {
    writeSync(file, cipher.update(zeros.subarray(0, Math.min(left, zeros.length))));
  }
  closeSync(file);
}

/** @param {string} path */
function makeVersions(path) {
  for (const version of TYPESCRIPT_VERSIONS) {
    const folder = join(path, version);
    mkdirSync(folder);
    execFileSync('npm', ['pack', '--silent', `typescript@${version}`], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const tar = join(folder, `typescript-${version}.tgz`);
    execFileSync('tar', ['-xzf', tar, '--strip-components=1'], { cwd: folder });
    rmSync(tar);
  }
  return `typescript ${TYPESCRIPT_VERSIONS.join(', ')} from npm, unpacked`;
}
