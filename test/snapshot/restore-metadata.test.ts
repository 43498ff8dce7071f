import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ChunkId } from '../../dist/core/index.js';
import { lookAt, MetadataWriter, Owners, openTarget, type Problem, rawPath } from '../../dist/fs/index.js';
import type { Entry, OverwriteRule } from '../../dist/snapshot/index.js';
import type { PlacedEntry } from '../../dist/snapshot/restore/file-underway.js';
import { InlineAttributes } from '../../dist/snapshot/restore/inline-attributes.js';
import { OtherEntries } from '../../dist/snapshot/restore/other-entries.js';
import { RestoreReport } from '../../dist/snapshot/restore/restore-report.js';
import { TakenNames } from '../../dist/snapshot/restore/taken-names.js';
import { probeAbilities } from './abilities.js';
import { type Forged, forgedSnapshot } from './forged-snapshot.js';
import { DISK } from './places.js';
import { isRoot, type Scratch, scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';

/** What a restore does to the metadata of what exists. */

const IF_CHANGED: OverwriteRule = { overwrite: 'if-changed', compareContent: false };
const ALWAYS: OverwriteRule = { overwrite: 'always', compareContent: false };

test('what cannot be set is told by the name that the entry gets, not by one that it had for a moment', async () => {
  const its = scratch();
  symlinkSync('before', join(its.source, 'link'));
  const folder = openTarget(rawPath(its.source));
  const problems: Problem[] = [];
  const writer = new MetadataWriter(new Owners(), problems);
  const report = new RestoreReport(
    () => undefined,
    false,
    undefined,
    () => 0,
  );
  const attributes = new InlineAttributes(() => Promise.reject(new Error('asked for nothing')), report);
  const taken = new TakenNames(report, false, false);
  const ends: string[] = [];
  const others = new OtherEntries(writer, report, attributes, taken, (_, end) => ends.push(end));
  const entry: Entry = {
    ...{ name: 'link', type: 'symlink', mode: 0o777, uid: process.geteuid!(), gid: process.getegid!() },
    ...{ mtime: { seconds: 1, nanoseconds: 0 }, linkTarget: 'after' },
    // No file system keeps these of a symlink.
    xattrs: [{ name: 'user.some', value: Buffer.from('x') }],
  };
  const placed = { node: { folder }, entry, path: 'link' } as unknown as PlacedEntry;
  await others.restore(placed, { seen: lookAt(folder, 'link')! });
  folder.close();
  expect(ends).toEqual(['restored']);
  expect(problems).toMatchObject([{ path: join(its.source, 'link'), what: 'xattr user.some' }]);
});

describe('an attribute that the repository has lost', () => {
  const xattrs = [{ name: 'user.good', value: { id: 'nowhere'.padEnd(32) as ChunkId, length: 5000 } }];
  const forged: readonly Forged[] = [
    { name: 'file', type: 'file', size: 3, hole: 3, xattrs },
    { name: 'folder', type: 'directory', children: [], xattrs },
    { name: 'other', type: 'file', size: 3, hole: 3, xattrs },
  ];

  test('stays in the target, with the file that has it', async () => {
    const its = await scratchRepository();
    if (!probeAbilities(its.root).xattrs) return;
    const id = await its.use((repository) => forgedSnapshot(repository, forged));
    const target = its.newTarget();
    mkdirSync(join(target, 'folder'), { recursive: true });
    writeFileSync(join(target, 'file'), '\0\0\0');
    writeFileSync(join(target, 'other'), 'another content');
    utimesSync(join(target, 'file'), 1, 1);
    runScript(target, [
      'setfattr -n user.good -v good file folder other',
      'setfattr -n user.foreign -v x file',
    ]);
    for (const rule of [IF_CHANGED, ALWAYS]) {
      const { summary } = await its.restore(id, { path: '/', target, rule, verify: false });
      expect(summary).toMatchObject({ files: 0, unchanged: 0, replaced: 0, lost: 3 });
    }
    for (const name of ['file', 'folder', 'other']) {
      const found = execFileSync('getfattr', ['-d', join(target, name)], { encoding: 'utf8', stdio: 'pipe' });
      expect(found).toContain('user.good="good"');
      expect(found).not.toContain('user.foreign');
    }
    expect(readFileSync(join(target, 'other'), 'utf8')).toBe('another content');
    expect(statSync(join(target, 'file')).mode & 0o777).toBe(0o644);
  });
});

describe('no rights are lent', () => {
  async function program(): Promise<Scratch & { readonly target: string; readonly planted: string }> {
    const its = await scratchRepository();
    const stored = join(its.source, 'program');
    writeFileSync(stored, 'good');
    chmodSync(stored, 0o4755);
    await its.take();
    const target = its.newTarget();
    const planted = join(target, 'program');
    mkdirSync(target);
    writeFileSync(planted, 'evil');
    chmodSync(planted, 0o755);
    runScript(target, [`touch -r '${stored}' program`]);
    return Object.assign(its, { target, planted });
  }

  test('to content that has only the size and the time of what was stored', async () => {
    const its = await program();
    if (isRoot) chownSync(its.planted, 1000, 1000);
    const preview = await its.restore(undefined, { target: its.target, rule: IF_CHANGED, dryRun: true });
    const { summary } = await its.restore(undefined, { target: its.target, rule: IF_CHANGED });
    expect(summary).toMatchObject({ replaced: 1, unchanged: 0, lost: 0 });
    expect(preview.summary).toMatchObject({ replaced: 1, unchanged: 0 });
    expect(readFileSync(its.planted, 'utf8')).toBe('good');
    const { mode, uid } = statSync(its.planted);
    expect([mode & 0o7777, uid]).toEqual([0o4755, process.geteuid!()]);
  });

  test.runIf(isRoot)('of a user whose the file is, where owners are left as they are', async () => {
    const its = await program();
    runScript(its.target, [
      `cp -p '${its.source}/program' .`,
      'chown 1000:1000 program',
      'chmod 755 program',
    ]);
    const metadata = { owners: 'none', xattrs: true } as const;
    const { summary } = await its.restore(undefined, { target: its.target, rule: IF_CHANGED, metadata });
    expect(summary).toMatchObject({ unchanged: 1, lost: 0 });
    const { mode, uid } = statSync(its.planted);
    expect([mode & 0o7777, uid]).toEqual([0o755, 1000]);
  });
});

describe('inode flags', () => {
  test('are not set through a name outside the target', async () => {
    const its = scratch(DISK);
    await its.init();
    if (!probeAbilities(its.root).flags) return;
    for (const name of ['alone', 'first']) writeFileSync(join(its.source, name), name);
    linkSync(join(its.source, 'first'), join(its.source, 'second'));
    runScript(its.source, ['chattr +d alone first']);
    await its.take();
    const { target } = await its.restore();
    const outside = join(its.root, 'outside');
    mkdirSync(outside);
    runScript(target, ['chattr -d alone first', `ln alone first '${outside}'`]);
    const { summary, problems } = await its.restore(undefined, { target, rule: IF_CHANGED });
    expect(problems).toEqual([]);
    expect(summary).toMatchObject({ replaced: 3, lost: 0 });
    const flags = (folder: string): readonly boolean[] => {
      const lines = execFileSync('lsattr', [folder], { encoding: 'utf8' }).trim().split('\n');
      return lines.map((line) => line.split(' ')[0]!.includes('d'));
    };
    expect(flags(target)).toEqual([true, true, true]);
    expect(flags(outside)).toEqual([false, false]);
    expect(statSync(join(target, 'first')).nlink).toBe(2);
  });

  test('that keep a file from getting another name make that name a file of its own', async () => {
    const its = scratch(DISK);
    await its.init();
    if (!probeAbilities(its.root).lockingFlags) return;
    writeFileSync(join(its.source, 'first'), 'content');
    linkSync(join(its.source, 'first'), join(its.source, 'second'));
    await its.take();
    const { target } = await its.restore();
    runScript(target, ['rm second', 'chattr +i first']);
    const { summary, problems } = await its.restore(undefined, { target, rule: IF_CHANGED });
    expect(summary).toMatchObject({ files: 1, unchanged: 1, lost: 0, verified: 2 });
    expect(problems).toMatchObject([{ severity: 'note', subject: 'second' }]);
    expect(readFileSync(join(target, 'second'), 'utf8')).toBe('content');
  });
});
