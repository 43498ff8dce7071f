import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TakeOptions } from '../../dist/snapshot/index.js';
import { excluding, rulesWith } from '../fs/rules.js';
import { probeAbilities, tellMissing } from './abilities.js';
import { DISK } from './places.js';
import { type Scratch, scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { take } from './taken-tree.js';
import { factsOf } from './tree-facts.js';

/** What symlinks lead to, in their place. */

const ALL: Partial<TakeOptions> = { followLinks: Number.POSITIVE_INFINITY };

const can = probeAbilities(DISK);
tellMissing(can, 'Followed links');

/** Not left out in silence: see above. */
const testXattrs = can.xattrs ? test : undefined;

async function linked(script: readonly string[], its?: Scratch): Promise<Scratch> {
  its ??= await scratchRepository();
  runScript(its.root, ['mkdir -p outside/deep', 'echo one > outside/file', 'echo two > outside/deep/file']);
  runScript(its.source, script);
  return its;
}

/** Names below the restored source with their kinds: d, f, l, p. */
async function kinds(its: Scratch, path?: string): Promise<Record<string, string>> {
  const { target, summary } = await its.restore(undefined, path === undefined ? {} : { path });
  expect(summary.lost).toBe(0);
  const found = readdirSync(target, { recursive: true, withFileTypes: true });
  const kind = (each: (typeof found)[number]): string =>
    each.isDirectory() ? 'd' : each.isSymbolicLink() ? 'l' : each.isFIFO() ? 'p' : 'f';
  return Object.fromEntries(
    found
      .map((each) => [join(each.parentPath, each.name).slice(target.length + 1), kind(each)] as const)
      .sort(),
  );
}

describe('followed', () => {
  test('files, folders, fifos, absolute and relative, by way of . and .. and other links', async () => {
    const its = await linked([
      'ln -s ../outside/file file',
      `ln -s ../outside/deep folder`,
      'mkfifo ../outside/fifo && ln -s ../outside/fifo fifo',
      'mkdir in && ln -s ../../outside/deep/.. in/dots && ln -s in/dots/deep/file through',
      'ln -s folder/ slash',
    ]);
    symlinkSync(join(its.root, 'outside/file'), join(its.source, 'absolute'));
    const taken = await take(its, ALL);
    expect(taken.problems).toEqual([]);
    expect(await kinds(its)).toEqual({
      ...{ file: 'f', absolute: 'f', folder: 'd', 'folder/file': 'f', fifo: 'p', in: 'd', through: 'f' },
      ...{
        'in/dots': 'd',
        'in/dots/deep': 'd',
        'in/dots/deep/file': 'f',
        'in/dots/file': 'f',
        'in/dots/fifo': 'p',
      },
      ...{ slash: 'd', 'slash/file': 'f' },
    });
    // With the content and the metadata of what they lead to.
    runScript(its.root, ['cp -aL source copy']);
    const { target } = await its.restore();
    const byName = (root: string) =>
      Object.entries(factsOf(root)).map(([path, facts]) => [
        path,
        facts.replace(/ \| names \d+| \| same as .*/g, ''),
      ]);
    expect(byName(target)).toEqual(byName(join(its.root, 'copy')));
    const again = await take(its, ALL);
    expect(again.tree).toBe(taken.tree);
    expect(again.summary.statistics).toMatchObject({ newFiles: 0, changedFiles: 0 });
  });

  testXattrs?.('and left out for the attributes of what they lead to', async () => {
    const onDisk = scratch(DISK);
    await onDisk.init();
    const script = [
      'ln -s ../outside/file file',
      'ln -s ../outside/deep folder',
      'setfattr -n user.not ../outside/file',
    ];
    const its = await linked(script, onDisk);
    const rule = { text: '', option: '--exclude-xattr', name: 'user.not', value: undefined };
    await its.take({ ...ALL, rules: rulesWith({ xattrs: [rule] }) });
    expect(await kinds(its)).toEqual({ folder: 'd', 'folder/file': 'f' });
  });

  test('and seen to change where they lead, or what is there', async () => {
    const its = await linked(['ln -s ../outside/file file', 'ln -s ../outside/deep folder']);
    await its.take(ALL);
    writeFileSync(join(its.root, 'outside/deep/file'), 'changed');
    runScript(its.source, ['ln -sfn ../outside/deep/file file']);
    const { items } = await its.take(ALL);
    expect(items.map(({ action }) => action)).toEqual(['changed', 'changed']);
    const plain = await its.take();
    expect(plain.summary.statistics).toMatchObject({ files: 0, others: 2 });
    expect(await kinds(its)).toEqual({ file: 'l', folder: 'l' });
    await its.take(ALL);
    expect(await kinds(its)).toEqual({ file: 'f', folder: 'd', 'folder/file': 'f' });
  });

  test('only as deep as asked for, every link of a chain counted', async () => {
    const its = await linked([
      'ln -s ../outside one',
      'ln -s one two && ln -s two three',
      'ln -s deep ../outside/in && ln -s file ../outside/deep/link',
    ]);
    const followed = async (followLinks: number) => {
      expect((await its.take({ followLinks })).problems).toEqual([]);
      return Object.entries(await kinds(its)).filter(([name]) => !/file$/.test(name));
    };
    const deep = (name: string, link: string, inner: string, last: string) => [
      ...[
        [name, 'd'],
        [`${name}/deep`, 'd'],
        [`${name}/deep/link`, link],
        [`${name}/in`, inner],
      ],
      ...(inner === 'd' ? [[`${name}/in/link`, last]] : []),
    ];
    expect(await followed(1)).toEqual([...deep('one', 'l', 'l', ''), ['three', 'l'], ['two', 'l']]);
    expect(await followed(2)).toEqual([
      ...deep('one', 'f', 'd', 'l'),
      ['three', 'l'],
      ...deep('two', 'l', 'l', ''),
    ]);
    expect(await followed(3)).toEqual([
      ...deep('one', 'f', 'd', 'f'),
      ...deep('three', 'l', 'l', ''),
      ...deep('two', 'f', 'd', 'l'),
    ]);
  });

  test('where a link is a source itself', async () => {
    const its = await linked(['ln -s ../outside link', 'ln -s ../outside/file file']);
    const link = join(its.source, 'link');
    await its.take({ ...ALL, paths: [link, join(its.source, 'file')] });
    expect(await kinds(its)).toEqual({
      ...{ link: 'd', 'link/deep': 'd', 'link/deep/file': 'f', 'link/file': 'f', file: 'f' },
    });
    const again = await its.take({ ...ALL, paths: [link, join(its.source, 'file')] });
    expect(again.summary.statistics).toMatchObject({ unchangedFiles: 3, newFiles: 0 });
  });
});

describe('not followed, and stored as links with a word', () => {
  const told = (taken: Awaited<ReturnType<Scratch['take']>>): string[] =>
    taken.problems.map(({ severity, reason }) => `${severity}: ${reason}`);

  test('what leads nowhere, to itself, or back', async () => {
    const its = await linked([
      'ln -s nowhere dangling',
      'ln -s self self && ln -s pong ping && ln -s ping pong',
      'mkdir -p a/b && ln -s .. a/b/up && ln -s ../.. a/b/top && ln -s b a/beside',
    ]);
    const taken = await its.take(ALL);
    const link = 'the link itself is stored';
    expect(told(taken).sort()).toEqual([
      `note: is a symlink back to ${its.source}, in which it lies; ${link}`,
      `note: is a symlink back to ${its.source}, in which it lies; ${link}`,
      `note: is a symlink back to ${its.source}/a, in which it lies; ${link}`,
      `note: is a symlink back to ${its.source}/a, in which it lies; ${link}`,
      `note: is a symlink that leads nowhere; ${link}`,
      ...new Array(3).fill(`note: is a symlink that leads to itself; ${link}`),
    ]);
    expect(await kinds(its)).toEqual({
      ...{
        dangling: 'l',
        self: 'l',
        ping: 'l',
        pong: 'l',
        a: 'd',
        'a/b': 'd',
        'a/b/up': 'l',
        'a/b/top': 'l',
      },
      ...{ 'a/beside': 'd', 'a/beside/up': 'l', 'a/beside/top': 'l' },
    });
  });

  test('the repository, and what is left out by a pattern', async () => {
    const its = await linked(['ln -s ../repo repo', 'ln -s ../repo/packs inside', 'ln -s ../outside out']);
    const taken = await its.take({ ...ALL, rules: excluding('out/') });
    expect(told(taken)).toEqual([
      expect.stringContaining('it is this repository'),
      expect.stringContaining('it is this repository'),
    ]);
    expect(await kinds(its)).toEqual({ repo: 'l', inside: 'l' });
  });

  test('folders that lead to each other in every order come to an end', { timeout: 120_000 }, async () => {
    const names = Array.from({ length: 9 }, (_, i) => `d${i}`);
    const its = await linked([`mkdir ${names.join(' ')}`]);
    for (const a of names) for (const b of names) if (a !== b) symlinkSync(`../${b}`, join(its.source, a, b));
    const taken = await its.take(ALL);
    expect(taken.summary.errors).toBe(0);
    expect(taken.problems.some(({ reason }) => reason.includes('1000 times'))).toBe(true);
  });

  test('a folder that becomes a symlink in the middle of the run', async () => {
    const its = await linked(['ln -s ../outside out', 'mkdir ../secret && echo secret > ../secret/file']);
    const trigger = join(its.source, 'out/trigger');
    writeFileSync(trigger, '');
    const taken = await its.take({ ...ALL, rules: excluding('trigger') }, {}, (event) => {
      if (event.type === 'item' && event.action === 'excluded')
        runScript(its.root, ['mv outside was', 'ln -s secret outside']);
    });
    expect(taken.summary.errors).toBeGreaterThan(0);
    expect(taken.problems.map(({ reason }) => reason)).toContainEqual(
      expect.stringContaining('a symlink stands in its place'),
    );
    const { target } = await its.restore();
    expect(Object.keys(factsOf(target)).filter((name) => name.includes('file'))).not.toContain('./out/file');
  });
});
