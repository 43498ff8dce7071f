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
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { FORMAT_VERSION } from '../../dist/repo/index.js';
import { Golden, PASSWORDS } from './golden.mjs';
import { at, GONE, KIB, makeSources, noise, SECOND, TREE } from './sources.mjs';

/** Small chunks, blocks and packs, so that there are several of each. */
const SIZES = ['--chunk-size', '4KiB', '--block-size', '16KiB', '--pack-size', '32KiB'];
const CASES = [
  { name: `v${FORMAT_VERSION}-encrypted`, encrypted: true, init: ['--pad', '--compression', '6'] },
  {
    name: `v${FORMAT_VERSION}-unencrypted`,
    encrypted: false,
    init: ['--no-encryption', '--compression', '3'],
  },
];

async function makeRepository(golden) {
  await makeSources();
  golden.cbr('init', ...golden.init, ...SIZES);
  if (golden.encrypted) {
    writeFileSync('/srv/password', PASSWORDS[1]);
    golden.cbr('key', 'add', '--label', 'zweiter Schlüssel', '--new-password-file', '/srv/password');
  }
  const tags = (...names) => names.flatMap((name) => ['--tag', name]);

  const first = golden.take(
    [TREE],
    '--time',
    '2024-01-01T03:00:00.5+01:00',
    '--level',
    'full',
    ...tags('b', 'a'),
    '--comment',
    'für später',
    '--job',
    'nightly',
  );

  writeFileSync(at('changing/text'), 'second\n');
  writeFileSync(at('changing/data'), noise(20 * KIB, 'second'));
  rmSync(at('metadata/sticky'), { recursive: true });
  const second = golden.take(
    [TREE],
    '--time',
    '2024-01-03T03:00:00+01:00',
    '--level',
    'diff',
    '--job',
    'nightly',
  );

  writeFileSync(at('changing/data'), Buffer.concat([noise(9 * KIB, 'second'), noise(6 * KIB, 'third')]));
  writeFileSync(at('added'), noise(10 * KIB, 'stored by a session that failed'));
  await golden.takeInVain([TREE]);
  const third = golden.take([TREE], '--time', '2024-01-08T03:00:00Z', '--level', 'diff', ...tags('später'));

  await golden.annotate(first, { tags: { add: ['gut'] }, pin: { until: 7_258_118_399 } }, 1_704_800_000);
  await golden.annotate(third, { comment: 'before', pin: {} }, 1_704_800_001);
  await golden.annotate(third, { comment: 'after', tags: { set: [] } }, 1_704_800_002);

  golden.cbr(
    'policy',
    'set',
    '--keep-tag',
    'gut',
    '--timezone',
    'Europe/Berlin',
    '--round-robin',
    'days=1,weeks=1,months=1,years=1,anchor=oldest',
  );
  rmSync(at('many'), { recursive: true });
  const fourth = golden.take([TREE], '--time', '2024-02-10T03:00:00Z', '--host', 'other');
  // Forgets the second snapshot, and writes down the anchors of both groups.
  const { summary } = golden.cbr('forget');
  if (summary.forget.map(({ id }) => id).join() !== second) throw new Error(JSON.stringify(summary));
  golden.cbr('prune', '--max-unused', '0');

  // Shares a pack with what stays, and so is partly copied beside the mark.
  writeFileSync(at('changing/data'), noise(14 * KIB, 'fourth'));
  writeFileSync(at('added'), noise(14 * KIB, 'kept'));
  const fifth = golden.take([TREE], '--time', '2024-02-11T03:00:00Z', '--host', 'other');
  writeFileSync(at('changing/data'), 'short\n');
  writeFileSync(at('late'), noise(6 * KIB, 'in a segment that a fence names'));
  await golden.takeInVain([TREE]);
  golden.take([SECOND, TREE], '--time', '2024-02-12T03:00:00Z', '--host', 'other');
  golden.cbr('forget', fifth);
  await golden.pruneBesideSession();

  // Stored again: all of it is condemned.
  writeFileSync(at('changing/data'), noise(14 * KIB, 'fourth'));
  golden.take([TREE], GONE, '--time', '2024-03-01T03:00:00Z', '--host', 'other');
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
  // The modes that a checkout gives them.
  execFileSync('chmod', ['-R', 'u=rwX,go=rX', into]);
}

/** One line for each entry; characters beyond ASCII escaped, since they stand for bytes. */
function expectedText({ trees, ...others }) {
  const ascii = (text) =>
    text.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const treeLines = Object.entries(trees).map(([id, { entries, ...difference }]) => {
    const lines = Object.entries(entries).map(
      ([path, facts]) => `      ${JSON.stringify(path)}: ${JSON.stringify(facts)}`,
    );
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
  return {
    formatVersion: FORMAT_VERSION,
    passwords: golden.encrypted ? PASSWORDS : [],
    snapshots: snapshots.map(({ type: _, ...fields }) => fields),
    forgotten: forgotten.map(({ type: _, ...fields }) => fields),
    restorable,
    policy: { number: policy.number, rules: policy.rules, anchors: policy.anchors },
    // All of them: each is told by its difference to the one before, whose snapshot may be gone.
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
