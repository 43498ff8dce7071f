import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { excluding } from '../fs/rules.js';
import { probeAbilities, tellMissing } from './abilities.js';
import { QUICK } from './places.js';
import { randomContent } from './random-content.js';
import { applyEdits, editsArbitrary } from './random-edits.js';
import { isSoak, type Scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { namesOf } from './stored-trees.js';
import { filled, fillSome, type TakenTree, take, takeFull } from './taken-tree.js';
import { factsOf } from './tree-facts.js';

const can = probeAbilities(QUICK);
tellMissing(can, 'Incremental snapshots');

/** Kernels without fine-grained times may give two changes within so many milliseconds the same time. */
const CLOCK_TICK_MS = 15;

/** Bytes that this process has read so far, from files and sockets. */
const bytesRead = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))![1]);

describe('progress', () => {
  test('the first snapshot counts ahead where it is asked to; the next one knows from the last', async () => {
    const its = await scratchRepository();
    for (let i = 0; i < 60; i++) {
      const folder = join(its.source, `folder ${i % 7}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `file ${i}`), randomContent(i, 1_000_000));
    }
    writeFileSync(join(its.source, 'left out'), randomContent(60, 1_000_000));
    const totalsOf = async (forecast: boolean, level?: 'full'): Promise<unknown[]> => {
      const totals: unknown[] = [];
      const options = { forecast, rules: excluding('left out'), ...(level === undefined ? {} : { level }) };
      await its.take(options, {}, (event) => {
        if (event.type === 'progress') totals.push([event.totalFiles, event.totalBytes]);
      });
      return totals;
    };
    expect((await totalsOf(false)).every((each) => String(each) === ',')).toBe(true);
    expect((await totalsOf(true, 'full')).at(-1)).toEqual([60, 60_000_000]);
    expect((await totalsOf(false)).at(-1)).toEqual([60, 60_000_000]);
  });
});

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
    // A clock that stands still right after the change.
    const justAfter = Date.now() + 500;
    const clock = { now: () => justAfter };
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
