/** A source that changes a little from snapshot to snapshot, in the same way in every run. */
import {
  closeSync,
  copyFileSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** Of the files that change: new ones, and as many that go; the others are edited. */
const NEW_PART = 0.2;
const EDITED_BYTES = 64;

/**
 * Changes a part of the files below the folder: some bytes of most, some are new (others with edits), some go.
 * @param {string} folder @param {{part: number, seed: number}} options part of the files from 0 to 1; another seed makes other changes
 * @returns {{edited: number, added: number, removed: number}}
 */
export function changeFiles(folder, { part, seed }) {
  const files = filesBelow(folder);
  const random = seededRandom(seed);
  const changed = Math.max(3, Math.round(part * files.length));
  const added = Math.max(1, Math.round(NEW_PART * changed));
  const edited = changed - 2 * added;
  // A shuffle up to where the last one is taken: no file is taken twice.
  for (let i = 0; i < changed; i++) {
    const other = i + Math.floor(random() * (files.length - i));
    [files[i], files[other]] = [files[other], files[i]];
  }
  for (const path of files.slice(0, edited)) editFile(path, random);
  for (const path of files.slice(edited, edited + added)) {
    const copy = `${path}.${seed}`;
    copyFileSync(path, copy);
    editFile(copy, random);
  }
  for (const path of files.slice(edited + added, changed)) unlinkSync(path);
  return { edited, added, removed: changed - edited - added };
}

/** Writes over some bytes at a random place; an empty file becomes longer. @param {string} path @param {() => number} random */
function editFile(path, random) {
  const fd = openSync(path, 'r+');
  try {
    const { size } = fstatSync(fd);
    const bytes = Buffer.from(Array.from({ length: EDITED_BYTES }, () => Math.floor(random() * 256)));
    writeSync(fd, bytes, 0, bytes.length, Math.floor(random() * Math.max(1, size - EDITED_BYTES)));
  } finally {
    closeSync(fd);
  }
}

/** Paths of regular files, in an order that depends on their names alone. @param {string} folder */
export function filesBelow(folder) {
  const found = [];
  const pending = [folder];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const entries = readdirSync(next, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const path = join(next, entry.name);
      if (entry.isDirectory()) pending.push(path);
      else if (entry.isFile() && lstatSync(path).nlink === 1) found.push(path);
    }
  }
  return found;
}

/** Numbers from 0 to 1 (mulberry32). @param {number} seed */
function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
