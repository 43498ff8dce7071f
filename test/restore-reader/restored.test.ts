import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { probeAbilities } from '../snapshot/abilities.js';
import { QUICK } from '../snapshot/places.js';
import { randomContent } from '../snapshot/random-content.js';
import {
  isRoot,
  isSoak,
  removeTree,
  type Scratch,
  scratch,
  scratchRepository,
} from '../snapshot/scratch-repository.js';
import { buildTree, runScript } from '../snapshot/source-tree.js';
import { treeArbitrary } from '../snapshot/tree-arbitrary.js';
import { filledHoles } from '../snapshot/tree-facts.js';
import { differences, read } from './reader.js';

/** What cbr has stored is given back by the reader, byte for byte, with all the metadata that Node can set. */

const PASSWORD = { env: { CBR_PASSWORD: 'secret' } };

/** Restores the source of the newest snapshot. */
async function restored(its: Scratch, path = its.source): Promise<string> {
  const target = its.newTarget();
  const args = ['restore', `latest:${path}`, '--target', target, '--discs', its.repo];
  const { code, stderr } = await read(args, PASSWORD);
  expect(code, stderr).toBe(0);
  return target;
}

describe('trees', () => {
  // What Node cannot make is compared with what cbr makes of the golden repositories.
  const can = {
    ...probeAbilities(QUICK),
    devices: false,
    acls: false,
    trustedXattrs: false,
    lockingFlags: false,
  };

  test('that are generated', { timeout: 1_800_000 }, async () => {
    const its = await scratchRepository({ chunkBytes: 16 * 1024 });
    await fc.assert(
      fc.asyncProperty(treeArbitrary(can), async (tree) => {
        removeTree(its.source);
        mkdirSync(its.source);
        await buildTree(its.source, tree.children, tree.metadata);
        await its.take({ level: 'full' });
        const target = its.newTarget();
        const { code, stderr } = await read(['restore', 'latest', '--target', target, '--discs', its.repo]);
        expect(code, stderr).toBe(0);
        expect(differences(its.source, join(target, its.source))).toEqual([]);
        removeTree(target);
      }),
      { numRuns: isSoak ? 100 : 8, endOnFailure: true },
    );
  });

  test('of more entries than a page holds, of many levels, and of paths longer than the kernel takes', async () => {
    const its = await scratchRepository();
    mkdirSync(join(its.source, 'many'));
    for (let i = 0; i < 3000; i++) writeFileSync(join(its.source, 'many', `entry ${i}`), `${i}`);
    runScript(its.source, [
      `perl -e 'for (0 .. 39) { my $d = $_ x 100; mkdir $d; chdir $d; open(F, ">", "file"); print F $_; close F }'`,
    ]);
    await its.take();
    expect(differences(its.source, await restored(its))).toEqual([]);
  });

  test('with a file of many chunks, of which the list has pages of pages', async () => {
    const its = await scratchRepository({ chunkBytes: 4096, blockBytes: 32_768, packBytes: 2 ** 20 });
    writeFileSync(join(its.source, 'large'), randomContent(1, 40_000_000));
    writeFileSync(join(its.source, 'text'), 'the same line again and again\n'.repeat(50_000));
    writeFileSync(join(its.source, 'empty'), '');
    await its.take();
    expect(differences(its.source, await restored(its))).toEqual([]);
  });

  test('with holes, which stay holes', async () => {
    const its = await scratchRepository();
    runScript(its.source, [
      'truncate -s 3G all-hole',
      'printf begin > middle; truncate -s 100M middle; printf end >> middle; truncate -s 200M middle',
      'i=0; while [ $i -lt 200 ]; do printf x | dd of=many bs=1 seek=$((i * 1000000)) conv=notrunc status=none; i=$((i + 1)); done',
    ]);
    await its.take();
    const target = await restored(its);
    expect(differences(its.source, target)).toEqual([]);
    expect(filledHoles(its.source, target)).toEqual([]);
  });

  test('with several names of one file, in several folders', async () => {
    const its = await scratchRepository();
    mkdirSync(join(its.source, 'a'));
    writeFileSync(join(its.source, 'a/file'), randomContent(2, 300_000));
    runScript(its.source, [
      'ln a/file b',
      'ln a/file a/c',
      'ln -s a/file link',
      'ln -P link second',
      'mkfifo p',
      'ln p q',
    ]);
    await its.take();
    expect(differences(its.source, await restored(its))).toEqual([]);
  });

  test('with pipes whose names or paths no program can be given', async () => {
    const its = await scratchRepository();
    runScript(its.source, [
      'mkfifo "$(printf "p\\377")"',
      `perl -MCwd -e 'my $top = getcwd; for (1 .. 18) { mkdir "d" x 250; chdir "d" x 250 or die } system "mkfifo", "p"; link "p", "$top/q" or die'`,
    ]);
    await its.take();
    expect(differences(its.source, await restored(its))).toEqual([]);
  });
});

describe('hard links in paths that are longer than the kernel takes', () => {
  /** Two chains of folders of 3012 bytes; under the same name they hold different files. */
  async function taken(): Promise<Scratch> {
    const its = await scratchRepository();
    const chain = (letter: string, then: string) =>
      `perl -MCwd -e 'my $top = getcwd; for (1 .. 12) { my $d = "${letter}" x 250; mkdir $d; chdir $d or die } ${then}'`;
    const write = (name: string) =>
      `open(F, ">", "${name}") or die; print F "${name} of " . getcwd; close F;`;
    runScript(its.source, [
      chain('p', `${write('x')} link "x", "$top/first" or die`),
      chain('q', `${write('x')} ${write('z')} link "$top/first", "y" or die; link "z", "zz" or die`),
      'rm first',
    ]);
    await its.take();
    return its;
  }

  test('have the content of their first name, and stay links', async () => {
    const its = await taken();
    expect(differences(its.source, await restored(its))).toEqual([]);
  });
});

describe('repositories', () => {
  test.each([
    ['encrypted and padded', { encrypted: true, pad: true, compression: 9 }],
    ['with content that is not compressed', { compression: 0 }],
    ['with blocks of 16 MiB', { blockBytes: 16 * 2 ** 20, packBytes: 40 * 2 ** 20, compression: 5 }],
  ])('%s', async (_, parameters) => {
    const its = await scratchRepository(parameters);
    writeFileSync(join(its.source, 'random'), randomContent(3, 3_000_000));
    writeFileSync(
      join(its.source, 'numbers'),
      Array.from({ length: 2_500_000 }, (_, i) => `${i * 7919}\n`).join(''),
    );
    for (let i = 0; i < 200; i++)
      writeFileSync(join(its.source, `small ${i}`), `file number ${i}\n`.repeat(i));
    await its.take();
    expect(differences(its.source, await restored(its))).toEqual([]);
  });
});

describe('a part of a snapshot', () => {
  async function taken(): Promise<Scratch> {
    const its = await scratchRepository();
    mkdirSync(join(its.source, 'a/b'), { recursive: true });
    writeFileSync(join(its.source, 'a/b/file'), 'content');
    writeFileSync(join(its.source, 'a/other'), 'other');
    runScript(its.source, ['ln -s file a/b/link', 'touch -d 2001-01-01 a/b', 'chmod 750 a/b']);
    await its.take();
    return its;
  }

  test('that is a folder gives the target its metadata', async () => {
    const its = await taken();
    const target = await restored(its, `${its.source}/a/b/`);
    runScript(target, [
      'test "$(cat file)" = content',
      'test "$(stat -c "%a %Y" .)" = "750 978307200"',
      'test ! -e .cbr*',
    ]);
  });

  test('that is a file or a symlink comes into the target by its name', async () => {
    const its = await taken();
    runScript(await restored(its, join(its.source, 'a/b/file')), ['test "$(cat file)" = content']);
    runScript(await restored(its, join(its.source, 'a/b/link')), ['test "$(readlink link)" = file']);
  });

  test('that is not there makes nothing', async () => {
    const its = await taken();
    for (const path of [join(its.source, 'a/nothing'), join(its.source, 'a/other/below')]) {
      const target = its.newTarget();
      const run = await read(['restore', `latest:${path}`, '--target', target, '--discs', its.repo]);
      expect(run).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`${path} is not in the snapshot`),
      });
      expect(() => runScript(its.root, [`ls ${target}`])).toThrow();
    }
  });
});

const asNobody = [
  ...(isRoot ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : []),
  process.execPath,
];

test('who is not root gets hard links of what lies in a folder that is closed to its owner', async () => {
  const its = scratch();
  await its.init();
  runScript(its.source, [
    'mkdir a b',
    'echo x > a/file',
    'mkfifo a/pipe',
    'ln a/file b/file',
    'ln a/pipe b/pipe',
    'chmod 600 a',
  ]);
  await its.take();
  runScript(its.root, ['mkdir open', 'chmod 777 open', `chmod -R a+rX ${its.repo}`]);
  const target = join(its.root, 'open/new');
  const args = ['restore', `latest:${its.source}`, '--target', target, '--discs', its.repo];
  const { code, stderr } = await read(args, { node: asNobody });
  expect(code, stderr).toBe(0);
  expect(stderr).not.toContain('hard links');
  runScript(target, ['chmod 700 a', 'test a/file -ef b/file', 'test a/pipe -ef b/pipe', 'test ! -e .cbr*']);
});

test('who is not root gets files without their owner and without setuid, and is told', async () => {
  const its = scratch();
  await its.init();
  writeFileSync(join(its.source, 'program'), 'run me');
  for (let i = 0; i < 50; i++) writeFileSync(join(its.source, `file ${i}`), '');
  runScript(its.source, ['chmod 6755 program']);
  await its.take();
  runScript(its.root, ['mkdir open', 'chmod 777 open', `chmod -R a+rX ${its.repo}`]);
  const target = join(its.root, 'open/new');
  const args = ['restore', `latest:${its.source}`, '--target', target, '--discs', its.repo];
  const { code, stderr } = await read(args, { node: asNobody });
  expect(code, stderr).toBe(0);
  runScript(target, [`test "$(stat -c %a program)" = ${isRoot ? 755 : 6755}`]);
  if (!isRoot) return;
  expect(stderr).toContain('owners, which only root can give (52 entries)');
  expect(stderr).toContain('and 32 more: --verbose names all');
  const again = await read([...args, '--verbose', '--target', `${target}2`], { node: asNobody });
  expect(again.stderr).not.toContain('--verbose');
  for (let i = 0; i < 50; i++) expect(again.stderr).toContain(`/file ${i}\n`.slice(1));
});
