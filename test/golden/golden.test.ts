import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Place, place } from '../cli/run.js';
import { type FoundEntry, openIndependently } from '../repo/independent-reader.js';
import { type Abilities, probeAbilities, tellMissing } from '../snapshot/abilities.js';
import { QUICK } from '../snapshot/places.js';
import { isRoot, removeTree } from '../snapshot/scratch-repository.js';
import { type Expected, type Facts, readExpected, type Tree, treeOf } from './expected.js';

/** Repositories of every frozen version of the format, written by the first program of it, are read as they were then. */

const here = import.meta.dirname;
const folders = readdirSync(here).filter((name) => /^v\d+-/.test(name));
const abilities = probeAbilities(QUICK);
tellMissing(abilities, 'golden repositories');

/** A file system whose machine allows all of it has to give back all of it. */
const isWhole = Object.entries(abilities).every(([name, able]) => able || isOfNoConcern(name));

/** Such flags, and mounts, are in no golden repository. */
function isOfNoConcern(ability: string): boolean {
  return ['diskFlags', 'lockingFlags', 'mounts'].includes(ability);
}

/** The golden repository `name` as git would check it out anew, for the built program, with an empty cache. */
class Golden {
  readonly expected: Expected;
  readonly place: Place;
  private readonly env: Readonly<Record<string, string>>;

  constructor(name: string, portable = false) {
    this.expected = readExpected(join(here, name));
    this.place = place();
    cpSync(join(here, name, 'repository'), this.place.repo, { recursive: true });
    const [password] = this.expected.passwords;
    this.env = {
      ...(password === undefined ? {} : { CBR_PASSWORD: password }),
      ...(portable ? { CBR_PORTABLE: '1' } : {}),
    };
  }

  json(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    return this.place.json(args, { env: { ...this.env, ...env } });
  }

  async succeed(args: readonly string[]) {
    const run = await this.json(args);
    expect(run, run.stderr).toMatchObject({ code: 0 });
    return run;
  }

  /** Restores a snapshot and compares it with the tree that `treeId` had. */
  async restoresAs(id: string, treeId: string): Promise<void> {
    const target = mkdtempSync(join(QUICK, 'cbr-golden-'));
    onTestFinished(() => removeTree(target));
    const run = await this.json(['restore', id, '--target', target]);
    // Without the right to set something the restore says that it is incomplete.
    expect(isWhole ? [0] : [0, 3], run.stdout.slice(-2000)).toContain(run.code);
    const output = execFileSync(process.execPath, [join(here, 'facts.mjs'), target], { maxBuffer: 2 ** 26 });
    const restored = JSON.parse(output.toString()) as Tree;
    expect(settable(restored, abilities)).toEqual(settable(treeOf(this.expected, treeId), abilities));
    const hole = lstatSync(join(target, 'srv/golden/tree/sizes/only a hole'));
    expect(hole.blocks * 512).toBeLessThan(hole.size / 2);
  }
}

/** What this user can set on this machine. */
function settable(tree: Tree, able: Abilities): Readonly<Record<string, unknown>> {
  const isSettable = ([, { type }]: [string, Facts]): boolean => able.devices || !type.endsWith('device');
  return Object.fromEntries(
    Object.entries(tree)
      .filter(isSettable)
      .map(([path, facts]) => [path, settableFacts(facts, able)]),
  );
}

function settableFacts({ uid, gid, xattrs = {}, flags, sha256, sameAs, ...facts }: Facts, able: Abilities) {
  const kept = Object.entries(xattrs).filter(([name, hex]) => {
    if (name.startsWith('system.posix_acl')) return able.acls;
    if (name.startsWith('trusted.')) return able.trustedXattrs;
    return able.xattrs && (able.largeXattrs || hex.length <= 2 * 4096);
  });
  const isReadable = isRoot || (Number.parseInt(facts.mode, 8) & 0o400) !== 0;
  const mode = Number.parseInt(facts.mode, 8) & (able.owners ? 0o7777 : 0o1777);
  return {
    ...facts,
    mode,
    xattrs: Object.fromEntries(kept),
    ...(able.owners ? { uid, gid } : {}),
    ...(able.flags ? { flags } : {}),
    ...(isReadable ? { sha256 } : {}),
    ...(able.linkedSymlinks || facts.type !== 'symlink' ? { sameAs } : {}),
  };
}

/** Numbers of types in entries: docs/format.md, "Entry". */
const TYPES = ['file', 'folder', 'symlink', 'fifo', 'socket', 'character device', 'block device'];

/** The same facts, told by the independent reader, which knows neither devices nor flags. */
function foundFacts(entry: FoundEntry) {
  const { mode, uid, gid, mtime, xattrs, content, linkTarget } = entry;
  const sha256 = content && createHash('sha256').update(content).digest('hex');
  return {
    type: TYPES[entry.type],
    mode: mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    mtime: [mtime.seconds, mtime.nanoseconds],
    size: content?.length,
    sha256,
    target: linkTarget?.toString('latin1'),
    xattrs: Object.fromEntries([...xattrs].map(([name, value]) => [name, value.toString('hex')])),
  };
}

/** Files of one inode as one list of paths. */
function groupsOf(paths: readonly (readonly [path: string, group: string | undefined])[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const [path, group] of paths) {
    if (group !== undefined) groups.set(group, [...(groups.get(group) ?? []), path]);
  }
  return [...groups.values()].map((each) => each.sort()).sort();
}

/** Time and id of each. */
function snapshotsOf(name: string): [time: unknown, id: string][] {
  return readExpected(join(here, name)).snapshots.map(({ time, snapshot }) => [time, snapshot]);
}

describe.each(folders)('%s', (name) => {
  describe.each([
    { algorithms: 'native', portable: false },
    { algorithms: 'portable', portable: true },
  ])('by $algorithms algorithms', ({ portable }) => {
    test('is found to be without damage', async () => {
      const { summary, problems } = await new Golden(name, portable).succeed(['check', '--read-data']);
      expect(summary).toMatchObject({ readData: 1, findings: { error: 0, note: 0 } });
      expect(problems).toEqual([]);
    });

    test.each(snapshotsOf(name))('restores the snapshot of %s', async (_, id) => {
      await new Golden(name, portable).restoresAs(id, id);
    });
  });

  test('lists its snapshots, what was forgotten, and its policy', async () => {
    const golden = new Golden(name);
    const { snapshots, forgotten, policy } = golden.expected;
    expect((await golden.succeed(['snapshots'])).items).toMatchObject(snapshots);
    expect((await golden.succeed(['unforget'])).items).toMatchObject(forgotten);
    expect((await golden.succeed(['policy', 'show'])).summary).toMatchObject(policy);
  });

  test('is opened by each of its passwords, and by no other', async () => {
    const golden = new Golden(name);
    const { passwords } = golden.expected;
    const codes = async (words: readonly string[]) =>
      Promise.all(words.map(async (word) => (await golden.json(['snapshots'], { CBR_PASSWORD: word })).code));
    expect(await codes(passwords)).toEqual(passwords.map(() => 0));
    expect(await codes(['another'])).toEqual([passwords.length > 0 ? 12 : 0]);
  });

  test('is read by a program written from docs/format.md', () => {
    const expected = readExpected(join(here, name));
    const opened = openIndependently(join(here, name, 'repository'), expected.passwords.at(-1));
    const ids = expected.snapshots.map(({ snapshot }) => snapshot);
    expect(opened.snapshots.map(({ id }) => id).sort()).toEqual([...ids].sort());
    for (const { id, entries } of opened.snapshots) {
      const tree = treeOf(expected, id);
      const told = Object.entries(tree).map(([path, { sameAs: _, device: __, flags: ___, ...facts }]) => [
        path,
        { xattrs: {}, ...facts },
      ]);
      const found = [...entries].map(([path, entry]) => [path, foundFacts(entry)]);
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(told));
      expect(groupsOf([...entries].map(([path, { linkGroup }]) => [path, linkGroup]))).toEqual(
        groupsOf(Object.entries(tree).map(([path, { sameAs }]) => [path, sameAs])),
      );
    }
  });

  test('takes snapshots, is pruned, and has back what was forgotten', async () => {
    const golden = new Golden(name);
    const { expected } = golden;
    const { source } = golden.place;
    mkdirSync(join(source, 'folder'));
    writeFileSync(join(source, 'folder/new'), 'of a later release\n');
    // Before the prune, which may remove what it holds.
    const back = (await golden.succeed(['unforget', expected.restorable])).items[0]!.snapshot as string;
    const taken = (await golden.succeed(['snapshot', source])).summary.snapshot as string;
    const { summary } = await golden.succeed(['prune', '--max-unused', '0']);
    expect(summary).toMatchObject({ state: 'swept' });
    expect(readdirSync(join(golden.place.repo, 'marks'))).toEqual([]);
    await golden.succeed(['check', '--read-data']);
    await golden.restoresAs(back, expected.restorable);
    const { snapshot: last } = expected.snapshots.at(-1)!;
    await golden.restoresAs(last, last);
    const target = join(golden.place.root, 'target');
    await golden.succeed(['restore', `${taken}:${source}`, '--target', target]);
    expect(readFileSync(join(target, 'folder/new'), 'utf8')).toBe('of a later release\n');
  });
});

/** Last: nothing above may have changed them either. Whoever makes them anew makes them worthless. */
test('golden repositories are those that were committed', () => {
  const listed = readFileSync(join(here, 'objects.sha256'), 'utf8');
  const found = folders.flatMap((folder) =>
    readdirSync(join(here, folder), { withFileTypes: true, recursive: true })
      .filter((each) => each.isFile())
      .map((each) => join(each.parentPath, each.name))
      .map((path) => {
        const digest = createHash('sha256').update(readFileSync(path)).digest('hex');
        return `${digest}  ${relative(here, path)}`;
      }),
  );
  expect(found.sort()).toEqual(listed.split('\n').filter(Boolean).sort());
  expect(folders).toEqual(expect.arrayContaining(['v1-encrypted', 'v1-unencrypted']));
});
