/** A repository with many snapshots of a large tree, made by the library's own sessions and trees: no file is ever on a disk. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chunkIdBytes, MessagePackWriter, toLatin1 } from '../dist/core/index.js';
import {
  beginSession,
  initRepository,
  knownChunks,
  loadRepository,
  PackStore,
  PackWriter,
} from '../dist/repo/index.js';
import { encodeAbout } from '../dist/snapshot/index.js';
import { treeStore } from '../dist/snapshot/take/tree-store.js';
import { encodeEntry, storeTree } from '../dist/snapshot/tree.js';

export const PASSWORD = 'correct horse battery staple';
const MIB = 2 ** 20;
const FILES_PER_FOLDER = 20;
const FOLDERS_PER_PROJECT = 50;
/** Contents that the files share: what is measured reads none of them, but they are there. */
const CONTENTS = 256;
const CONTENT_BYTES = 900;
const STEMS = ['report', 'draft', 'image', 'notes'];
const ENDINGS = ['txt', 'odt', 'c', 'h', 'md', 'jpg', 'png', 'csv', 'json', 'html'];
const FIRST_SECONDS = Date.UTC(2024, 0, 1, 2) / 1000;
const DAY_SECONDS = 86_400;

/** The name of the file of that number; all of them differ. @param {number} number */
function nameOf(number) {
  const stem = STEMS[number % STEMS.length];
  return `${stem}-${String(number).padStart(7, '0')}.${ENDINGS[number % ENDINGS.length]}`;
}

const folderName = (number) => `folder-${String(number).padStart(2, '0')}`;
const projectName = (number) => `project-${String(number).padStart(3, '0')}`;

/** Where a file of the first snapshot is. @param {number} number */
export function placeOf(number) {
  const folder = Math.floor(number / FILES_PER_FOLDER);
  const project = projectName(Math.floor(folder / FOLDERS_PER_PROJECT));
  return {
    name: nameOf(number),
    project: `/home/ann/${project}`,
    folder: folderName(folder % FOLDERS_PER_PROJECT),
  };
}

/** A generator of numbers in [0, 1) that depends on the seed alone (mulberry32). @param {number} seed */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * @typedef {{snapshots: number, files: number, changed: number}} Scale changed: the part of the files that changes each time
 * @typedef {{folder: string, location: string, cacheRoot: string, seconds: number}} Made
 */

/** The repository, made if it is not there yet. @param {string} cache @param {Scale} scale @returns {Promise<Made>} */
export async function findRepository(cache, scale) {
  const folder = join(cache, 'find', `${scale.files}-${scale.snapshots}-${scale.changed}`);
  const notes = join(folder, 'made.json');
  const place = { folder, location: join(folder, 'repository'), cacheRoot: join(folder, 'cache') };
  if (!existsSync(notes)) {
    console.log(`making a repository of ${scale.snapshots} snapshots in ${folder}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const started = performance.now();
    await makeRepository(place, scale);
    writeFileSync(`${notes}.new`, JSON.stringify({ seconds: (performance.now() - started) / 1000 }));
    renameSync(`${notes}.new`, notes);
  }
  return { ...place, ...JSON.parse(readFileSync(notes, 'utf8')) };
}

async function makeRepository({ location, cacheRoot }, { snapshots, files, changed }) {
  const repository = await initRepository(
    {
      location,
      cacheRoot,
      password: async () => Buffer.from(PASSWORD),
      portable: false,
      host: 'bench',
      now: () => Date.now(),
      report: () => undefined,
    },
    {
      encrypted: true,
      chunkBytes: 64 * 1024,
      blockBytes: 4 * MIB,
      packBytes: 32 * MIB,
      compression: 3,
      pad: false,
    },
  );
  try {
    const { sync } = await loadRepository(repository);
    const known = knownChunks(repository.cache, sync.unreliable);
    const tree = new GeneratedTree(files);
    const seen = [];
    for (let number = 0; number < snapshots; number++) {
      if (number > 0) tree.change(Math.round(files * changed), number);
      seen.splice(0, 1, await commit(repository, known, tree, number, seen));
      if (number % 100 === 99) console.log(`snapshot ${number + 1}`);
    }
  } finally {
    await repository.close();
  }
}

async function commit(repository, known, tree, number, seen) {
  const session = await beginSession(repository);
  const { backend, records } = repository;
  const author = { kind: 'session', session: session.id };
  const store = new PackStore({ backend, records, known, author, clock: () => performance.now() });
  const trees = treeStore(repository, store);
  if (number === 0) storeContents(repository, store, tree);
  const root = tree.store(trees.put, number);
  trees.finish();
  const segments = await store.finish();
  const about = encodeAbout({
    ...{ seconds: timeOf(number), nanoseconds: 0, zoneOffset: 0, host: 'bench', user: 'ann' },
    ...{ paths: ['/home/ann'], level: 'incr', tags: [], program: 'bench', errors: [] },
    statistics: {
      ...{ files: tree.count, folders: 1, others: 0, newFiles: 0, changedFiles: 0, unchangedFiles: 0 },
      ...{ sourceBytes: tree.count * CONTENT_BYTES, newBytes: 0, storedBytes: 0, milliseconds: 0 },
    },
  });
  await session.commit({
    root: { id: chunkIdBytes(root.id), length: root.length },
    segments: segments.map((name) => Buffer.from(name, 'hex')),
    seen: seen.map((id) => Buffer.from(id, 'hex')),
    about,
  });
  session.stop();
  return session.id;
}

const timeOf = (number) => FIRST_SECONDS + number * DAY_SECONDS;

function storeContents({ keys, algorithms, config, backend }, store, tree) {
  const packs = new PackWriter({
    ...{ kind: 'data', keys, algorithms, compressionLevel: 3, pad: false, verify: false },
    ...{ blockBytes: config.blockBytes, packBytes: config.packBytes },
    stagingPath: () => join(backend.stagingFolder, 'bench-content'),
  });
  const ids = keys.chunkIds('data');
  for (let i = 0; i < CONTENTS; i++) {
    const content = Buffer.alloc(CONTENT_BYTES, `content ${i} `);
    const id = Buffer.from(ids.digest(content));
    tree.contents.push({ id: toLatin1(id), length: CONTENT_BYTES });
    if (store.claim(toLatin1(id))) packs.add(id, content);
  }
  store.store(packs.finish());
}

/** `home/ann/project/folder/file`: the files of a folder, and the trees of what did not change. */
class GeneratedTree {
  contents = [];
  /** By project and folder: the encoded entries of its files, by name. */
  folders = [];
  trees = [];
  projects = [];
  count = 0;
  #writer = new MessagePackWriter(512);
  #serial = 0;
  #files;

  constructor(files) {
    this.#files = files;
  }

  #fileEntry(name, random, seconds) {
    const content = this.contents[Math.floor(random() * CONTENTS)];
    return this.#encode(name, {
      ...{ type: 'file', mode: 0o644, mtime: { seconds, nanoseconds: Math.floor(random() * 1e9) } },
      ...{ size: CONTENT_BYTES, content: { kind: 'items', items: [content] } },
    });
  }

  #encode(name, its) {
    return encodeEntry({ name, uid: 1000, gid: 1000, user: 'ann', group: 'ann', ...its }, this.#writer);
  }

  #newFile(folder, random, seconds) {
    const name = nameOf(this.#serial++);
    folder.set(name, this.#fileEntry(name, random, seconds));
    this.count++;
  }

  #fill() {
    const random = seeded(1);
    const count = Math.ceil(this.#files / FILES_PER_FOLDER);
    for (let i = 0; i < count; i++) {
      const folder = new Map();
      for (let j = 0; j < FILES_PER_FOLDER && this.count < this.#files; j++)
        this.#newFile(folder, random, FIRST_SECONDS - 1000);
      this.folders.push(folder);
    }
  }

  /** Changes so many files, a few in each of some folders: one in fifty is removed, and another one made. */
  change(count, number) {
    const random = seeded(1000 + number);
    for (let done = 0; done < count; ) {
      const at = Math.floor(random() * this.folders.length);
      const folder = this.folders[at];
      this.trees[at] = undefined;
      const names = [...folder.keys()];
      for (let i = 0; i < 3 && done < count; i++, done++) {
        const name = names[Math.floor(random() * names.length)];
        if (!folder.has(name)) continue;
        if (random() < 0.02) {
          folder.delete(name);
          this.count--;
          this.#newFile(folder, random, timeOf(number) - 500);
        } else folder.set(name, this.#fileEntry(name, random, timeOf(number) - 500));
      }
    }
  }

  #folderEntry(name, entries, put) {
    const sorted = entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    const mtime = { seconds: FIRST_SECONDS - 2000, nanoseconds: 0 };
    return this.#encode(name, { type: 'directory', mode: 0o755, mtime, tree: storeTree(sorted, put) });
  }

  /** Stores what changed, and returns the root. */
  store(put, number) {
    if (number === 0) this.#fill();
    const projects = [];
    for (let first = 0; first < this.folders.length; first += FOLDERS_PER_PROJECT) {
      const project = first / FOLDERS_PER_PROJECT;
      let isSame = this.projects[project] !== undefined;
      const entries = [];
      for (let at = first; at < Math.min(first + FOLDERS_PER_PROJECT, this.folders.length); at++) {
        if (this.trees[at] === undefined) {
          isSame = false;
          this.trees[at] = this.#folderEntry(folderName(at - first), [...this.folders[at].values()], put);
        }
        entries.push(this.trees[at]);
      }
      if (!isSame) {
        this.projects[project] = this.#folderEntry(projectName(project), entries, put);
      }
      projects.push(this.projects[project]);
    }
    const ann = this.#folderEntry('ann', projects, put);
    const home = this.#folderEntry('home', [ann], put);
    return storeTree([home], put);
  }
}
