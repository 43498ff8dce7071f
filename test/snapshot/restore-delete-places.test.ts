import { linkSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  compileRules,
  lookAt,
  NO_RULES,
  openTarget,
  type RawPath,
  type TargetFolder,
} from '../../dist/fs/index.js';
import type { AboutSnapshot, RestoreOptions, Snapshot } from '../../dist/snapshot/index.js';
import { mergeSnapshots, rewriter } from '../../dist/snapshot/index.js';
import { DeletionPlan, DeletionPlanner } from '../../dist/snapshot/restore/deletion-plan.js';
import { excludedInTarget } from '../../dist/snapshot/restore/excluded-in-target.js';
import { KnownPlaces } from '../../dist/snapshot/restore/known-places.js';
import { withListedIn, withPartial } from '../../dist/snapshot/snapshot-extensions.js';
import { ABOUT } from '../repo/snapshot-samples.js';
import {
  type Restored,
  restoreFrom,
  type Scratch,
  scratch,
  scratchRepository,
} from './scratch-repository.js';
import { pathsOf } from './tree-facts.js';

/** Where a restore that deletes must not: where the snapshot does not know what was there. */

const ALWAYS = { overwrite: 'always', compareContent: false } as const;

function write(folder: string, ...names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), name);
  }
}

/** Restores the latest snapshot, with another record perhaps, and deletes. */
async function deleting(
  its: Scratch,
  changes: Partial<RestoreOptions>,
  record: (about: AboutSnapshot) => AboutSnapshot = (about) => about,
): Promise<Restored> {
  const latest = (await its.snapshots()).at(-1)!;
  const snapshot: Snapshot = { ...latest, about: record(latest.about) };
  return its.use((repository) =>
    restoreFrom(repository, {
      snapshot,
      target: its.newTarget(),
      rule: ALWAYS,
      confirmDeletions: async () => undefined,
      ...changes,
    }),
  );
}

/** What of these names is still in the folder. */
function left(folder: string, ...names: readonly string[]): string[] {
  const all = pathsOf(folder);
  return names.filter((name) => all.includes(`./${name}`));
}

describe('a folder on the way to the sources is not emptied', () => {
  test('above a source that is a folder, and one that is a file', async () => {
    const its = await scratchRepository();
    write(its.source, 'a/1', 'b/single');
    await its.take({ paths: [join(its.source, 'a'), join(its.source, 'b/single')] });
    const target = its.newTarget();
    const inner = its.source.slice(1);
    const beside = ['etc/passwd', `${inner}/other`, `${inner}/b/beside`, 'mine'];
    write(target, ...beside, `${inner}/a/gone`, `${inner}/a/folder/gone`);
    const { summary } = await deleting(its, { target });
    expect(left(target, ...beside, `${inner}/a/1`, `${inner}/b/single`)).toEqual([
      ...beside,
      `${inner}/a/1`,
      `${inner}/b/single`,
    ]);
    expect(summary).toMatchObject({ deleted: 3, lost: 0 });
    expect(readdirSync(join(target, inner, 'a'))).toEqual(['1']);
    // The same where a folder on the way is what is restored.
    const again = its.newTarget();
    write(again, 'mine', 'b/mine', 'a/gone');
    const part = await deleting(its, { target: again, path: `${its.source}/` });
    expect(part.summary.deleted).toBe(1);
    expect(left(again, 'mine', 'b/mine')).toHaveLength(2);
  });

  test('nor one that stands for a long list of files, in a union and under another name neither', async () => {
    const its = await scratchRepository();
    const names = Array.from({ length: 101 }, (_, i) => `list/${i}`);
    write(its.source, ...names, 'list/unlisted', 'whole/1');
    await its.take({ paths: [], listed: names.map((name) => join(its.source, name) as RawPath) });
    const target = its.newTarget();
    write(target, 'unlisted', 'folder/mine');
    const { summary, problems } = await deleting(its, { target, path: join(its.source, 'list') });
    expect(summary).toMatchObject({ deleted: 0, lost: 0 });
    expect(left(target, 'unlisted', 'folder/mine', '100')).toHaveLength(3);
    expect(problems).toMatchObject([{ severity: 'note', reason: expect.stringContaining('from a list') }]);

    // As earlier versions recorded it.
    const earlier = await deleting(its, { target, path: join(its.source, 'list') }, (about) => ({
      ...about,
      extensions: [],
    }));
    expect(earlier.summary.deleted).toBe(0);

    await its.take({ paths: [join(its.source, 'whole')] });
    const from = await its.snapshots();
    const options = {
      ...{ forget: false, dryRun: false, by: 'tester', nowSeconds: 0 },
      signal: new AbortController().signal,
    };
    await its.use((repository) =>
      mergeSnapshots(repository, from, { prefer: 'first', words: {} }, options, () => undefined),
    );
    const moves = [{ from: its.source as RawPath, to: '/moved' as RawPath }];
    const change = { rules: NO_RULES, words: {}, moves };
    const [merged] = (await its.snapshots()).filter(({ about }) => about.paths.length === 2);
    const { snapshot } = await its.use((repository) =>
      rewriter(repository, change, options)(merged!, () => undefined),
    );
    expect(snapshot!.about.paths).toEqual(['/moved/list', '/moved/whole']);
    const both = its.newTarget();
    write(both, 'list/unlisted', 'whole/gone');
    const moved = await deleting(its, { target: both, path: '/moved', snapshot: snapshot! });
    expect(moved.summary).toMatchObject({ deleted: 1, lost: 0 });
    expect(left(both, 'list/unlisted', 'list/100', 'whole/1')).toHaveLength(3);
  });
});

test('a source that was an empty folder is one of which everything is known', async () => {
  const its = await scratchRepository();
  await its.take();
  const target = its.newTarget();
  write(target, 'gone');
  expect((await deleting(its, { target, path: its.source })).summary.deleted).toBe(1);
});

describe('what the snapshot could not read', () => {
  test('is not deleted, nor what holds it', async () => {
    const its = await scratchRepository();
    write(its.source, 'a/1', 'b/1');
    await its.take();
    const errors = ['a/closed', 'gone/deep/file', 'b'].map((name) => ({
      path: join(its.source, name),
      reason: 'permission denied',
    }));
    const target = its.newTarget();
    write(target, 'a/closed/mine', 'a/other', 'b/mine', 'gone/deep/file', 'gone/deep/other');
    const { summary, problems } = await deleting(its, { target, path: its.source }, (about) => ({
      ...about,
      errors,
    }));
    expect(left(target, 'a/closed/mine', 'b/mine', 'gone/deep/file')).toHaveLength(3);
    expect(left(target, 'a/other', 'gone/deep/other')).toEqual([]);
    expect(summary).toMatchObject({ deleted: 2, undeleted: 0, lost: 0 });
    expect(problems.map(({ subject }) => subject).sort()).toEqual(['a/closed', 'b', 'gone/deep/file']);
  });

  test.each<[string, (about: AboutSnapshot) => AboutSnapshot, string]>([
    ['a partial one', withPartial, 'is partial'],
    ['one with more errors than it names', (about) => ({ ...about, moreErrors: 3 }), 'could not read'],
  ])('refuses the deletion for %s', async (_, record, words) => {
    const its = await scratchRepository();
    write(its.source, 'a');
    await its.take();
    const target = its.newTarget();
    write(target, 'mine');
    for (const dryRun of [false, true]) {
      const refused = deleting(its, { target, path: its.source, dryRun }, record);
      await expect(refused).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(words) });
    }
    expect(readdirSync(target)).toEqual(['mine']);
    const latest = (await its.snapshots()).at(-1)!;
    const without = await its.restore(undefined, { snapshot: { ...latest, about: record(latest.about) } });
    expect(without.summary.lost).toBe(0);
  });
});

test('a snapshot knows what is at and below its sources, but for what it could not read', () => {
  const errors = [
    { path: '/src/bad', reason: '' },
    { path: `/long/${'x'.repeat(4090)}`, reason: '' },
  ];
  const known = new KnownPlaces({ ...ABOUT, paths: ['/src', '/file', '/long'], errors });
  const places = ['/', '/src', '/src/deep/er', '/srcs', '/file', '/long'];
  expect(places.filter((path) => known.isTaken(path))).toEqual(['/src', '/src/deep/er', '/file', '/long']);
  expect(
    ['/src', '/src/bad', '/src/bad/deep', '/src/badly', '/long'].filter((at) => known.isUnread(at)),
  ).toEqual(['/src/bad', '/src/bad/deep', '/long']);
  expect(['/', '/src', '/src/bad', '/file'].filter((at) => known.holdsUnread(at))).toEqual(['/', '/src']);
  const all = new KnownPlaces({ ...ABOUT, paths: ['/'], errors: [] });
  expect(['/', '/any/where'].every((path) => all.isTaken(path))).toBe(true);
  const record = { ...ABOUT, paths: ['/list', '/src'], errors: [] };
  const listed = new KnownPlaces(withListedIn(record, ['/list']));
  expect(['/list', '/list/a', '/src/a'].filter((at) => listed.isTaken(at))).toEqual(['/src/a']);
  // More lists than can be recorded.
  const many = Array.from({ length: 40 }, (_, i) => `/${i}${'x'.repeat(3000)}`);
  expect(new KnownPlaces(withListedIn(record, many)).isTaken('/src')).toBe(false);
});

/** A planner for a folder that a snapshot has whole. */
function planning(target: TargetFolder): { plan: DeletionPlan; planner: DeletionPlanner } {
  const plan = new DeletionPlan();
  const known = new KnownPlaces({ ...ABOUT, paths: ['/src'], errors: [] });
  const planner = new DeletionPlanner(plan, target, { selection: undefined, known, start: '/src', own: [] });
  return { plan, planner };
}

test('what a name of the snapshot leads to is not deleted, whatever the folder calls it', () => {
  const its = scratch();
  write(its.source, 'Foo.txt', 'Bar.txt', 'other');
  // Another name of what is restored under its own is one too many.
  linkSync(join(its.source, 'Bar.txt'), join(its.source, 'second'));
  const folder = openTarget(its.source as RawPath);
  // As on a file system where case does not count, which not every machine can make.
  const folding = Object.create(folder, {
    rawPath: {
      value: (name: string) => {
        const there = readdirSync(its.source).find((each) => each.toLowerCase() === name.toLowerCase());
        return folder.rawPath(there ?? name);
      },
    },
  }) as TargetFolder;
  const { plan, planner } = planning(folder);
  planner.planFolder(folding, '', new Set(['foo.txt', 'Bar.txt', 'absent', 'a/b', '..']), true);
  expect(plan.deletions.map(({ path }) => path)).toEqual(['other', 'second']);
  folder.close();
});

test('what has attributes that cannot be read is not deleted where attributes leave something out', () => {
  const its = scratch();
  write(its.source, 'there');
  const folder = openTarget(its.source as RawPath);
  const filter = compileRules(
    {
      ...NO_RULES,
      xattrs: [{ name: 'user.keep', value: undefined, text: 'user.keep', option: '--exclude-xattr' }],
    },
    '/src' as RawPath,
  )!;
  const seen = lookAt(folder, 'there')!;
  expect(excludedInTarget(filter, folder, 'there', 'there', seen)).toBe(false);
  // One that is gone by now: no attributes can be read of it.
  expect(excludedInTarget(filter, folder, 'gone', 'gone', seen)).toBe(true);
  folder.close();
});
