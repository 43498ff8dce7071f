/**
 * Makes the golden repositories of the present version of the format: a folder beside this file for each, with `repository` and
 * `expected.json`, and their SHA-256 in objects.sha256.
 *
 * Run by hand, once for each version of the format, and NEVER AGAIN for one whose repositories are committed: what they are
 * good for is that they were written by the first program of that version. It refuses to overwrite any.
 *
 *   npm run build && sudo unshare --mount --uts node test/golden/make.mjs
 *
 * As root (for owners and devices), in a mount and a host name space of its own: sources stand on a file system in memory at
 * /srv, and the host is called `golden`, so that nothing of the machine gets into the repositories.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join, relative } from 'node:path';
import { beginSession, FORMAT_VERSION, openRepository } from '../../dist/repo/index.js';
import { annotateSnapshot, listSnapshots, pruneRepository, takeSnapshot } from '../../dist/snapshot/index.js';
import { factsOf } from './facts.mjs';

const KIB = 1024;
const CBR = join(import.meta.dirname, '../../bin/cbr.js');
const AREA = '/srv/golden';
const TREE = `${AREA}/tree`;
const SECOND = `${AREA}/second`;
const PASSWORDS = ['golden', 'zweites Paßwort'];

/** Small chunks, blocks and packs, so that there are several of each. */
const SIZES = ['--chunk-size', '4KiB', '--block-size', '16KiB', '--pack-size', '32KiB'];
const CASES = [
  { name: `v${FORMAT_VERSION}-encrypted`, encrypted: true, init: ['--pad', '--compression', '6'] },
  { name: `v${FORMAT_VERSION}-unencrypted`, encrypted: false, init: ['--no-encryption', '--compression', '3'] },
];

// The sources

const raw = (text) => Buffer.from(text, 'latin1');
const at = (name) => raw(`${TREE}/${name}`);

/** Bytes that look random and are the same everywhere. */
function noise(bytes, label) {
  return createHash('shake256', { outputLength: bytes }).update(label).digest();
}

/** Of period 1200 with one cut point in it: chunks of 1200 bytes, all alike. Thousands of chunks take no room so. */
const PERIOD = 1200;
const repeated = (times) => Buffer.alloc(times * PERIOD, noise(PERIOD, 'pattern 1'));

function words(count, label) {
  const list = 'pack block chunk tree entry seal mark fence lease epoch note policy'.split(' ');
  return [...noise(count, label)].map((byte) => list[byte % list.length]).join(' ');
}

function shell(script) {
  execFileSync('/bin/sh', ['-e'], { cwd: AREA, input: raw(script), stdio: ['pipe', 'ignore', 'inherit'] });
}

function writeSparse(name, size, parts) {
  const fd = openSync(at(name), 'w');
  ftruncateSync(fd, size);
  for (const [start, content] of parts) writeSync(fd, content, 0, content.length, start);
  closeSync(fd);
}

async function makeSocket(path) {
  const server = createServer();
  await new Promise((resolve) => server.listen('/srv/socket-being-made', resolve));
  linkSync('/srv/socket-being-made', path);
  await new Promise((resolve) => server.close(resolve));
}

async function makeSources() {
  rmSync(AREA, { recursive: true, force: true });
  for (const folder of [AREA, TREE, SECOND]) mkdirSync(folder);
  for (const folder of ['sizes', 'names', 'special', 'metadata', 'many', 'empty', 'changing']) mkdirSync(at(folder));
  for (const [name, content] of [
    ['0 bytes', ''],
    ['1 byte', 'x'],
    ['one chunk', noise(900, 'one chunk')],
    ['text', words(3000, 'text')],
    ['several chunks', noise(24 * KIB, 'several chunks')],
    ['content list', repeated(150)],
    ['content list of pages', repeated(4150)],
  ]) {
    writeFileSync(at(`sizes/${name}`), content);
  }
  const island = noise(5 * KIB, 'island');
  writeSparse('sizes/sparse', 1024 * KIB, [
    [256 * KIB, island],
    [768 * KIB, island],
  ]);
  writeSparse('sizes/only a hole', 640 * KIB, []);
  // 40 ranges of data between holes: more than 64 items, holes among them.
  writeSparse('sizes/many holes', 40 * 128 * KIB, Array.from({ length: 40 }, (_, i) => [i * 128 * KIB, island]));
  for (const name of ['b\xe4d \xff\xfe', 'gut \xc3\xa4', 'line\nbreak', '\x01 \x7f', ' blank ', "quote ' \" \\", 'x'.repeat(255)]) {
    writeFileSync(at(`names/${name}`), `${name.length}\n`);
  }
  linkSync(at('sizes/one chunk'), at('names/second name'));
  linkSync(at('sizes/one chunk'), at('third name'));
  symlinkSync('../sizes/text', at('special/link'));
  symlinkSync(raw('nowhere/\xff'), at('special/dangling'));
  linkSync(at('special/dangling'), at('special/dangling too'));
  await makeSocket(at('special/socket'));
  for (let i = 0; i < 1100; i++) writeFileSync(at(`many/${String(i).padStart(4, '0')}`), '');
  for (const name of ['plain', 'setuid', 'setgid', 'no rights', 'owned', 'xattrs', 'acl', 'flags', 'before 1970']) {
    writeFileSync(at(`metadata/${name}`), `${name}\n`);
  }
  mkdirSync(at('metadata/sticky'));
  mkdirSync(at('metadata/default acl'));
  writeFileSync(at('changing/text'), 'first\n');
  writeFileSync(at('changing/data'), noise(20 * KIB, 'first'));
  writeFileSync(`${SECOND}/file`, words(200, 'second source'));
  shell(`
    cd tree
    mkfifo special/fifo
    mknod special/character c 1 3
    mknod special/block b 259 70000
    chown 12345:23456 metadata/owned
    chown -h 4294967294:1 special/dangling
    setfattr -n user.small -v 0x00ff01 metadata/xattrs
    setfattr -n user.empty metadata/xattrs
    setfattr -n user.large -v 0x${noise(5000, 'large attribute').toString('hex')} metadata/xattrs
    setfattr -n trusted.folder -v yes metadata
    setfattr -h -n trusted.link -v yes special/link
    setfacl -m u:12345:rw,g:23456:r metadata/acl
    setfacl -m d:u:12345:rwx 'metadata/default acl'
    chmod 4755 metadata/setuid
    chmod 2755 metadata/setgid
    chmod 0000 'metadata/no rights'
    chmod 1777 metadata/sticky
    touch -d @1700000000.123456789 metadata/plain
    touch -d @-1000000.5 'metadata/before 1970'
    touch -h -d @1600000000.000000001 special/link special/dangling
    touch -d @1650000000 many/* empty sizes/text
    touch -d @253402300799 metadata/owned
    chattr +dA metadata/flags
    touch -d @1234567890.987654321 many metadata special ../tree ../second
  `);
}

// The program and the library

/** One repository being made. */
class Golden {
  constructor({ name, encrypted, init }) {
    Object.assign(this, { name, encrypted, init });
    this.folder = `/srv/${name}`;
    this.cache = `/srv/cache of ${name}`;
    this.trees = {};
    this.last = undefined;
  }

  /** Runs the built program; its last line of JSON. */
  cbr(...args) {
    const output = execFileSync(process.execPath, [CBR, ...args, '--json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      maxBuffer: 2 ** 26,
      env: {
        PATH: process.env.PATH,
        HOME: '/srv',
        TZ: 'UTC',
        CBR_REPO: this.folder,
        CBR_CACHE_DIR: this.cache,
        ...(this.encrypted ? { CBR_PASSWORD: PASSWORDS[0] } : {}),
      },
    });
    const lines = output.split('\n').filter(Boolean).map((line) => JSON.parse(line));
    return { summary: lines.at(-1), items: lines.filter(({ type }) => type === 'item') };
  }

  async use(action, changes = {}) {
    const repository = await openRepository({
      location: this.folder,
      password: async () => Buffer.from(PASSWORDS[0]),
      cacheRoot: this.cache,
      portable: false,
      host: 'golden',
      now: () => Date.now(),
      report: () => undefined,
      ...changes,
    });
    try {
      return await action(repository);
    } finally {
      await repository.close();
    }
  }

  /** Takes a snapshot and keeps what it has to hold, told as a difference to the one before. Returns its id. */
  take(paths, ...flags) {
    const facts = factsOf('/', paths);
    const { summary } = this.cbr('snapshot', ...paths, ...flags);
    if (summary.exitCode !== 0) throw new Error(JSON.stringify(summary));
    const like = this.last;
    const isSame = (path) => JSON.stringify(like?.facts[path]) === JSON.stringify(facts[path]);
    this.trees[summary.snapshot] = {
      ...(like === undefined
        ? {}
        : { like: like.id, without: Object.keys(like.facts).filter((path) => facts[path] === undefined) }),
      entries: Object.fromEntries(Object.entries(facts).filter(([path]) => !isSame(path))),
    };
    this.last = { id: summary.snapshot, facts };
    return summary.snapshot;
  }

  /** A session that stores everything, fails at its commit, and ends by a fence. */
  async takeInVain(paths) {
    let isFirst = true;
    const wrapBackend = (medium) =>
      new Proxy(medium, {
        get: (target, member) => {
          const value = Reflect.get(target, member, target);
          if (typeof value !== 'function') return value;
          return (...args) => {
            if (member !== 'write' || args[0] !== 'snapshots' || !isFirst) return value.apply(target, args);
            isFirst = false;
            throw new Error('not to be');
          };
        },
      });
    const options = {
      paths,
      tags: [],
      host: 'golden',
      user: 'root',
      zoneOffset: 0,
      exclude: [],
      oneFileSystem: false,
      dryRun: false,
      forecast: false,
      threads: 1,
      items: false,
      ownFolders: [],
      signal: new AbortController().signal,
    };
    const taken = this.use((repository) => takeSnapshot(repository, options, () => undefined), { wrapBackend });
    const failed = await taken.then(() => false, ({ message }) => message === 'not to be');
    if (!failed) throw new Error('the session that was to fail did not, or otherwise');
  }

  annotate(id, change, time) {
    return this.use(async (repository) => {
      const { snapshots } = await listSnapshots(repository);
      const snapshot = snapshots.find((each) => each.id === id);
      await annotateSnapshot(repository, snapshot, change, 'ann@golden', time);
    });
  }

  /** A prune that has to leave its mark, since a session runs that then ends without anything. */
  pruneBesideSession() {
    return this.use(async (repository) => {
      const session = await beginSession(repository);
      const summary = await pruneRepository(repository, {
        maxUnused: { bytes: 0 },
        wait: false,
        dryRun: false,
        signal: new AbortController().signal,
        timing: { clock: () => performance.now(), sleep: async () => undefined, timeToLiveMs: 1e9, pollMs: 1, heartbeatMs: 0 },
        examine: () => 'alive',
      });
      await session.abort([]);
      if (summary.state !== 'pending') throw new Error(JSON.stringify(summary));
    });
  }
}

async function makeRepository(golden) {
  await makeSources();
  golden.cbr('init', ...golden.init, ...SIZES);
  if (golden.encrypted) {
    writeFileSync('/srv/password', PASSWORDS[1]);
    golden.cbr('key', 'add', '--label', 'zweiter Schlüssel', '--new-password-file', '/srv/password');
  }
  const tags = (...names) => names.flatMap((name) => ['--tag', name]);

  const first = golden.take([TREE], '--time', '2024-01-01T03:00:00.5+01:00', '--level', 'full', ...tags('b', 'a'), '--comment', 'für später', '--job', 'nightly');

  writeFileSync(at('changing/text'), 'second\n');
  writeFileSync(at('changing/data'), noise(20 * KIB, 'second'));
  rmSync(at('metadata/sticky'), { recursive: true });
  golden.take([TREE], '--time', '2024-01-03T03:00:00+01:00', '--level', 'diff', '--job', 'nightly');

  writeFileSync(at('changing/data'), Buffer.concat([noise(9 * KIB, 'second'), noise(6 * KIB, 'third')]));
  writeFileSync(at('added'), noise(10 * KIB, 'stored by a session that failed'));
  await golden.takeInVain([TREE]);
  const third = golden.take([TREE, SECOND], '--time', '2024-01-08T03:00:00Z', ...tags('später'));

  await golden.annotate(first, { tags: { add: ['gut'] }, pin: { until: 7_258_118_399 } }, 1_704_800_000);
  await golden.annotate(third, { comment: 'before', pin: {} }, 1_704_800_001);
  await golden.annotate(third, { comment: 'after', tags: { set: [] } }, 1_704_800_002);

  // Forgets the second snapshot, and writes down the anchors of both groups.
  golden.cbr('policy', 'set', '--keep-tag', 'gut', '--timezone', 'Europe/Berlin', '--round-robin', 'days=1,weeks=1,months=1,years=1,anchor=oldest');
  rmSync(at('many'), { recursive: true });
  const fourth = golden.take([TREE], '--time', '2024-02-10T03:00:00Z', '--host', 'other');
  golden.cbr('forget');
  golden.cbr('prune', '--max-unused', '0');

  // Shares a pack with what stays, and so is partly copied beside the mark.
  writeFileSync(at('changing/data'), noise(14 * KIB, 'fourth'));
  writeFileSync(at('added'), noise(14 * KIB, 'kept'));
  const fifth = golden.take([TREE], '--time', '2024-02-11T03:00:00Z', '--host', 'other');
  writeFileSync(at('changing/data'), 'short\n');
  golden.take([TREE], '--time', '2024-02-12T03:00:00Z', '--host', 'other');
  golden.cbr('forget', fifth);
  await golden.pruneBesideSession();

  // Stored again: all of it is condemned.
  writeFileSync(at('changing/data'), noise(14 * KIB, 'fourth'));
  golden.take([TREE], '--time', '2024-03-01T03:00:00Z', '--host', 'other');
  // Not pruned: it can be brought back.
  golden.cbr('forget', fourth);
  return { restorable: fourth };
}

// What is kept

/** Git keeps no empty folders, and the reserve is no part of the repository. */
function keep(golden, into) {
  cpSync(golden.folder, into, { recursive: true });
  unlinkSync(join(into, 'reserve'));
  const visit = (folder) => {
    for (const each of readdirSync(folder, { withFileTypes: true })) {
      if (each.isDirectory()) visit(join(folder, each.name));
    }
    if (readdirSync(folder).length === 0) rmdirSync(folder);
  };
  visit(into);
}

/** One line for each entry; characters beyond ASCII escaped, since they stand for bytes. */
function expectedText({ trees, ...others }) {
  const ascii = (text) => text.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const treeLines = Object.entries(trees).map(([id, { entries, ...difference }]) => {
    const lines = Object.entries(entries).map(([path, facts]) => `      ${JSON.stringify(path)}: ${JSON.stringify(facts)}`);
    const head = Object.entries(difference).map(([name, value]) => `"${name}": ${JSON.stringify(value)}, `);
    return `    "${id}": { ${head.join('')}"entries": {\n${lines.join(',\n')}\n    } }`;
  });
  const head = JSON.stringify(others, undefined, 2).slice(0, -2);
  return ascii(`${head},\n  "trees": {\n${treeLines.join(',\n')}\n  }\n}\n`);
}

function expectedOf(golden, { restorable }) {
  const { items: snapshots } = golden.cbr('snapshots');
  const { items: forgotten } = golden.cbr('unforget');
  const { summary: policy } = golden.cbr('policy', 'show');
  const isKept = new Set([restorable, ...snapshots.map(({ snapshot }) => snapshot)]);
  // A tree is told by its difference to another one, whose snapshot may be gone.
  return {
    formatVersion: FORMAT_VERSION,
    passwords: golden.encrypted ? PASSWORDS : [],
    snapshots: snapshots.map(({ type: _, ...fields }) => fields),
    forgotten: forgotten.map(({ type: _, ...fields }) => fields),
    restorable,
    policy: { number: policy.number, rules: policy.rules, anchors: policy.anchors },
    restored: Object.keys(golden.trees).filter((id) => isKept.has(id)),
    trees: golden.trees,
  };
}

function digestsBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name))
    .sort()
    .map((path) => {
      const digest = createHash('sha256').update(readFileSync(path)).digest('hex');
      return `${digest}  ${relative(import.meta.dirname, path)}\n`;
    });
}

for (const { name } of CASES) {
  if (!existsSync(join(import.meta.dirname, name))) continue;
  throw new Error(`test/golden/${name} exists: golden repositories are made once, and kept for ever`);
}
if (statSync('/proc/self/ns/mnt').ino === statSync(`/proc/${process.ppid}/ns/mnt`).ino) {
  throw new Error('to be run under: unshare --mount --uts');
}
execFileSync('hostname', ['golden']);
execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'none', '/srv']);
process.umask(0o022);
const digests = [];
for (const each of CASES) {
  const golden = new Golden(each);
  const outcome = await makeRepository(golden);
  const folder = join(import.meta.dirname, each.name);
  // Before anything is asked: asking for it must not be what makes it.
  keep(golden, join(folder, 'repository'));
  writeFileSync(join(folder, 'expected.json'), expectedText(expectedOf(golden, outcome)));
  digests.push(...digestsBelow(folder));
}
const listed = join(import.meta.dirname, 'objects.sha256');
writeFileSync(listed, `${existsSync(listed) ? readFileSync(listed, 'utf8') : ''}${digests.join('')}`);
