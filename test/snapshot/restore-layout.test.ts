import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { forwardTo } from '../../dist/backends/forward.js';
import type { Backend } from '../../dist/backends/index.js';
import { MetadataWriter, Owners, openTarget, rawPath } from '../../dist/fs/index.js';
import { OVERWRITE_NOTHING, type OverwriteRule } from '../../dist/snapshot/index.js';
import { probeAbilities } from './abilities.js';
import { randomContent } from './random-content.js';
import { isRoot, type Scratch, scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';

/** A restore that leaves some metadata out, or lays things out in another way than the snapshot. */

const IF_CHANGED: OverwriteRule = { overwrite: 'if-changed', compareContent: false };
const ALWAYS: OverwriteRule = { overwrite: 'always', compareContent: false };

test('owners and attributes are left out where that is asked for', async () => {
  const its = await scratchRepository();
  const can = probeAbilities(its.root);
  for (const name of ['plain', 'setuid']) writeFileSync(join(its.source, name), name);
  if (can.owners) for (const name of ['plain', 'setuid']) chownSync(join(its.source, name), 12_345, 23_456);
  chmodSync(join(its.source, 'setuid'), 0o6755);
  if (can.xattrs) runScript(its.source, ['setfattr -n user.mine -v 0x01 plain']);
  if (can.acls) runScript(its.source, ['setfacl -m u:54321:rw plain']);
  await its.take();
  const none = await its.restore(undefined, { metadata: { owners: 'none', xattrs: false } });
  const plain = lstatSync(join(none.target, 'plain'));
  expect([plain.uid, plain.gid]).toEqual([process.geteuid!(), process.getegid!()]);
  // It must not lend the rights of whoever restores.
  if (isRoot) expect(lstatSync(join(none.target, 'setuid')).mode & 0o7777).toBe(0o755);
  if (can.xattrs) {
    const found = execFileSync('getfattr', ['-d', '-m', '-', join(none.target, 'plain')], {
      encoding: 'utf8',
    });
    expect(found).not.toContain('user.mine');
  }
  if (can.acls) {
    const found = execFileSync('getfacl', ['-cp', join(none.target, 'plain')], { encoding: 'utf8' });
    expect(found).toContain('user:54321:rw');
  }
});

test.runIf(isRoot)('owners are those of the names, or of the numbers where that is asked for', () => {
  const its = scratch();
  const folder = openTarget(rawPath(its.source));
  writeFileSync(join(its.source, 'file'), 'x');
  const metadata = {
    ...{ type: 'file' as const, mode: 0o644, uid: 12_345, gid: 23_456, user: 'daemon' },
    mtime: { seconds: 0, nanoseconds: 0 },
  };
  const ownerBy = (owners: 'names' | 'numbers' | 'none'): number => {
    chownSync(join(its.source, 'file'), 0, 0);
    new MetadataWriter(new Owners(), [], { owners, xattrs: true }).applyToEntry(folder, 'file', metadata);
    return lstatSync(join(its.source, 'file')).uid;
  };
  expect([ownerBy('names'), ownerBy('numbers'), ownerBy('none')]).toEqual([1, 12_345, 0]);
  folder.close();
});

describe('with another layout', () => {
  async function photos(): Promise<Scratch> {
    const its = await scratchRepository();
    for (const year of ['2023', '2024/summer', '2024/winter']) {
      mkdirSync(join(its.source, year), { recursive: true });
      writeFileSync(join(its.source, year, 'photo.jpg'), year);
    }
    writeFileSync(join(its.source, 'index'), 'i');
    symlinkSync('index', join(its.source, '2023/symlink'));
    linkSync(join(its.source, '2023/photo.jpg'), join(its.source, '2024/linked.jpg'));
    await its.take();
    return its;
  }

  test('all files lie in the target itself, and numbers keep names apart', async () => {
    const its = await photos();
    const layout = { flatten: true, stripComponents: 0 };
    const { target, summary, problems } = await its.restore(undefined, { layout });
    expect(readdirSync(target).sort()).toEqual(
      ['index', 'linked.jpg', 'photo (2).jpg', 'photo (3).jpg', 'photo.jpg', 'symlink'].sort(),
    );
    expect(readFileSync(join(target, 'photo.jpg'), 'utf8')).toBe('2023');
    expect(readFileSync(join(target, 'photo (2).jpg'), 'utf8')).toBe('2024/summer');
    expect(statSync(join(target, 'photo.jpg')).nlink).toBe(2);
    expect(summary).toMatchObject({ folders: 0, lost: 0, verified: 5 });
    expect(problems.map(({ severity }) => severity)).toEqual(['note', 'note']);
    const again = await its.restore(undefined, { layout, target, rule: IF_CHANGED });
    expect(again.summary).toMatchObject({ files: 0, replaced: 0, unchanged: 6 });
  });

  test('folders are left out in front, and what would collide is lost, not overwritten', async () => {
    const its = await photos();
    const layout = { flatten: false, stripComponents: 1 };
    const { target, summary, problems } = await its.restore(undefined, { layout, rule: ALWAYS });
    expect(readdirSync(target).sort()).toEqual(['linked.jpg', 'photo.jpg', 'summer', 'symlink', 'winter']);
    expect(summary).toMatchObject({ stripped: 1, lost: 0 });
    expect(problems).toEqual([]);
    const two = await its.restore(undefined, { layout: { ...layout, stripComponents: 2 }, rule: ALWAYS });
    expect(readdirSync(two.target)).toEqual(['photo.jpg']);
    expect(readFileSync(join(two.target, 'photo.jpg'), 'utf8')).toBe('2024/summer');
    expect(two.summary).toMatchObject({ stripped: 4, lost: 1 });
    expect(two.problems[0]).toMatchObject({ severity: 'error', subject: '2024/winter/photo.jpg' });
    expect(existsSync(join(two.target, 'index'))).toBe(false);
    expect(readlinkSync(join(target, 'symlink'))).toBe('index');
  });
});

describe('names that are one in the target', () => {
  test.each([
    ['where the restore has made the folder, it is lost', false, OVERWRITE_NOTHING, 1],
    ['where the folder existed, it is lost', true, ALWAYS, 1],
    [
      'but where it existed and nothing is overwritten, what is there is left alone',
      true,
      OVERWRITE_NOTHING,
      0,
    ],
  ])('when a name is taken after it was free: %s', async (_, exists, rule, lost) => {
    const its = await scratchRepository();
    writeFileSync(join(its.source, 'file'), randomContent(1, 100_000));
    await its.take();
    const target = its.newTarget();
    if (exists) mkdirSync(target);
    const taking = (inner: Backend): Backend => ({
      ...forwardTo(inner),
      read: async (kind, name, range) => {
        const bytes = await inner.read(kind, name, range);
        // Its content, which is fetched after its name was looked at.
        if (kind === 'packs' && bytes.length > 50_000) writeFileSync(join(target, 'file'), 'taken');
        return bytes;
      },
    });
    const restored = await its.restore(undefined, { target, rule, verify: false }, { wrapBackend: taking });
    expect(restored.summary).toMatchObject({ files: 0, unchanged: 0, lost, skippedExisting: 1 - lost });
    expect(readFileSync(join(target, 'file'), 'utf8')).toBe('taken');
  });

  test('where the folder existed: what the restore has put there does not give way', async () => {
    const its = await scratchRepository();
    if (!probeAbilities(its.root).mounts) return;
    for (const name of ['A', 'FOLDER/in']) {
      for (const each of [name, name.toLowerCase()]) {
        mkdirSync(dirname(join(its.source, each)), { recursive: true });
        writeFileSync(join(its.source, each), each);
      }
    }
    await its.take();
    const { target } = await its.restore();
    // Two names of one entry, as it seems.
    runScript(target, ['mount --bind A a', 'mount --bind FOLDER folder']);
    try {
      for (const rule of [OVERWRITE_NOTHING, IF_CHANGED]) {
        const { summary, problems } = await its.restore(undefined, { target, rule, verify: false });
        expect(summary).toMatchObject({ files: 0, replaced: 0, lost: 3 });
        expect(problems.map(({ subject }) => subject)).toEqual(['a', 'folder', 'folder/in']);
        expect(problems[0]!.reason).toContain('has taken its name');
      }
      expect(readFileSync(join(target, 'A'), 'utf8')).toBe('A');
      expect(readFileSync(join(target, 'FOLDER/in'), 'utf8')).toBe('FOLDER/in');
    } finally {
      runScript(target, ['umount a folder']);
    }
  });
});
