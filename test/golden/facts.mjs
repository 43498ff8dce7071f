import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * What a tree is, told by Node's own calls, getfattr and lsattr: for expected.json, and for what is restored. Names and link
 * targets are raw bytes as latin1 text. Called as a program it prints the facts below its first argument as JSON.
 */

const raw = (text) => Buffer.from(text, 'latin1');

const TYPES = [
  ['isFile', 'file'],
  ['isDirectory', 'folder'],
  ['isSymbolicLink', 'symlink'],
  ['isFIFO', 'fifo'],
  ['isSocket', 'socket'],
  ['isCharacterDevice', 'character device'],
  ['isBlockDevice', 'block device'],
];

/** Name spaces that a snapshot keeps for every user: others depend on the machine. */
const KEPT_XATTRS = /^(user\.|trusted\.|system\.posix_acl_)/;

/**
 * By path relative to `root` (`/` or a folder, `.` is itself left out): all entries at and below the paths `starts`, and the
 * folders above them.
 */
export function factsOf(root, starts) {
  const paths = new Set();
  for (const start of starts) {
    const names = start.split('/').filter((name) => name !== '');
    for (let i = 1; i <= names.length; i++) paths.add(names.slice(0, i).join('/'));
    gather(root, names.join('/'), paths);
  }
  const sorted = [...paths].sort();
  const xattrs = xattrsOf(root, sorted);
  const flags = flagsOf(root, sorted);
  const firstNames = new Map();
  return Object.fromEntries(
    sorted.map((path) => {
      const stats = lstatSync(raw(`${root}/${path}`), { bigint: true });
      const type = TYPES.find(([is]) => stats[is]())[1];
      const facts = {
        type,
        mode: (Number(stats.mode) & 0o7777).toString(8).padStart(4, '0'),
        uid: Number(stats.uid),
        gid: Number(stats.gid),
        // Seconds since 1970, rounded down, and nanoseconds.
        mtime: [Number(BigInt.asIntN(64, floorDivide(stats.mtimeNs))), Number(modulo(stats.mtimeNs))],
      };
      if (type === 'file') Object.assign(facts, { size: Number(stats.size), ...digestOf(`${root}/${path}`) });
      if (type === 'symlink') facts.target = readlinkSync(raw(`${root}/${path}`), 'latin1');
      if (type.endsWith('device')) facts.device = deviceText(stats.rdev);
      if (type !== 'folder' && stats.nlink > 1n) {
        const first = firstNames.get(stats.ino) ?? path;
        firstNames.set(stats.ino, first);
        facts.sameAs = first;
      }
      if (xattrs.has(path)) facts.xattrs = xattrs.get(path);
      if (flags.has(path)) facts.flags = flags.get(path);
      return [path, facts];
    }),
  );
}

/** Nothing of what this user may not read. */
function digestOf(path) {
  try {
    return {
      sha256: createHash('sha256')
        .update(readFileSync(raw(path)))
        .digest('hex'),
    };
  } catch (error) {
    if (error.code !== 'EACCES') throw error;
    return {};
  }
}

const BILLION = 1_000_000_000n;
const modulo = (ns) => ((ns % BILLION) + BILLION) % BILLION;
const floorDivide = (ns) => (ns - modulo(ns)) / BILLION;

/** As the kernel packs it. */
function deviceText(rdev) {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

function gather(root, path, into) {
  if (path !== '') into.add(path);
  if (!lstatSync(raw(`${root}/${path}`)).isDirectory()) return;
  for (const name of readdirSync(raw(`${root}/${path}`), 'latin1')) {
    gather(root, path === '' ? name : `${path}/${name}`, into);
  }
}

/** What a tool says of the paths, run in `root`; empty when it fails for any of them. */
function said(root, words, paths) {
  if (paths.length === 0) return '';
  try {
    return execFileSync('xargs', ['-0', ...words, '--'], {
      cwd: root,
      input: raw(paths.map((path) => `./${path}\0`).join('')),
      encoding: 'latin1',
      maxBuffer: 2 ** 26,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' },
    });
  } catch {
    return '';
  }
}

/** Values in hexadecimal, by name. getfattr writes unusual bytes of paths as \ooo. */
function xattrsOf(root, paths) {
  const found = new Map();
  for (const part of said(root, ['getfattr', '-h', '-d', '-m', '-', '-e', 'hex'], paths).split('\n\n')) {
    const [title, ...lines] = part.split('\n').filter((line) => line !== '');
    if (title === undefined) continue;
    const path = title
      .replace(/^# file: (\.\/)?/, '')
      .replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    const values = lines
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 3)])
      .filter(([name]) => KEPT_XATTRS.test(name))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    if (values.length > 0) found.set(path, Object.fromEntries(values));
  }
  return found;
}

/** lsattr opens what it tells of. */
function isReadable(path) {
  try {
    accessSync(raw(path), constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Letters of lsattr, but those that tell how a file system lays out content. */
function flagsOf(root, paths) {
  const asked = paths.filter((path) => {
    const stats = lstatSync(raw(`${root}/${path}`));
    return (stats.isFile() || stats.isDirectory()) && isReadable(`${root}/${path}`);
  });
  const found = new Map();
  const output = said(root, ['lsattr', '-d'], asked);
  let at = 0;
  for (const path of asked) {
    const space = output.indexOf(' ', at);
    if (space < 0 || !output.startsWith(`./${path}\n`, space + 1)) break;
    const letters = output.slice(at, space).replace(/[-eIENV]/g, '');
    if (letters !== '') found.set(path, letters);
    at = space + path.length + 4;
  }
  return found;
}

if (process.argv[1] === import.meta.filename) {
  const [root, ...starts] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(factsOf(root, starts.length > 0 ? starts : [''])));
}
