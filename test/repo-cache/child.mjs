// A process that uses a cache, run by the tests of kills and of damage:
//   fill FOLDER SCALE          fills a cache and closes it; `--abandon` ends without closing
//   churn FOLDER SCALE SEED    changes it without end, to be killed
//   verify FOLDER SCALE        opens it, compares it with what it must hold, uses it, and prints findings as JSON
// Packs and segments are drawn from a small world in which every chunk lies in two packs and many packs in two segments.
import { createHash } from 'node:crypto';
import { ownIdentity } from '../../dist/core/index.js';
import { openCache } from '../../dist/repo/cache/index.js';

const [mode, folder, scaleText, seedText] = process.argv.slice(2);
const scale = Number(scaleText);
const PACKS = 16;
const SEGMENTS = 6;
const PACKS_PER_SEGMENT = 5;
const DIRECTORIES = 50;

const sha = (text) => createHash('sha256').update(text).digest();
const ids = new Map();
const idOf = (number) => {
  if (!ids.has(number)) ids.set(number, sha(`chunk ${number}`).toString('latin1'));
  return ids.get(number);
};
const packs = Array.from({ length: PACKS }, (_, pack) => ({
  name: sha(`pack ${pack}`).toString('hex'),
  chunks: Array.from({ length: 2 * scale }, (_, i) => idOf(pack * scale + i)),
}));
const packsNamed = new Map(packs.map((pack) => [pack.name, pack]));
const segments = Array.from({ length: SEGMENTS }, (_, segment) => ({
  name: sha(`segment ${segment}`).toString('hex'),
  packs: packs.slice(2 * segment, 2 * segment + PACKS_PER_SEGMENT),
}));

/** Blocks of 1000 chunks. */
const BLOCK = 1000;

function contentOf(segment) {
  const rows = segment.packs.flatMap(({ chunks }, pack) =>
    chunks.map((id, i) => ({ id, pack, block: Math.floor(i / BLOCK), ordinal: i % BLOCK })),
  );
  rows.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const summaries = segment.packs.map(({ name, chunks }) => ({
    name,
    kind: 'data',
    size: chunks.length,
    blocks: Array.from({ length: Math.ceil(chunks.length / BLOCK) }, (_, i) => {
      const count = Math.min(BLOCK, chunks.length - BLOCK * i);
      return { stored: count, plain: count, chunks: count };
    }),
  }));
  return {
    author: { kind: 'prune', epoch: 3 },
    packs: summaries,
    chunks: {
      count: rows.length,
      ids: Buffer.from(rows.map(({ id }) => id).join(''), 'latin1'),
      packs: Uint32Array.from(rows, (row) => row.pack),
      blocks: Uint16Array.from(rows, (row) => row.block),
      ordinals: Uint16Array.from(rows, (row) => row.ordinal),
      lengths: Uint32Array.from(rows, () => 1),
    },
  };
}

const said = [];
const identity = ownIdentity('here');
const open = () =>
  openCache({
    folder,
    location: '/somewhere',
    repositoryId: Buffer.alloc(16, 7),
    encrypted: true,
    identity,
    now: () => Date.now(),
    report: (message, weight) => weight === 'notice' && said.push(message),
  });

const ROOT = Buffer.alloc(16, 1);
const directoryKey = (number) => sha(`directory ${number}`).subarray(0, 16);
/** What directory `number` holds under commit `commit`: sizes from some bytes to several pages. */
const stateOf = (commit, number) => Buffer.alloc(40 + 400 * number, `${commit} ${number} `);
const snapshotOf = (commit) => commit.toString(16).padStart(32, '0');

function commitStates(cache, commit) {
  const puts = Array.from({ length: DIRECTORIES }, (_, i) => [directoryKey(i), stateOf(commit, i)]);
  cache.commitDirectoryState(ROOT, snapshotOf(commit), puts);
}

async function fill() {
  const cache = await open();
  await cache.addSegments(segments.map((segment) => [segment.name, contentOf(segment)]));
  await cache.removeSegments([segments[1].name]);
  await cache.addSegment(segments[1].name, contentOf(segments[1]));
  commitStates(cache, 1);
  cache.putRecord('snapshots', 'a', Buffer.from('a record'));
  if (process.argv.includes('--abandon')) process.kill(process.pid, 'SIGKILL');
  await cache.close();
}

async function churn() {
  let state = Number(seedText);
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const contents = segments.map(contentOf);
  process.stdout.write('ready\n');
  const cache = await open();
  for (let commit = 1; ; commit++) {
    const chosen = random(SEGMENTS);
    if (random(2) === 0) await cache.addSegment(segments[chosen].name, contents[chosen]);
    else if (random(3) > 0) await cache.removeSegments([segments[chosen].name]);
    else await cache.dropPacks([packs[random(PACKS)].name]);
    commitStates(cache, commit);
    if (random(20) === 0) cache.clearDirectoryStates([ROOT]);
  }
}

function findingsIn(cache) {
  const findings = [];
  const known = cache.packNames();
  const expected = new Map();
  for (const name of known) {
    for (const id of packsNamed.get(name)?.chunks ?? [])
      expected.set(id, [...(expected.get(id) ?? []), name]);
  }
  for (const id of ids.values()) {
    const names = cache.places(id).map(({ pack, block, ordinal }) => {
      const { name } = cache.pack(pack);
      if (packsNamed.get(name)?.chunks[block * BLOCK + ordinal] !== id) findings.push('a place is wrong');
      return name;
    });
    if (names.sort().join() !== (expected.get(id) ?? []).sort().join())
      findings.push('the places of a chunk');
    if (cache.has(id) !== names.length > 0) findings.push('whether a chunk is there');
    if ((cache.lookup(id) === undefined) !== (names.length === 0)) findings.push('the place of a chunk');
  }
  const counts = cache.counts();
  if (counts.chunks !== expected.size || counts.packs !== known.length) findings.push('the counts');
  if (counts.bytes !== known.length * 2 * scale) findings.push('the bytes');
  const states = cache.directoryState(ROOT);
  for (let i = 0; i < DIRECTORIES; i++) {
    const state = states.get(directoryKey(i));
    const wanted = states.snapshot && stateOf(Number.parseInt(states.snapshot, 16), i);
    if (wanted ? !(state && wanted.equals(state)) : state !== undefined) findings.push('a directory state');
  }
  return [...new Set(findings)];
}

async function verify() {
  const cache = await open();
  const notices = said.splice(0);
  const { segments: count } = cache.counts();
  const stateKept = cache.directoryState(ROOT).snapshot !== undefined;
  const record = cache.getRecord('snapshots', 'a');
  const findings = findingsIn(cache);
  // Use it hard enough to touch every page and the list of free ones, twice.
  for (let round = 0; round < 2; round++) {
    await cache.addSegments(segments.map((segment) => [segment.name, contentOf(segment)]));
    findings.push(...findingsIn(cache));
    commitStates(cache, 77 + round);
    await cache.removeSegments(segments.slice(round).map(({ name }) => name));
    await cache.dropPacks([packs[0].name]);
    findings.push(...findingsIn(cache));
  }
  await cache.close();
  const again = await open();
  if (said.length > 0) findings.push(`opened again: ${said}`);
  findings.push(...findingsIn(again));
  if (again.isPrivate) findings.push('it is private');
  await again.close();
  process.stdout.write(
    JSON.stringify({
      notices,
      findings,
      segments: count,
      stateKept,
      record: record && Buffer.from(record).toString(),
    }),
  );
}

await { fill, churn, verify }[mode]();
