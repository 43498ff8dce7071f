import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { forwardTo } from '../../dist/backends/forward.js';
import { type Backend, withTraffic } from '../../dist/backends/index.js';
import { CbrError } from '../../dist/core/index.js';
import type { OverwriteRule, RestoreOptions } from '../../dist/snapshot/index.js';
import { probeAbilities } from './abilities.js';
import { type Forged, forgedSnapshot } from './forged-snapshot.js';
import { DISK } from './places.js';
import { randomContent } from './random-content.js';
import { type Restored, type Scratch, scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { factsOf } from './tree-facts.js';

/** A restore over what exists: what stays, what gives way, and what is fetched for it. */

const IF_CHANGED: OverwriteRule = { overwrite: 'if-changed', compareContent: false };
const ALWAYS: OverwriteRule = { overwrite: 'always', compareContent: false };

/** Restores, and says how many bytes of packs were read. */
async function countedRestore(
  its: Scratch,
  changes: Partial<RestoreOptions>,
  wrap: (inner: Backend) => Backend = (inner) => inner,
): Promise<Restored & { readonly read: number }> {
  let traffic = { read: { bytes: 0 } };
  const wrapBackend = (inner: Backend): Backend => {
    const counted = withTraffic(wrap(inner));
    traffic = counted.traffic;
    return counted;
  };
  const restored = await its.restore(undefined, { verify: false, ...changes }, { wrapBackend });
  return { ...restored, read: traffic.read.bytes };
}

const FINE = { chunkBytes: 4096, blockBytes: 64 * 1024, packBytes: 2 ** 20 };

describe('of a large file', () => {
  test('only the chunks that differ are fetched', async () => {
    const its = await scratchRepository(FINE);
    writeFileSync(join(its.source, 'large'), randomContent(1, 6_000_000));
    await its.take();
    const whole = await countedRestore(its, {});
    const large = join(whole.target, 'large');
    runScript(its.root, [`printf changed | dd of='${large}' bs=1 seek=3000000 conv=notrunc 2>/dev/null`]);
    const again = await countedRestore(its, { target: whole.target, rule: IF_CHANGED });
    expect(again.summary).toMatchObject({ files: 1, replaced: 1, lost: 0 });
    expect(factsOf(whole.target)['./large']).toBe(factsOf(its.source)['./large']);
    // Blocks are fetched whole; two may hold what was changed.
    expect(again.read).toBeLessThan(whole.read / 20);
  });

  test('what the repository has lost and the target has is not lost', async () => {
    const its = await scratchRepository(FINE);
    writeFileSync(join(its.source, 'large'), randomContent(2, 2_000_000));
    await its.take();
    const { target } = await its.restore();
    const large = join(target, 'large');
    // Longer than it was, so that it cannot be right: all that is needed is there nevertheless.
    runScript(its.root, [`printf more >> '${large}'`]);
    const broken = (inner: Backend): Backend => ({
      ...forwardTo(inner),
      read: async (kind, name, range) => {
        const bytes = Uint8Array.from(await inner.read(kind, name, range));
        if (kind === 'packs' && bytes.length > 20_000) bytes.fill(0);
        return bytes;
      },
    });
    const again = await countedRestore(its, { target, rule: IF_CHANGED }, broken);
    expect(again.problems).toEqual([]);
    expect(factsOf(target)['./large']).toBe(factsOf(its.source)['./large']);
  });

  test('one of the right content and another time gets the time, and stays the file that it is', async () => {
    const its = await scratchRepository(FINE);
    writeFileSync(join(its.source, 'large'), randomContent(3, 500_000));
    await its.take();
    const { target } = await its.restore();
    const large = join(target, 'large');
    const { ino } = statSync(large);
    utimesSync(large, 1, 1);
    const again = await its.restore(undefined, { target, rule: IF_CHANGED });
    expect(again.summary).toMatchObject({ files: 0, unchanged: 1, verified: 1 });
    expect(statSync(large).ino).toBe(ino);
    expect(factsOf(target)['./large']).toBe(factsOf(its.source)['./large']);
  });

  test('one of the right size and time but other content is found by comparing alone', async () => {
    const its = await scratchRepository(FINE);
    writeFileSync(join(its.source, 'large'), randomContent(4, 500_000));
    await its.take();
    const { target } = await its.restore();
    const large = join(target, 'large');
    const { mtimeMs } = statSync(join(its.source, 'large'));
    runScript(its.root, [`printf X | dd of='${large}' bs=1 seek=70000 conv=notrunc 2>/dev/null`]);
    runScript(its.root, [`touch -r '${its.source}/large' '${large}'`]);
    expect(statSync(large).mtimeMs).toBe(mtimeMs);
    const trusting = await its.restore(undefined, { target, rule: IF_CHANGED, verify: false });
    expect(trusting.summary).toMatchObject({ unchanged: 1, replaced: 0 });
    const verified = await its.restore(undefined, { target, rule: IF_CHANGED });
    expect(verified.summary).toMatchObject({ unchanged: 1, lost: 1 });
    const comparing = { ...IF_CHANGED, compareContent: true };
    const compared = await its.restore(undefined, { target, rule: comparing });
    expect(compared.summary).toMatchObject({ unchanged: 0, replaced: 1, verified: 1 });
    expect(factsOf(target)['./large']).toBe(factsOf(its.source)['./large']);
  });
});

test.each([
  ['if-changed', false],
  ['if-changed', true],
  ['if-newer', false],
  ['always', false],
] as const)(
  'of many files that have to be compared each is dealt with: %s, by content: %s',
  async (overwrite, isByContent) => {
    const its = await scratchRepository();
    const count = 160;
    const time = new Date('2020-01-01');
    for (let i = 0; i < count; i++) {
      const folder = join(its.source, `${i % 8}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `${i}`), `content ${i}`);
      utimesSync(join(folder, `${i}`), time, time);
    }
    await its.take();
    const { target } = await its.restore(undefined, { verify: false });
    // Folders are newer than in the snapshot: not every rule touches them.
    const files = () => Object.entries(factsOf(target)).filter(([path]) => path.split('/').length === 3);
    const wanted = files();
    for (let i = 0; i < count; i++) {
      const file = join(target, `${i % 8}`, `${i}`);
      // A third of them is right but for the time.
      if (i % 3 > 0) writeFileSync(file, 'x'.repeat(statSync(file).size));
      const old = isByContent ? time : new Date('2000-01-01');
      utimesSync(file, old, old);
    }
    const rule = { overwrite, compareContent: isByContent };
    const { summary } = await its.restore(undefined, { target, rule, verify: false });
    const right = Math.ceil(count / 3);
    expect(summary).toMatchObject({
      files: count - right,
      replaced: count - right,
      unchanged: right,
      lost: 0,
    });
    expect(files()).toEqual(wanted);
  },
);

test('a restore that was stopped reads little again, and ends as one that was not', async () => {
  const its = await scratchRepository(FINE);
  for (let i = 0; i < 300; i++) {
    const folder = join(its.source, `folder ${i % 10}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${i}`), randomContent(i, 20_000));
    chmodSync(folder, 0o711);
  }
  linkSync(join(its.source, 'folder 1/1'), join(its.source, 'folder 9/linked'));
  await its.take();
  const whole = await countedRestore(its, {});
  const target = its.newTarget();
  let read = 0;
  const stopping = (inner: Backend): Backend => ({
    ...forwardTo(inner),
    read: async (kind, name, range) => {
      if (kind === 'packs' && read > 3_000_000) throw new CbrError('interrupted', 'enough');
      const bytes = await inner.read(kind, name, range);
      read += bytes.byteLength;
      return bytes;
    },
  });
  await expect(countedRestore(its, { target, windowItems: 100 }, stopping)).rejects.toMatchObject({
    code: 'interrupted',
  });
  const made = readdirSync(target).length;
  expect(made).toBeGreaterThan(0);
  const second = await countedRestore(its, { target, rule: IF_CHANGED });
  expect(second.summary.unchanged).toBeGreaterThan(20);
  expect(factsOf(target)).toEqual(factsOf(its.source));
  expect((read + second.read - whole.read) / whole.read).toBeLessThan(0.2);
  const third = await countedRestore(its, { target, rule: IF_CHANGED });
  expect(third.summary).toMatchObject({ files: 0, replaced: 0, unchanged: 301 });
  expect(third.read).toBeLessThan(whole.read / 20);
});

describe('nothing is written', () => {
  test('through a symlink, which gives way itself', async () => {
    const its = await scratchRepository();
    mkdirSync(join(its.source, 'folder'));
    writeFileSync(join(its.source, 'folder/in'), 'new');
    writeFileSync(join(its.source, 'file'), 'new');
    await its.take();
    const target = its.newTarget();
    const outside = join(its.root, 'outside');
    mkdirSync(outside);
    mkdirSync(target);
    writeFileSync(join(outside, 'in'), 'mine');
    symlinkSync(outside, join(target, 'folder'));
    symlinkSync(join(outside, 'in'), join(target, 'file'));
    const { summary, problems } = await its.restore(undefined, { target, rule: ALWAYS });
    expect(problems).toEqual([]);
    expect(summary).toMatchObject({ files: 2, replaced: 1, lost: 0 });
    expect(readFileSync(join(outside, 'in'), 'utf8')).toBe('mine');
    expect(readdirSync(outside)).toEqual(['in']);
    expect(factsOf(target)).toEqual(factsOf(its.source));
  });

  test('through another name of a file, its content and its metadata', async () => {
    const its = await scratchRepository();
    writeFileSync(join(its.source, 'content'), 'new');
    writeFileSync(join(its.source, 'mode'), 'same');
    chmodSync(join(its.source, 'mode'), 0o640);
    await its.take();
    const { target } = await its.restore();
    const outside = join(its.root, 'outside');
    mkdirSync(outside);
    runScript(target, ['printf old > content', 'chmod 666 mode', `ln content mode '${outside}'`]);
    const before = factsOf(outside);
    const { summary } = await its.restore(undefined, { target, rule: IF_CHANGED });
    expect(summary).toMatchObject({ replaced: 2, unchanged: 0 });
    expect(readFileSync(join(outside, 'content'), 'utf8')).toBe('old');
    expect(statSync(join(outside, 'mode')).mode & 0o777).toBe(0o666);
    expect(Object.keys(factsOf(outside))).toEqual(Object.keys(before));
    expect(factsOf(target)).toEqual(factsOf(its.source));
  });
});

test('names of one file are names of one file again, whatever was in their place', async () => {
  const its = await scratchRepository();
  writeFileSync(join(its.source, 'a'), 'content');
  for (const name of ['b', 'c', 'd']) linkSync(join(its.source, 'a'), join(its.source, name));
  await its.take();
  const { target } = await its.restore();
  const { ino } = statSync(join(target, 'a'));
  runScript(target, ['rm b c d', 'cp -p a b', 'ln -s a c', 'mkdir d']);
  const { summary, problems } = await its.restore(undefined, { target, rule: IF_CHANGED });
  expect(problems).toEqual([]);
  expect(summary).toMatchObject({ unchanged: 1, replaced: 3, lost: 0 });
  expect(statSync(join(target, 'a')).ino).toBe(ino);
  expect(factsOf(target)).toEqual(factsOf(its.source));
});

test('metadata of what is right is set where it differs, foreign attributes and ACLs go', async () => {
  const its = await scratchRepository();
  const can = probeAbilities(its.root);
  mkdirSync(join(its.source, 'folder'));
  for (const name of ['mode', 'owner', 'attributes', 'acl', 'folder/in']) {
    writeFileSync(join(its.source, name), name);
  }
  symlinkSync('nowhere', join(its.source, 'symlink'));
  if (can.xattrs) runScript(its.source, ['setfattr -n user.kept -v 0x01 attributes']);
  await its.take();
  const { target } = await its.restore();
  chmodSync(join(target, 'mode'), 0o777);
  chmodSync(join(target, 'folder'), 0o777);
  if (can.owners) chownSync(join(target, 'owner'), 12_345, 23_456);
  runScript(target, ['touch -h -d @1000000000 symlink', 'touch -d @1000000000 folder']);
  if (can.xattrs) {
    runScript(target, [
      'setfattr -n user.foreign -v 0x02 attributes',
      'setfattr -n user.kept -v 0x03 attributes',
    ]);
  }
  if (can.acls) runScript(target, ['setfacl -m u:12345:rw acl', 'setfacl -m d:u:12345:rw folder']);
  const inode = statSync(join(target, 'mode')).ino;
  const never = await its.restore(undefined, { target });
  expect(never.summary.skippedExisting).toBe(6);
  expect(statSync(join(target, 'mode')).mode & 0o777).toBe(0o777);
  const { summary, problems } = await its.restore(undefined, { target, rule: IF_CHANGED });
  expect(problems).toEqual([]);
  expect(summary).toMatchObject({ files: 0, others: 0, unchanged: 6 });
  expect(statSync(join(target, 'mode')).ino).toBe(inode);
  expect(factsOf(target)).toEqual(factsOf(its.source));
  if (can.xattrs) {
    const found = execFileSync('getfattr', ['-d', '-m', '-', join(target, 'attributes')], {
      encoding: 'utf8',
    });
    expect(found).toContain('user.kept=0sAQ==');
    expect(found).not.toContain('user.foreign');
  }
  if (can.acls) {
    const found = execFileSync('getfacl', ['-cp', join(target, 'acl'), join(target, 'folder')], {
      encoding: 'utf8',
    });
    expect(found).not.toContain('12345');
  }
});

test('what inode flags lock stays, and the reason is said', async () => {
  const its = scratch(DISK);
  await its.init();
  if (!probeAbilities(its.root).lockingFlags) return;
  for (const name of ['locked', 'free']) writeFileSync(join(its.source, name), 'new');
  await its.take();
  const target = its.newTarget();
  mkdirSync(target);
  runScript(target, ['printf old | tee locked > free', 'chattr +i locked']);
  try {
    const { summary, problems } = await its.restore(undefined, { target, rule: ALWAYS, verify: false });
    expect(summary).toMatchObject({ replaced: 1, lost: 1 });
    expect(problems).toMatchObject([{ subject: 'locked', reason: expect.stringContaining('chattr -ia') }]);
    expect(readFileSync(join(target, 'locked'), 'utf8')).toBe('old');
    expect(readFileSync(join(target, 'free'), 'utf8')).toBe('new');
    expect(readdirSync(target).sort()).toEqual(['free', 'locked']);
  } finally {
    runScript(target, ['chattr -i locked']);
  }
});

describe('where a folder and something else meet', () => {
  test('a folder that is filled stays, and what a folder replaces goes when all in it is there', async () => {
    const its = await scratchRepository();
    mkdirSync(join(its.source, 'folder'));
    writeFileSync(join(its.source, 'folder/in'), 'new');
    for (const name of ['filled', 'empty']) writeFileSync(join(its.source, name), 'new');
    await its.take();
    const target = its.newTarget();
    mkdirSync(join(target, 'filled'), { recursive: true });
    mkdirSync(join(target, 'empty'));
    writeFileSync(join(target, 'filled/mine'), 'mine');
    writeFileSync(join(target, 'folder'), 'a file');
    const { summary, problems } = await its.restore(undefined, { target, rule: ALWAYS, verify: false });
    expect(summary).toMatchObject({ lost: 1, folders: 1 });
    expect(problems).toMatchObject([{ subject: 'filled', reason: expect.stringContaining('--delete') }]);
    expect(readdirSync(target).sort()).toEqual(['empty', 'filled', 'folder']);
    expect(readFileSync(join(target, 'filled/mine'), 'utf8')).toBe('mine');
    expect(readFileSync(join(target, 'empty'), 'utf8')).toBe('new');
    expect(readFileSync(join(target, 'folder/in'), 'utf8')).toBe('new');
  });

  test('what a folder replaces stays beside when something in the folder is lost', async () => {
    const its = await scratchRepository();
    mkdirSync(join(its.source, 'folder'));
    writeFileSync(join(its.source, 'folder/in'), randomContent(5, 100_000));
    await its.take();
    const target = its.newTarget();
    mkdirSync(target);
    writeFileSync(join(target, 'folder'), 'a file');
    const broken = (inner: Backend): Backend => ({
      ...forwardTo(inner),
      read: async (kind, name, range) => {
        const bytes = Uint8Array.from(await inner.read(kind, name, range));
        if (kind === 'packs' && bytes.length > 50_000) bytes.fill(0);
        return bytes;
      },
    });
    const { summary } = await countedRestore(its, { target, rule: ALWAYS }, broken);
    expect(summary.lost).toBe(1);
    const kept = readdirSync(target).find((name) => name !== 'folder');
    expect(kept).toMatch(/^folder\.cbr-old-[0-9a-f]{8}$/);
    expect(readFileSync(join(target, kept!), 'utf8')).toBe('a file');
  });

  test('also where the path that is lost has another layout than the target', async () => {
    const its = await scratchRepository();
    const children: Forged[] = [
      { name: 'no/name', type: 'file' },
      { name: 'in', type: 'file', size: 3, hole: 3 },
    ];
    const folder: Forged = { name: 'folder', type: 'directory', children };
    const above: Forged = { name: 'above', type: 'directory', children: [folder] };
    const id = await its.use((repository) => forgedSnapshot(repository, [above]));
    const target = its.newTarget();
    mkdirSync(target);
    writeFileSync(join(target, 'folder'), 'a file');
    const layout = { flatten: false, stripComponents: 1 };
    const restored = await its.restore(id, { path: '/', target, layout, rule: ALWAYS, verify: false });
    expect(restored.summary).toMatchObject({ files: 1, lost: 1 });
    const kept = readdirSync(target).find((name) => name !== 'folder');
    expect(readFileSync(join(target, kept!), 'utf8')).toBe('a file');
  });
});
