import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { excluding } from '../fs/rules.js';
import { probeAbilities, tellMissing } from './abilities.js';
import { DISK, QUICK } from './places.js';
import { removeTree, type Scratch, scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { filled, take, takeFull } from './taken-tree.js';
import { factsOf } from './tree-facts.js';

const can = probeAbilities(QUICK);
tellMissing(can, 'Sources');

/** Not left out in silence: see above. */
const testMounts = can.mounts ? test : undefined;

describe('what is left out', () => {
  const restoredNames = async (its: Scratch): Promise<string[]> => {
    const { target } = await its.restore();
    return Object.keys(factsOf(target)).sort();
  };

  test('patterns, and other patterns the next time', async () => {
    const its = await scratchRepository();
    runScript(its.source, [
      'mkdir -p logs/deep keep',
      'touch a.log keep/b.log keep/c logs/x logs/deep/y top keep/top',
    ]);
    await its.take({ rules: excluding('*.log', '/top', 'deep/') });
    expect(await restoredNames(its)).toEqual(['.', './keep', './keep/c', './keep/top', './logs', './logs/x']);
    await its.take({ rules: excluding('logs', '*', '!keep', '!c') });
    expect(await restoredNames(its)).toEqual(['.', './keep', './keep/c']);
    await its.take();
    expect(await restoredNames(its)).toContain('./logs/deep/y');
  });

  test('the repository and the cache inside a source', async () => {
    const its = await scratchRepository();
    writeFileSync(join(its.source, 'file'), 'content');
    const first = await its.take({ paths: [its.root], ownFolders: [its.cache] });
    const reasons = first.problems.map(({ severity, subject, reason }) => [severity, subject, reason]);
    expect(reasons).toContainEqual(['note', its.repo, expect.stringContaining('this repository')]);
    expect(reasons).toContainEqual(['note', its.cache, expect.stringContaining('cache')]);
    const { target } = await its.restore(undefined, { path: its.root });
    expect(readdirSync(target).sort()).toEqual(['source']);
    removeTree(target);
    const second = await its.take({ paths: [its.root], ownFolders: [its.cache] });
    expect(second.summary.statistics).toMatchObject({ files: 1, unchangedFiles: 1 });
  });

  test('the repository itself, and a folder of it, are refused as sources', async () => {
    const its = await scratchRepository();
    writeFileSync(join(its.source, 'file'), 'content');
    for (const path of [its.repo, join(its.repo, 'packs')]) {
      await expect(its.take({ paths: [path] })).rejects.toMatchObject({
        code: 'source',
        message: expect.stringContaining('it is this repository'),
      });
      const { summary, problems } = await its.take({ paths: [its.source, path] });
      expect(problems).toMatchObject([{ severity: 'error', subject: path }]);
      expect(summary.statistics.files).toBe(1);
    }
  });

  testMounts?.('other file systems, and what was seen below their mount points before', async () => {
    const its = await scratchRepository();
    const mount = join(its.source, 'mount');
    runScript(its.source, ['mkdir -p mount/below', 'echo hidden > mount/below/file', 'echo x > other']);
    const alone = { oneFileSystem: true };
    await its.take(alone);
    expect(await restoredNames(its)).toContain('./mount/below/file');
    runScript(its.source, ['mount -t tmpfs none mount']);
    try {
      writeFileSync(join(mount, 'mounted'), 'x');
      const without = await its.take(alone);
      expect(without.problems).toEqual([
        expect.objectContaining({
          severity: 'note',
          subject: mount,
          reason: expect.stringContaining('file system'),
        }),
      ]);
      expect(await restoredNames(its)).toEqual(['.', './mount', './other']);
      await its.take();
      expect(await restoredNames(its)).toEqual(['.', './mount', './mount/mounted', './other']);
    } finally {
      runScript(its.source, ['umount mount']);
    }
    // The last snapshot with these options does not hold what is below the mount point, so none of it is taken for stored.
    const last = await its.take(alone);
    expect(last.items.filter(({ action }) => action === 'unchanged').map(({ path }) => path)).toEqual([
      join(its.source, 'other'),
    ]);
    expect(await restoredNames(its)).toContain('./mount/below/file');
  });
});

describe('sources', () => {
  test('single files, symlinks and fifos, several folders, nested and named twice', async () => {
    const its = await filled();
    const [file, link, fifo] = ['a/file 1', 'link', 'a/fifo'].map((name) => join(its.source, name));
    const first = await its.take({
      paths: [file!, link!, fifo!, join(its.source, 'a/b'), join(its.source, 'empty')],
    });
    expect(first.problems.map(({ severity, subject }) => [severity, subject])).toEqual([['metadata', link]]);
    const { target } = await its.restore();
    const named = /^\.$|^\.\/(?:a|link|empty|a\/file 1|a\/fifo|a\/b|a\/b\/.*)$/;
    expect(factsOf(target)).toEqual(
      Object.fromEntries(Object.entries(factsOf(its.source)).filter(([path]) => named.test(path))),
    );

    const nested = [
      its.source,
      join(its.source, 'a'),
      its.source,
      `${its.source}/`,
      join(its.source, 'a/../empty'),
    ];
    const second = await take(its, { paths: nested });
    expect(second.problems.map(({ severity }) => severity)).toEqual(['note', 'note']);
    expect(second.tree).toBe((await takeFull(its)).tree);
    const about = (await its.snapshots()).find(({ id }) => id === second.summary.snapshot)!.about;
    expect(about.paths).toEqual([its.source]);
  });

  test('reached through symlinks', async () => {
    const its = await filled();
    runScript(its.root, ['ln -s source way']);
    const inner = join(its.root, 'way/a');
    await its.take({ paths: [inner, join(its.root, 'way')] });
    const { target, summary } = await its.restore(undefined, { path: inner });
    expect(summary.lost).toBe(0);
    expect(factsOf(target)).toEqual(factsOf(join(its.source, 'a')));
    const whole = await its.restore(undefined, { path: its.root });
    expect(whole.summary.lost).toBe(0);
    expect(Object.keys(factsOf(whole.target))).toContain('./way/a/b/c/linked');
  });

  test('missing: some are errors, all are a refusal', async () => {
    const its = await filled();
    const missing = join(its.root, 'missing');
    const some = await its.take({ paths: [missing, its.source, join(missing, 'inner')] });
    expect(some.summary).toMatchObject({ errors: 2, missingSources: 2 });
    expect(some.problems.map(({ severity, subject }) => [severity, subject])).toEqual([
      ['error', missing],
      ['error', join(missing, 'inner')],
    ]);
    expect((await its.snapshots()).at(-1)!.about.errors).toHaveLength(2);
    const before = (await its.snapshots()).length;
    await expect(its.take({ paths: [missing] })).rejects.toMatchObject({ code: 'source' });
    expect(await its.snapshots()).toHaveLength(before);
    expect(readdirSync(join(its.repo, 'sessions'))).toEqual([]);
  });

  testMounts?.('an empty mount point is not a folder whose files were deleted', async () => {
    const its = scratch(DISK);
    await its.init();
    runScript(its.source, ['mount -t tmpfs none .']);
    try {
      writeFileSync(join(its.source, 'precious'), 'x');
      await its.take();
    } finally {
      runScript(its.root, ['umount source']);
    }
    await expect(its.take()).rejects.toMatchObject({ message: expect.stringContaining('not mounted') });
    writeFileSync(join(its.source, 'by now another folder'), 'x');
    expect((await its.take()).summary.errors).toBe(0);
  });
});
