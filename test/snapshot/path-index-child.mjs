// A process that uses a path index, run by the test of kills:
//   churn FOLDER SEED   takes snapshots in, forgets some and compacts, without end, to be killed
//   verify FOLDER       opens the index, compares it with what it must hold, uses it, and prints findings as JSON
// A snapshot of the same number always holds the same, so that whoever comes next can say what must be there.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { MessagePackWriter, ownIdentity } from '../../dist/core/index.js';
import { openRowStore } from '../../dist/repo/cache/index.js';
import { HistoryReader } from '../../dist/snapshot/paths/find-paths.js';
import { updatePathIndex } from '../../dist/snapshot/paths/index-snapshots.js';
import { PathIndex } from '../../dist/snapshot/paths/path-index.js';
import { PATH_INDEX } from '../../dist/snapshot/paths/path-index-store.js';
import { stateOf } from '../../dist/snapshot/paths/path-state.js';
import { snapshotGroups } from '../../dist/snapshot/paths/snapshot-groups.js';
import { encodeEntry, storeTree } from '../../dist/snapshot/tree.js';

const [mode, folder, seed] = process.argv.slice(2);
const FOLDERS = 30;
const FILES = 30;
const SNAPSHOTS = 200;

const writer = new MessagePackWriter(256);
const digest = (text) => createHash('sha256').update(text).digest();
const chunks = new Map();
const put = (plain) => {
  const id = digest(plain).toString('latin1');
  chunks.set(id, Uint8Array.from(plain));
  return { id, length: plain.byteLength };
};
const read = async ({ id }) => chunks.get(id);
const common = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 1, nanoseconds: 0 } };

/** A file changes every few snapshots, and is sometimes not there. */
function fileAt(number, i) {
  const since = Math.floor((number + i) / 7);
  const size = 1 + ((since * 31 + i) % 1000);
  const content = { kind: 'items', items: [{ id: digest(`${size}`).toString('latin1'), length: size }] };
  return (since + i) % 9 === 0 ? undefined : { ...common, name: `file ${i}`, type: 'file', size, content };
}

function entriesAt(number) {
  const found = new Map();
  for (let f = 0; f < FOLDERS; f++)
    for (let i = 0; i < FILES; i++) {
      const entry = fileAt(number, f * FILES + i);
      if (entry !== undefined) found.set(`folder ${f}/${entry.name}`, entry);
    }
  return found;
}

const byName = (a, b) => (a.name < b.name ? -1 : 1);
function snapshotAt(number) {
  const entries = [...entriesAt(number)];
  const folders = Array.from({ length: FOLDERS }, (_, f) => {
    const own = entries.filter(([path]) => path.startsWith(`folder ${f}/`));
    const tree = storeTree(own.map(([, entry]) => encodeEntry(entry)).sort(byName), put);
    return encodeEntry({ ...common, name: `folder ${f}`, type: 'directory', tree });
  });
  const id = number.toString(16).padStart(32, '0');
  const about = {
    host: number % 4 === 0 ? 'b' : 'a',
    paths: ['/x'],
    seconds: number,
    nanoseconds: 0,
    errors: [],
  };
  return { id, number, root: storeTree(folders.sort(byName), put), about };
}

const said = [];
const open = async () =>
  new PathIndex(
    await openRowStore(
      {
        folder: join(folder, 'paths'),
        location: '/somewhere',
        repositoryId: Buffer.alloc(16, 7),
        encrypted: true,
        identity: ownIdentity('here'),
        now: () => Date.now(),
        report: (message, weight) => weight === 'notice' && said.push(message),
      },
      PATH_INDEX,
    ),
  );

async function churn() {
  let state = Number(seed);
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const index = await open();
  process.stdout.write('ready\n');
  let all = [];
  for (;;) {
    if (random(3) > 0 || all.length === 0) all.push(snapshotAt(random(SNAPSHOTS)));
    else all.splice(random(all.length), 1 + random(5));
    all = [...new Map(all.map((each) => [each.id, each])).values()].sort((a, b) => a.number - b.number);
    await updatePathIndex(index, { snapshots: all, damaged: [] }, all, async () => read);
    if (random(6) === 0) index.compact(new Set(all.map(({ id }) => id)));
  }
}

function findingsIn(index, snapshots) {
  const findings = new Set();
  const reader = new HistoryReader(index, snapshotGroups(snapshots, index));
  const found = new Map(snapshots.map(({ id }) => [id, new Map()]));
  for (const path of index.paths(''))
    for (const [group, runs] of reader.runs(path))
      for (const { from, to, state } of runs)
        for (const { id } of group.snapshots.slice(from, to))
          if (state?.type === 'file') found.get(id).set(path.path, JSON.stringify(state));
  for (const { id, number } of snapshots) {
    const expected = entriesAt(number);
    if (expected.size !== found.get(id).size) findings.add(`the number of files of ${number}`);
    for (const [path, entry] of expected)
      if (found.get(id).get(path) !== JSON.stringify(stateOf(entry, writer)))
        findings.add(`a file of ${number}`);
  }
  return [...findings];
}

async function verify() {
  const index = await open();
  const kept = index.snapshots.all().filter(({ id }) => index.snapshots.get(id) !== undefined);
  const all = kept.map(({ id }) => snapshotAt(Number.parseInt(id, 16))).sort((a, b) => a.number - b.number);
  const findings = findingsIn(index, all);
  const more = [...all, snapshotAt(SNAPSHOTS + 1), snapshotAt(SNAPSHOTS + 5)];
  await updatePathIndex(index, { snapshots: more, damaged: [] }, more, async () => read);
  findings.push(...findingsIn(index, more));
  await updatePathIndex(index, { snapshots: all, damaged: [] }, all, async () => read);
  index.compact(new Set(all.map(({ id }) => id)));
  findings.push(...findingsIn(index, all));
  await index.close();
  process.stdout.write(JSON.stringify({ findings, notices: said, snapshots: all.length }));
}

await { churn, verify }[mode]();
