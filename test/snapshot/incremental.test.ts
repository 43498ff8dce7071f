import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OpenOptions } from '../../dist/repo/index.js';
import { listSnapshots, type TakeOptions } from '../../dist/snapshot/index.js';
import { probeAbilities, tellMissing } from './abilities.js';
import { DISK, QUICK } from './places.js';
import { randomContent } from './random-content.js';
import { applyEdits, editsArbitrary } from './random-edits.js';
import {
  isSoak,
  removeTree,
  type Scratch,
  scratch,
  scratchRepository,
  type Taken,
  takeFrom,
} from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { namesOf, treeIdOf } from './stored-trees.js';
import { factsOf } from './tree-facts.js';

const can = probeAbilities(QUICK);
tellMissing(can, 'Incremental snapshots');

/** Not left out in silence: see above. */
const testMounts = can.mounts ? test : undefined;

/** Kernels without fine-grained times may give two changes within so many milliseconds the same time. */
const CLOCK_TICK_MS = 15;

interface TakenTree extends Taken {
  /** The id of the tree of the source. */
  readonly tree: string;
}

function take(
  its: Scratch,
  changes: Partial<TakeOptions> = {},
  opening: Partial<OpenOptions> = {},
): Promise<TakenTree> {
  return its.use(async (repository) => {
    const taken = await takeFrom(repository, { paths: [its.source], ...changes });
    const { snapshots } = await listSnapshots(repository);
    const snapshot = snapshots.find(({ id }) => id === taken.summary.snapshot)!;
    return { ...taken, tree: await treeIdOf(repository, snapshot, its.source) };
  }, opening);
}

/** What a snapshot that trusts nothing makes of the same source. */
const takeFull = (its: Scratch): Promise<TakenTree> =>
  take(its, { level: 'full' }, { cacheRoot: join(its.root, 'other cache') });

/** Bytes that this process has read so far, from files and sockets. */
const bytesRead = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))![1]);

function fillSome(its: Scratch): void {
  mkdirSync(join(its.source, 'a/b/c'), { recursive: true });
  mkdirSync(join(its.source, 'empty'));
  for (let i = 0; i < 30; i++) writeFileSync(join(its.source, `a/file ${i}`), randomContent(i, 1000 + i));
  writeFileSync(join(its.source, 'a/b/large'), randomContent(100, 700_000));
  runScript(its.source, [
    'ln -s a/b link',
    'mkfifo a/fifo',
    'ln a/b/large a/b/c/linked',
    'truncate -s 1M a/sparse',
  ]);
}

async function filled(): Promise<Scratch> {
  const its = await scratchRepository();
  fillSome(its);
  return its;
}

describe('an unchanged source', () => {
  test('stores nothing and has no content read', async () => {
    const its = await scratchRepository();
    for (let i = 0; i < 200; i++) {
      const folder = join(its.source, `folder ${i % 7}/inner`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `file ${i}`), randomContent(i, 100_000));
    }
    const first = await take(its);
    expect(first.summary).toMatchObject({ level: 'full', parent: undefined });
    expect(first.summary.statistics).toMatchObject({ newFiles: 200, newBytes: 20_000_000 });
    const before = bytesRead();
    const second = await take(its);
    expect(bytesRead() - before).toBeLessThan(5_000_000);
    expect(second.summary).toMatchObject({ level: 'incr', parent: first.summary.snapshot });
    expect(second.summary.statistics).toMatchObject({
      ...{ files: 200, newFiles: 0, changedFiles: 0, unchangedFiles: 200 },
      ...{ newBytes: 0, sourceBytes: 20_000_000 },
    });
    // The folders above the source are others' and may have changed.
    expect(second.summary.statistics.storedBytes).toBeLessThan(10_000);
    expect(second.tree).toBe(first.tree);
    const third = await takeFull(its);
    expect(third.summary.statistics).toMatchObject({ newFiles: 200, newBytes: 0 });
    expect(third.tree).toBe(first.tree);
  });

  test('stored by two workers or one, in small blocks or large: the same trees', async () => {
    const its = await filled();
    const first = await take(its);
    const other = { location: join(its.root, 'other') };
    await its.init({ blockBytes: 300_000, packBytes: 2 ** 20, compression: 0 }, other);
    const second = await take(its, { threads: 1 }, other);
    expect(second.tree).toBe(first.tree);
  });

  test('what changed a moment before is read again until it is old enough', async () => {
    const its = await scratchRepository();
    const size = 8_000_000;
    writeFileSync(join(its.source, 'file'), randomContent(1, size));
    const clock = { now: () => Date.now() };
    const first = await take(its, {}, clock);
    let before = bytesRead();
    const readSince = (): boolean => {
      const wasRead = bytesRead() - before >= size;
      before = bytesRead();
      return wasRead;
    };
    const early = await take(its, {}, clock);
    expect(readSince()).toBe(true);
    // By now it is old, but what was seen of it was not.
    const late = await take(its);
    expect(readSince()).toBe(true);
    const last = await take(its);
    expect(readSince()).toBe(false);
    for (const { tree, summary } of [early, late, last]) {
      expect(tree).toBe(first.tree);
      expect(summary.statistics).toMatchObject({ unchangedFiles: 1, newBytes: 0 });
    }
  });
});

describe('every change is seen', () => {
  const IN_PLACE = 'printf X | dd of="a/file 3" bs=1 seek=500 conv=notrunc 2>/dev/null';
  const SAME_LOOKS = [
    'cp -p "a/file 12" x',
    'printf Y | dd of=x bs=1 conv=notrunc 2>/dev/null',
    'touch -r "a/file 12" x',
    'mv x "a/file 12"',
  ].join(' && ');
  type Change = readonly [name: string, script: string, possible?: boolean];
  /** Changes of one round come between the same two snapshots. */
  const rounds: readonly (readonly Change[])[] = [
    [
      ['edit', 'echo more >> "a/file 1"'],
      ['chmod of an empty folder', 'chmod 700 empty'],
      ['data in a hole', 'printf data | dd of=a/sparse bs=1 seek=500000 conv=notrunc 2>/dev/null'],
    ],
    [
      [
        'edit in place, times restored',
        `touch -r "a/file 3" ../t && ${IN_PLACE} && touch -r ../t "a/file 3"`,
      ],
    ],
    [['another file of the same size and times', SAME_LOOKS]],
    [
      ['touch', 'touch "a/file 2"'],
      ['chmod of a file', 'chmod 600 "a/file 4"'],
      ['file to folder', 'rm "a/file 9" && mkdir "a/file 9"'],
      ['other target of a symlink', 'rm link && ln -s elsewhere link'],
      ['owner', 'chown 1234 "a/file 15"', can.owners],
    ],
    [['chmod of a folder', 'chmod 711 a/b/c']],
    [['times of a folder', 'touch -d @1000000000.5 a/b']],
    [
      ['rename of a file', 'mv "a/file 5" "a/file five"'],
      ['rename of a folder', 'mv a/b a/bb'],
      ['file to symlink', 'rm "a/file 10" && ln -s "file 11" "a/file 10"'],
      ['symlink to fifo', 'rm link && mkfifo link'],
    ],
    [
      ['move of a file', 'mv "a/file 6" a/bb/c'],
      ['swap of two files', 'mv "a/file 7" x && mv "a/file 8" "a/file 7" && mv x "a/file 8"'],
      ['folder to file', 'rmdir "a/file 9" && echo file > "a/file 9"'],
      ['group of a symlink', 'chgrp -h 1234 "a/file 10"', can.owners],
    ],
    [['a further name', 'ln "a/file 13" "a/bb/another name"']],
    [
      ['a name less', 'rm a/bb/c/linked'],
      ['a hole more', 'truncate -s 2M a/sparse'],
    ],
    [
      ['removal of a file', 'rm "a/file 14"'],
      ['removal of a folder', 'rm -r a/bb'],
      ['xattr', 'setfattr -n user.k -v v "a/file 16"', can.xattrs],
      ['ACL', 'setfacl -m u:1234:r "a/file 17"', can.acls],
      ['flags', 'chattr +d "a/file 18"', can.flags],
      ['a device', 'mknod a/device c 1 3', can.devices],
    ],
    [
      ['the same folder again', 'mkdir a/bb && echo new > a/bb/file'],
      ['other value of an xattr', 'setfattr -n user.k -v w "a/file 16"', can.xattrs],
      ['xattr of a folder', 'setfattr -n user.k -v v empty', can.xattrs],
      ['other device number', 'rm a/device && mknod a/device c 1 5', can.devices],
    ],
    [
      ['a new empty folder', 'mkdir a/bb/empty'],
      ['default ACL', 'setfacl -m d:u:1234:r empty', can.acls],
    ],
  ];

  test('and stored as a full snapshot stores it', { timeout: 180_000 }, async () => {
    const its = await filled();
    let last = (await take(its)).tree;
    for (const round of rounds) {
      const changes = round.filter(([, , possible = true]) => possible);
      const names = changes.map(([name]) => name).join(', ');
      await setTimeout(CLOCK_TICK_MS);
      for (const [, script] of changes) runScript(its.source, [script]);
      const taken = await take(its);
      expect(taken.problems, names).toEqual([]);
      expect(taken.summary.level, names).toBe('incr');
      expect(taken.tree, names).not.toBe(last);
      expect(taken.tree, names).toBe((await takeFull(its)).tree);
      last = taken.tree;
    }
    const { target, problems } = await its.restore();
    expect(problems).toEqual([]);
    expect(factsOf(target)).toEqual(factsOf(its.source));
  });

  test('whatever the sequence of changes', { timeout: 1_800_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(editsArbitrary, { minLength: 3, maxLength: 6 }), async (rounds) => {
        const its = await scratchRepository();
        fillSome(its);
        await its.take();
        for (const edits of rounds) {
          await setTimeout(CLOCK_TICK_MS);
          const done = applyEdits(its.source, edits, can, its.root);
          const taken = await take(its);
          expect(taken.problems, done.join('\n')).toEqual([]);
          expect(taken.tree, done.join('\n')).toBe((await takeFull(its)).tree);
        }
        const { target, problems } = await its.restore();
        expect(problems).toEqual([]);
        expect(factsOf(target)).toEqual(factsOf(its.source));
        its.remove();
      }),
      { numRuns: isSoak ? 200 : 5, endOnFailure: true },
    );
  });
});

describe('the cache', () => {
  async function takeTwice(
    harm: (its: Scratch) => Promise<void> | void,
  ): Promise<{ its: Scratch; second: TakenTree }> {
    const its = await filled();
    const first = await take(its);
    await harm(its);
    const second = await take(its);
    expect(second.problems).toEqual([]);
    expect(second.summary.statistics.newBytes).toBe(0);
    expect(second.tree).toBe(first.tree);
    const { target, summary } = await its.restore(second.summary.snapshot);
    expect(summary.lost).toBe(0);
    expect(factsOf(target)).toEqual(factsOf(its.source));
    return { its, second };
  }

  const dataFiles = (its: Scratch): string[] =>
    readdirSync(its.cache, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.mdb'))
      .map((name) => join(its.cache, name));

  test('deleted: everything is read, nothing is stored', async () => {
    const { second } = await takeTwice((its) => rmSync(its.cache, { recursive: true }));
    expect(second.summary).toMatchObject({ level: 'full', parent: undefined });
  });

  test('cut short: built anew, with a word', async () => {
    const { its, second } = await takeTwice((place) => {
      for (const file of dataFiles(place)) truncateSync(file, 9000);
    });
    expect(second.summary.level).toBe('full');
    expect(its.reports.join('\n')).toMatch(/built anew/);
  });

  test('overwritten with noise: built anew, with a word', async () => {
    const { its } = await takeTwice((place) => {
      for (const file of dataFiles(place)) writeFileSync(file, randomContent(1, 200_000));
    });
    expect(its.reports.join('\n')).toMatch(/built anew/);
  });

  test('of another repository: built anew, with a word', async () => {
    const other = await filled();
    await other.take();
    const { its } = await takeTwice((place) => {
      const [mine, theirs] = [place, other].map(({ cache }) => join(cache, readdirSync(cache)[0]!));
      rmSync(mine!, { recursive: true });
      cpSync(theirs!, mine!, { recursive: true });
    });
    expect(its.reports.join('\n')).toMatch(/built anew/);
  });

  test('of a repository that lost its last snapshot: what it held is looked up', async () => {
    const its = await filled();
    const first = await take(its);
    writeFileSync(join(its.source, 'a/more'), randomContent(555, 50_000));
    const second = await take(its);
    // As if another machine had forgotten and pruned it: the record is gone, and so is what only it named.
    rmSync(join(its.repo, 'snapshots', second.summary.snapshot!));
    await its.use(async (repository) => {
      const kept = new Set<string>();
      for (const [name, { author }] of repository.cache.segments()) {
        if (author.kind === 'session' && author.session === first.summary.snapshot) kept.add(name);
      }
      for (const name of await namesOf(repository, 'index')) {
        if (!kept.has(name)) rmSync(join(its.repo, 'index', name));
      }
    });
    const third = await take(its);
    expect(third.summary.statistics.newBytes).toBe(50_000);
    const { target, summary } = await its.restore(
      third.summary.snapshot,
      {},
      { cacheRoot: join(its.root, 'fresh') },
    );
    expect(summary.lost).toBe(0);
    expect(factsOf(target)).toEqual(factsOf(its.source));
  });
});

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
    await its.take({ exclude: ['*.log', '/top', 'deep/'] });
    expect(await restoredNames(its)).toEqual(['.', './keep', './keep/c', './keep/top', './logs', './logs/x']);
    await its.take({ exclude: ['logs', '*', '!keep', '!c'] });
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
    expect(first.problems.map(({ severity, subject }) => [severity, subject])).toEqual([['note', link]]);
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
