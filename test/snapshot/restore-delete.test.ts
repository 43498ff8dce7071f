import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { forwardTo } from '../../dist/backends/forward.js';
import type { Backend } from '../../dist/backends/index.js';
import { CbrError } from '../../dist/core/index.js';
import { NO_RULES } from '../../dist/fs/index.js';
import type { Deletion, OperationEvent, RestoreOptions } from '../../dist/snapshot/index.js';
import { probeAbilities } from './abilities.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { factsOf, pathsOf } from './tree-facts.js';

/** A restore that deletes what the snapshot does not have: only that, only below what is restored, only when all is there. */

const ALWAYS = { overwrite: 'always', compareContent: false } as const;

async function subject(): Promise<Scratch> {
  const its = await scratchRepository();
  mkdirSync(join(its.source, 'folder/inner'), { recursive: true });
  for (const name of ['a', 'folder/b', 'folder/inner/c']) writeFileSync(join(its.source, name), name);
  await its.take();
  return its;
}

/** What stands in the target beside what is restored. */
function litter(target: string): void {
  mkdirSync(join(target, 'folder/own/deep'), { recursive: true });
  mkdirSync(join(target, 'own'), { recursive: true });
  for (const name of ['x', 'own/y', 'folder/z', 'folder/own/deep/w', 'folder/own/keep.me']) {
    writeFileSync(join(target, name), 'mine');
  }
}

/** Options that delete, and a place for what was asked about. */
function deleting(): { asked: string[]; confirmDeletions: NonNullable<RestoreOptions['confirmDeletions']> } {
  const asked: string[] = [];
  const confirmDeletions = async (deletions: readonly Deletion[]): Promise<void> => {
    asked.push(...deletions.map(({ path }) => path));
  };
  return { asked, confirmDeletions };
}

test('makes the target what the snapshot is, and asks about each entry before', async () => {
  const its = await subject();
  const target = its.newTarget();
  litter(target);
  const { asked, confirmDeletions } = deleting();
  const { summary, items } = await its.restore(undefined, {
    target,
    rule: ALWAYS,
    confirmDeletions,
    items: true,
  });
  expect(asked.sort()).toEqual(
    [
      ...['folder/own', 'folder/own/deep', 'folder/own/deep/w', 'folder/own/keep.me', 'folder/z'],
      ...['own', 'own/y', 'x'],
    ].sort(),
  );
  expect(summary).toMatchObject({ deleted: asked.length, undeleted: 0, lost: 0 });
  expect(items.filter(({ action }) => action === 'deleted').map(({ path }) => path)).toHaveLength(
    asked.length,
  );
  // Folders have their times in spite of what was deleted in them.
  expect(factsOf(target)).toEqual(factsOf(its.source));
});

test('deletes nothing when it is not agreed to, and restores nothing', async () => {
  const its = await subject();
  const target = its.newTarget();
  litter(target);
  const before = factsOf(target);
  const confirmDeletions = async (): Promise<void> => {
    throw new CbrError('target', 'no');
  };
  await expect(its.restore(undefined, { target, rule: ALWAYS, confirmDeletions })).rejects.toThrow('no');
  expect(factsOf(target)).toEqual(before);
});

describe('is not deleted', () => {
  test('what patterns leave out, nor the folders that hold it', async () => {
    const its = await subject();
    const target = its.newTarget();
    litter(target);
    const exclude = [{ text: '*.me', option: '--exclude', ignoreCase: false }];
    const rules = { ...NO_RULES, exclude };
    const { confirmDeletions } = deleting();
    await its.restore(undefined, { target, rule: ALWAYS, confirmDeletions, rules, verify: false });
    const left = pathsOf(target).filter((path) => !pathsOf(its.source).includes(path));
    expect(left).toEqual(['./folder/own', './folder/own/keep.me']);
  });

  test('what is not chosen, nor in folders of which nothing is', async () => {
    const its = await subject();
    const target = its.newTarget();
    litter(target);
    writeFileSync(join(target, 'folder/c2'), 'mine');
    const include = [{ text: 'c*', option: '--include', ignoreCase: false }];
    const { asked, confirmDeletions } = deleting();
    await its.restore(undefined, { target, rule: ALWAYS, confirmDeletions, rules: { ...NO_RULES, include } });
    expect(asked).toEqual(['folder/c2']);
    expect(pathsOf(target)).toContain('./folder/z');
  });

  test('anything when something is lost, in the preview too', async () => {
    const its = await scratchRepository();
    writeFileSync(join(its.source, 'large'), randomContent(1, 100_000));
    await its.take();
    const target = its.newTarget();
    litter(target);
    const wrapBackend = (inner: Backend): Backend => ({
      ...forwardTo(inner),
      read: async (kind, name, range) => {
        const bytes = await inner.read(kind, name, range);
        if (kind === 'packs' && bytes.length > 50_000) throw new CbrError('damaged', 'gone');
        return bytes;
      },
    });
    const { confirmDeletions } = deleting();
    const changes = { target, rule: ALWAYS, confirmDeletions, verify: false };
    const { summary, problems } = await its.restore(undefined, changes, { wrapBackend });
    expect(summary).toMatchObject({ lost: 1, deleted: 0 });
    expect(problems.map(({ reason }) => reason)).toContain(
      'nothing was deleted, because not all could be restored',
    );
    expect(readdirSync(target).sort()).toEqual(['folder', 'own', 'x']);
  });

  test('what a symlink leads to, nor what is mounted in the target', async () => {
    const its = await subject();
    const target = its.newTarget();
    const outside = join(its.root, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'precious'), 'mine');
    litter(target);
    symlinkSync(outside, join(target, 'own/symlink'));
    const canMount = probeAbilities(its.root).mounts;
    mkdirSync(join(target, 'mount'));
    // Of the same file system, so that a device number would not tell.
    if (canMount) runScript(target, [`mount --bind '${outside}' mount`]);
    try {
      const { confirmDeletions } = deleting();
      await its.restore(undefined, { target, rule: ALWAYS, confirmDeletions, verify: false });
      expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('mine');
      expect(readdirSync(target).sort()).toEqual(['a', 'folder', ...(canMount ? ['mount'] : [])]);
    } finally {
      if (canMount) runScript(target, ['umount mount']);
    }
  });

  test('what was changed after it was asked about', async () => {
    const its = await subject();
    const target = its.newTarget();
    litter(target);
    const confirmDeletions = async (): Promise<void> => {
      writeFileSync(join(target, 'x'), 'changed meanwhile');
      writeFileSync(join(target, 'own/new'), 'made meanwhile');
    };
    const { summary } = await its.restore(undefined, {
      target,
      rule: ALWAYS,
      confirmDeletions,
      verify: false,
    });
    expect(summary).toMatchObject({ undeleted: 2, lost: 0 });
    expect(readFileSync(join(target, 'x'), 'utf8')).toBe('changed meanwhile');
    expect(readdirSync(join(target, 'own'))).toEqual(['new']);
  });
});

test('a filled folder gives way to a file, unless something in it may not be deleted', async () => {
  const its = await scratchRepository();
  for (const name of ['one', 'two']) writeFileSync(join(its.source, name), name);
  await its.take();
  const target = its.newTarget();
  for (const name of ['one', 'two']) mkdirSync(join(target, name, 'deep'), { recursive: true });
  writeFileSync(join(target, 'one/deep/x'), 'mine');
  writeFileSync(join(target, 'two/deep/keep.me'), 'mine');
  const { asked, confirmDeletions } = deleting();
  const exclude = [{ text: '*.me', option: '--exclude', ignoreCase: false }];
  const rules = { ...NO_RULES, exclude };
  const all = await its.restore(undefined, { target, rule: ALWAYS, confirmDeletions, rules, verify: false });
  // The other one is lost, and so nothing goes.
  expect(asked).toEqual([]);
  expect(all.summary).toMatchObject({ lost: 2, deleted: 0 });
  expect(readFileSync(join(target, 'one/deep/x'), 'utf8')).toBe('mine');
  runScript(target, ['rm -r two']);
  const again = await its.restore(undefined, { target, rule: ALWAYS, confirmDeletions, rules });
  expect(asked).toEqual(['one/deep/x', 'one/deep', 'one']);
  expect(again.summary).toMatchObject({ replaced: 1, deleted: 3, lost: 0 });
  expect(readdirSync(target).sort()).toEqual(['one', 'two']);
  expect(readFileSync(join(target, 'one'), 'utf8')).toBe('one');
});

describe('what happens while it runs', () => {
  /** Restores over two folders that are in the way, and tells of each entry as it is done. */
  async function restoring(
    told: (action: string, path: string, target: string) => void,
    signal?: AbortSignal,
  ) {
    const its = await scratchRepository();
    for (const name of ['one', 'two']) writeFileSync(join(its.source, name), name);
    await its.take();
    const target = its.newTarget();
    for (const name of ['one', 'two']) mkdirSync(join(target, name), { recursive: true });
    for (const name of ['one/mine', 'two/mine', 'x', 'y']) writeFileSync(join(target, name), 'mine');
    const problems: string[] = [];
    const listener = (event: OperationEvent): void => {
      if (event.type === 'item') told(event.action, event.path, target);
      if (event.type === 'problem') problems.push(event.reason);
    };
    const { confirmDeletions } = deleting();
    const summary = await its
      .restore(
        undefined,
        { target, rule: ALWAYS, confirmDeletions, items: true, ...(signal && { signal }) },
        {},
        listener,
      )
      .then((restored) => restored.summary)
      .catch((error: CbrError) => error);
    return { target, problems, summary };
  }

  test('a target that is not right when it is read again is not deleted from, and what was in the way is named', async () => {
    const { target, problems, summary } = await restoring((action, path, target) => {
      if (action === 'replaced' && path === 'one') writeFileSync(join(target, 'one'), 'broken meanwhile');
    });
    expect(summary).toMatchObject({ lost: 1, deleted: 0, verified: 1 });
    const kept = readdirSync(target).filter((name) => name.includes('.cbr-old-'));
    expect(kept).toHaveLength(2);
    expect(readdirSync(target)).toEqual(expect.arrayContaining(['x', 'y']));
    expect(problems).toContain('nothing was deleted, because not all could be restored');
    for (const name of kept) {
      expect(problems).toContain(`the folder that was in its place is kept as ${name}`);
      expect(readdirSync(join(target, name))).toEqual(['mine']);
    }
  });

  test('a stop ends the deletion too, and a folder in the way gets its name back if that is free', async () => {
    const control = new AbortController();
    const deleted: string[] = [];
    const { target, summary, problems } = await restoring((action, path, target) => {
      if (action !== 'deleted') return;
      deleted.push(path);
      control.abort();
      rmSync(join(target, 'two'));
    }, control.signal);
    expect(summary).toMatchObject({ code: 'interrupted' });
    expect(deleted).toEqual(['one/mine']);
    expect(readdirSync(join(target, 'two'))).toEqual(['mine']);
    expect(problems).toEqual([
      expect.stringMatching(/^the folder that was in its place is kept as one\.cbr-old-/),
    ]);
  });
});
