/** What a folder holds, as a witness independent of cbr: names, metadata and the SHA-256 of all contents. */
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';

const buffer = Buffer.allocUnsafe(4 * 2 ** 20);
const SLASH = Buffer.from('/');

/** @param {Buffer} path */
function sha256Of(path) {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const count = readSync(file, buffer);
      if (count === 0) break;
      hash.update(buffer.subarray(0, count));
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

/**
 * Describes `root` and all below it. The key is the path relative to root ('' is root itself) as latin1, one character per
 * byte; the value is comparable text by aspect.
 * @param {string} root
 * @returns {Map<string, Readonly<Record<string, string>>>}
 */
export function manifestOf(root) {
  const manifest = new Map();
  /** First path seen of each file with several names. */
  const firstNames = new Map();
  const visit = (/** @type {Buffer} */ path, /** @type {string} */ relative) => {
    const stat = lstatSync(path, { bigint: true });
    const entry = {
      type: (stat.mode & 0o170000n).toString(8),
      mode: (stat.mode & 0o7777n).toString(8),
      owner: `${stat.uid}:${stat.gid}`,
      mtime: `${stat.mtimeNs} ns`,
    };
    if (stat.isSymbolicLink()) {
      entry.target = readlinkSync(path, { encoding: 'buffer' }).toString('latin1');
    } else if (stat.isFile()) {
      entry.size = String(stat.size);
      entry.sha256 = sha256Of(path);
      if (stat.nlink > 1n) {
        const key = `${stat.dev}:${stat.ino}`;
        if (!firstNames.has(key)) firstNames.set(key, relative);
        entry.sameFileAs = firstNames.get(key);
      }
    }
    manifest.set(relative, entry);
    if (!stat.isDirectory()) return;
    for (const name of readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare)) {
      const shown = name.toString('latin1');
      visit(Buffer.concat([path, SLASH, name]), relative === '' ? shown : `${relative}/${shown}`);
    }
  };
  visit(Buffer.from(root), '');
  return manifest;
}

/**
 * One sentence for each difference.
 * @param {ReturnType<typeof manifestOf>} expected @param {ReturnType<typeof manifestOf>} found
 */
export function differences(expected, found) {
  const sentences = [];
  for (const [path, entry] of expected) {
    const other = found.get(path);
    if (other === undefined) {
      sentences.push(`${path}: missing`);
      continue;
    }
    for (const aspect of new Set([...Object.keys(entry), ...Object.keys(other)])) {
      if (entry[aspect] !== other[aspect]) {
        sentences.push(`${path}: ${aspect} is ${other[aspect]} instead of ${entry[aspect]}`);
      }
    }
  }
  for (const path of found.keys()) if (!expected.has(path)) sentences.push(`${path}: not in the source`);
  return sentences;
}
