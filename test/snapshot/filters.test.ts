import { execFileSync } from 'node:child_process';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CACHE_TAG, type FilterRule, type FilterRules } from '../../dist/fs/index.js';
import { gitTree } from '../fs/ignored-by-git.js';
import { patternRules, rulesWith } from '../fs/rules.js';
import { probeAbilities } from './abilities.js';
import { DISK } from './places.js';
import { type Scratch, scratch, scratchRepository, type Taken } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { factsOf } from './tree-facts.js';

const rule = (option: string, text: string): FilterRule => ({ option, text });
const ignoring = (...names: readonly string[]): FilterRules =>
  rulesWith({ ignoreFiles: names.map((name) => rule('--ignore-file', name)) });

/** Everything the last snapshot holds below the source, and that it is what a snapshot without any state holds. */
async function stored(its: Scratch): Promise<string[]> {
  const { target } = await its.restore();
  const names = Object.keys(factsOf(target)).filter((name) => name !== '.');
  rmSync(target, { recursive: true });
  return names.map((name) => name.slice(2)).sort();
}

/** Where attributes and flags can be set. */
async function onDisk(): Promise<Scratch> {
  const its = scratch(DISK);
  await its.init();
  return its;
}

/** What was left out, and by which rule. */
function excludedIn({ items }: Taken, its: Scratch): Record<string, FilterRule | undefined> {
  const out = items.filter(({ action }) => action === 'excluded');
  return Object.fromEntries(out.map(({ path, rule }) => [path.slice(its.source.length + 1), rule]));
}

describe('ignore files', () => {
  test('count below their folder, the nearer before the farther, patterns of the user before both', async () => {
    const its = await scratchRepository();
    runScript(its.source, [
      'mkdir -p a/b/c top/a; touch x.o keep.o a/x.o a/keep.o a/b/x.o a/b/c/x.o a/b/c/y.log top/a/top.txt top.txt',
      "printf '*.o\\n/top.txt\\n' > .ign; printf '!x.o\\n' > a/b/.ign; printf 'x.o\\n!keep.o\\n' > a/.ign",
      "printf '*.log\\n!x.o\\n' > a/b/c/.more; printf 'x.o\\n' > a/b/c/.ign",
    ]);
    const user = { exclude: patternRules(['top', '!top.txt']) };
    const taken = await its.take({ rules: { ...ignoring('.ign', '.more'), ...user } });
    expect(await stored(its)).toEqual(
      '.ign a a/.ign a/b a/b/.ign a/b/c a/b/c/.ign a/b/c/.more a/b/c/x.o a/b/x.o a/keep.o top.txt'.split(' '),
    );
    expect(excludedIn(taken, its)).toEqual({
      'keep.o': expect.objectContaining({ text: '*.o', file: at(its, '.ign'), line: 1 }),
      'x.o': expect.objectContaining({ text: '*.o', file: at(its, '.ign'), line: 1 }),
      'a/x.o': expect.objectContaining({ text: 'x.o', file: at(its, 'a/.ign'), line: 1 }),
      'a/b/c/y.log': expect.objectContaining({ text: '*.log', file: at(its, 'a/b/c/.more'), line: 1 }),
      top: expect.objectContaining({ text: 'top', option: '--exclude' }),
    });
    await its.take({ rules: ignoring('.more', '.ign') });
    expect(await stored(its)).not.toContain('a/b/c/x.o');
  });

  test('leave out what git leaves out, wherever they stand', async () => {
    const its = await scratchRepository();
    const paths = ['a/', 'a/a', 'a/b/', 'a/b/a', 'a/b/b/', 'a/b/b/ab', 'ab', 'b/', 'b/a/', 'b/a/b', 'b/ab'];
    const { ignored, folder } = gitTree(paths);
    const name = fc.constantFrom('a', 'b', '*', '**', 'a*', '?b', 'ab');
    const pattern = fc
      .tuple(
        fc.constantFrom('', '', '!'),
        fc.constantFrom('', '/', '**/'),
        fc.array(name, { minLength: 1, maxLength: 2 }),
      )
      .map(([negation, slash, names]) => negation + slash + names.join('/'));
    const file = fc
      .tuple(fc.array(pattern, { maxLength: 3 }), fc.constantFrom('', '/'))
      .map(([all, end]) => all.map((each) => `${each}${end}\n`).join(''));
    await fc.assert(
      fc.asyncProperty(
        fc.array(pattern, { maxLength: 2 }),
        fc.tuple(file, file, file, file),
        async (own, files) => {
          const places = ['', 'a/', 'a/b/', 'b/'].map((place) => `${place}.gitignore`);
          const expected = ignored(own, Object.fromEntries(places.map((place, i) => [place, files[i]!])));
          // Git asks its own list last, where ours asks the user's first: so it stands in a second file at the root.
          writeFileSync(join(folder, '.own'), own.map((each) => `${each}\n`).join(''));
          const rules = ignoring('.own', '.gitignore');
          const { items } = await its.take({ paths: [folder], rules, dryRun: true, level: 'full' });
          const out = items
            .filter(({ action }) => action === 'excluded')
            .map(({ path }) => path.slice(folder.length + 1));
          const isOut = (path: string): boolean => out.some((each) => `${path}/`.startsWith(`${each}/`));
          expect(paths.filter((path) => isOut(path.replace(/\/$/, '')))).toEqual(expected);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('that change count at once, in folders that did not', async () => {
    const its = await scratchRepository();
    runScript(its.source, ["mkdir -p a/b; touch a/b/x a/b/y a/z; printf 'x\\n' > .ign"]);
    const rules = ignoring('.ign');
    await its.take({ rules });
    expect(await stored(its)).toEqual(['.ign', 'a', 'a/b', 'a/b/y', 'a/z']);
    writeFileSync(join(its.source, '.ign'), 'y\n');
    await its.take({ rules });
    expect(await stored(its)).toEqual(['.ign', 'a', 'a/b', 'a/b/x', 'a/z']);
    writeFileSync(join(its.source, 'a', '.ign'), 'b\n');
    await its.take({ rules });
    expect(await stored(its)).toEqual(['.ign', 'a', 'a/.ign', 'a/z']);
    rmSync(join(its.source, '.ign'));
    renameSync(join(its.source, 'a', '.ign'), join(its.source, 'a', 'other'));
    await its.take({ rules });
    expect(await stored(its)).toEqual(['a', 'a/b', 'a/b/x', 'a/b/y', 'a/other', 'a/z']);
    const { summary } = await its.take({ rules });
    expect(summary.statistics).toMatchObject({ unchangedFiles: 4, newBytes: 0 });
  });

  test('that cannot be read exclude nothing in their folder, and are an error', async () => {
    const its = await scratchRepository();
    runScript(its.source, [
      "mkdir -p a/b; touch x a/x a/b/x a/b/y; printf 'x\\n' > .ign; printf 'y\\n' > a/b/.ign",
      'truncate -s 1048577 a/.ign; mkdir -p c/.ign; touch c/x; mkdir d; ln -s ../.ign d/.ign; touch d/y',
    ]);
    const { problems, summary } = await its.take({ rules: ignoring('.ign') });
    expect(await stored(its)).toEqual(
      '.ign a a/.ign a/b a/b/.ign a/b/x a/x c c/.ign d d/.ign d/y'.split(' '),
    );
    expect(summary.errors).toBe(1);
    expect(problems).toMatchObject([
      { severity: 'error', subject: at(its, 'a/.ign'), reason: expect.stringContaining('longer than 1 MiB') },
      { severity: 'note', subject: at(its, 'd/.ign'), reason: expect.stringContaining('symlink') },
    ]);
  });

  test('with a line that is no pattern are followed but for it', async () => {
    const its = await scratchRepository();
    runScript(its.source, ["touch x y; printf 'x\\n[a\\n# [b\\n' > .ign"]);
    const { problems, summary } = await its.take({ rules: ignoring('.ign') });
    expect(await stored(its)).toEqual(['.ign', 'y']);
    expect(problems).toMatchObject([
      { severity: 'note', reason: expect.stringMatching(/^line 2, '\[a'.*never closed$/) },
    ]);
    expect(summary.errors).toBe(0);
  });
});

describe('folders that say their content is not wanted', () => {
  const caches = rulesWith({ presence: [{ ...CACHE_TAG, text: '', option: '--exclude-caches' }] });
  const tag = `${CACHE_TAG.header}\n# made by a test\n`;

  test('a CACHEDIR.TAG with the signature keeps the folder and itself, and nothing else', async () => {
    const its = await scratchRepository();
    runScript(its.source, [
      'mkdir -p cache/deep fake link short; touch cache/deep/x cache/y fake/z link/z short/z',
    ]);
    writeFileSync(join(its.source, 'cache', CACHE_TAG.name), tag);
    writeFileSync(join(its.source, 'fake', CACHE_TAG.name), tag.replace('8a', '8b'));
    writeFileSync(join(its.source, 'short', CACHE_TAG.name), tag.slice(0, 20));
    symlinkSync('../cache/CACHEDIR.TAG', join(its.source, 'link', CACHE_TAG.name));
    const taken = await its.take({ rules: caches });
    expect(await stored(its)).toEqual(
      `cache cache/CACHEDIR.TAG fake fake/CACHEDIR.TAG fake/z link link/CACHEDIR.TAG link/z short short/CACHEDIR.TAG short/z`.split(
        ' ',
      ),
    );
    const reason = { option: '--exclude-caches', text: '', file: at(its, 'cache/CACHEDIR.TAG') };
    expect(excludedIn(taken, its)).toMatchObject({ 'cache/deep': reason, 'cache/y': reason });
  });

  test('a source that says so itself is noted', async () => {
    const its = await scratchRepository();
    writeFileSync(join(its.source, CACHE_TAG.name), tag);
    writeFileSync(join(its.source, 'x'), '');
    const { problems } = await its.take({ rules: caches });
    expect(await stored(its)).toEqual([CACHE_TAG.name]);
    const reason = 'its content is left out: --exclude-caches';
    expect(problems).toMatchObject([{ severity: 'note', subject: its.source, reason }]);
  });

  test('a tag that comes or goes counts at once', async () => {
    const its = await scratchRepository();
    runScript(its.source, ['mkdir -p a/cache/deep; touch a/cache/deep/x']);
    await its.take({ rules: caches });
    expect(await stored(its)).toContain('a/cache/deep/x');
    writeFileSync(join(its.source, 'a/cache', CACHE_TAG.name), tag);
    await its.take({ rules: caches });
    expect(await stored(its)).toEqual(['a', 'a/cache', 'a/cache/CACHEDIR.TAG']);
    writeFileSync(join(its.source, 'a/cache', CACHE_TAG.name), 'no longer');
    await its.take({ rules: caches });
    expect(await stored(its)).toContain('a/cache/deep/x');
  });

  test('any name will do, with a header or without, and all of them stay', async () => {
    const its = await scratchRepository();
    runScript(its.source, [
      "mkdir a b c d; touch a/.no a/x b/x c/x d/x; printf 'yes, here' > b/.head; printf 'yes' > c/.head",
      "mkdir d/.no; printf 'yes, too' > d/.head",
    ]);
    const presence = [
      { ...rule('--exclude-if-present', '.no'), name: '.no', header: '' },
      { ...rule('--exclude-if-present', '.head:yes,'), name: '.head', header: 'yes,' },
    ];
    await its.take({ rules: rulesWith({ presence }) });
    expect(await stored(its)).toEqual([
      'a',
      'a/.no',
      'b',
      'b/.head',
      'c',
      'c/.head',
      'c/x',
      'd',
      'd/.head',
      'd/.no',
    ]);
  });
});

describe('what entries are', () => {
  test('files above a size, and those alone', async () => {
    const its = await scratchRepository();
    runScript(its.source, ['mkdir d; truncate -s 1024 d/small; truncate -s 1025 d/large']);
    const largerThan = { ...rule('--exclude-larger-than', '1K'), bytes: 1024 };
    await its.take({ rules: rulesWith({ largerThan }) });
    expect(await stored(its)).toEqual(['d', 'd/small']);
    writeFileSync(join(its.source, 'd', 'large'), 'small by now');
    await its.take({ rules: rulesWith({ largerThan }) });
    expect(await stored(its)).toEqual(['d', 'd/large', 'd/small']);
  });

  const testXattrs = probeAbilities(DISK).xattrs ? test : undefined;
  testXattrs?.('an attribute, given and taken away', async () => {
    const its = await onDisk();
    const set = (...parameters: string[]): void => {
      execFileSync('setfattr', parameters, { cwd: its.source });
    };
    runScript(its.source, ['mkdir -p d/sub; touch d/sub/x d/a d/b']);
    set('-n', 'user.backup', '-v', 'false', 'd/a');
    set('-n', 'user.backup', '-v', 'true', 'd/b');
    const xattrs = [{ ...rule('--exclude-xattr', 'user.b*=false'), name: 'user.b*', value: 'false' }];
    const rules = rulesWith({ xattrs });
    await its.take({ rules });
    expect(await stored(its)).toEqual(['d', 'd/b', 'd/sub', 'd/sub/x']);
    set('-x', 'user.backup', 'd/a');
    set('-n', 'user.backup', '-v', 'false', 'd/sub');
    const taken = await its.take({ rules });
    expect(await stored(its)).toEqual(['d', 'd/a', 'd/b']);
    expect(excludedIn(taken, its)).toEqual({ 'd/sub': xattrs[0] });
  });

  const testFlags = probeAbilities(DISK).flags ? test : undefined;
  testFlags?.('the flag nodump, set and unset', async () => {
    const its = await onDisk();
    const chattr = (...parameters: string[]): void => {
      execFileSync('chattr', parameters, { cwd: its.source });
    };
    runScript(its.source, ['mkdir -p d/sub; touch d/sub/x d/a d/b']);
    chattr('+d', 'd/a', 'd/sub');
    const nodump = rule('--exclude-nodump', '');
    const taken = await its.take({ rules: rulesWith({ nodump }) });
    expect(taken.problems).toEqual([]);
    expect(await stored(its)).toEqual(['d', 'd/b']);
    expect(excludedIn(taken, its)).toEqual({ 'd/a': nodump, 'd/sub': nodump });
    chattr('-d', 'd/sub');
    chattr('+d', 'd/b');
    await its.take({ rules: rulesWith({ nodump }) });
    expect(await stored(its)).toEqual(['d', 'd/sub', 'd/sub/x']);
  });
});

describe('--include', () => {
  test('takes what matches, what is below it and what leads to it; excludes count in there', async () => {
    const its = await scratchRepository();
    runScript(its.source, [
      'mkdir -p a/docs/old a/docs/sub/deep b/empty c/docs d/e/f docs; touch a/docs/sub/deep/q; touch a/docs/x a/docs/old/y a/z c/docs/x.bak c/w.md docs/x d/e/f/m.md',
    ]);
    const include = patternRules(['docs/', '*.md', '!w.md']);
    const rules = rulesWith({ include, exclude: patternRules(['old', '*.bak', '/docs']) });
    const taken = await its.take({ rules });
    expect(await stored(its)).toEqual(
      'a a/docs a/docs/sub a/docs/sub/deep a/docs/sub/deep/q a/docs/x c c/docs d d/e d/e/f d/e/f/m.md'.split(
        ' ',
      ),
    );
    expect(excludedIn(taken, its)).toMatchObject({ 'a/z': { option: '--include' }, docs: { text: '/docs' } });
    expect(taken.summary.statistics).toMatchObject({ files: 3, folders: 10 });
    rmSync(join(its.source, 'd/e/f/m.md'));
    writeFileSync(join(its.source, 'b/empty/n.md'), '');
    await its.take({ rules });
    expect(await stored(its)).toEqual(
      'a a/docs a/docs/sub a/docs/sub/deep a/docs/sub/deep/q a/docs/x b b/empty b/empty/n.md c c/docs'.split(
        ' ',
      ),
    );
  });

  test('does not walk where an anchored pattern cannot lead', async () => {
    const its = await scratchRepository();
    runScript(its.source, ['mkdir -p a/b/c a/x other/a/b; touch a/b/c/file a/x/no other/a/b/c']);
    const include = patternRules([`${its.source}/a/b/*`]);
    const taken = await its.take({ rules: rulesWith({ include }) });
    expect(await stored(its)).toEqual(['a', 'a/b', 'a/b/c', 'a/b/c/file']);
    expect(Object.keys(excludedIn(taken, its))).toEqual(['a/x', 'other']);
  });
});

function at(its: Scratch, path: string): string {
  return join(its.source, path);
}
