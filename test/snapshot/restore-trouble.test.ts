import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Backend } from '../../dist/backends/index.js';
import { CbrError, type ChunkId } from '../../dist/core/index.js';
import { ALL_METADATA, NO_RULES } from '../../dist/fs/index.js';
import {
  type ContentItem,
  type Entry,
  type OperationEvent,
  OVERWRITE_NOTHING,
  type ProblemEvent,
  type RestoreOptions,
  type RestoreSummary,
  restoreSnapshot,
  SAME_LAYOUT,
} from '../../dist/snapshot/index.js';
import { FileUnderway } from '../../dist/snapshot/restore/file-underway.js';
import { hasSameContent } from '../../dist/snapshot/restore/same-content.js';
import { Window } from '../../dist/snapshot/restore/window.js';
import { WindowFiller } from '../../dist/snapshot/restore/window-filler.js';
import { randomContent } from './random-content.js';
import { isRoot, type Scratch, scratchRepository } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

/** A restore in which something beside the repository's content goes wrong, or only once. */

type Bytes = Uint8Array;

/** A user without rights. */
const OTHER = 65_534;

/** A backend of which `harm` may change what is read of packs, or throw. */
const reading =
  (harm: (bytes: Bytes, name: string, offset: number) => void) =>
  (inner: Backend): Backend =>
    new Proxy(inner, {
      get(target, key) {
        if (key === 'read') {
          const read: Backend['read'] = async (kind, name, range) => {
            const bytes = Uint8Array.from(await target.read(kind, name, range));
            if (kind === 'packs')
              harm(bytes, name, range !== undefined && 'offset' in range ? range.offset : 0);
            return bytes;
          };
          return read;
        }
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });

async function withFiles(count = 200): Promise<Scratch> {
  const its = await scratchRepository({ chunkBytes: 4096, blockBytes: 256 * 1024, packBytes: 2 ** 20 });
  for (let i = 0; i < count; i++) {
    const folder = join(its.source, `folder ${i % 10}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${i}`), randomContent(i, 9000));
  }
  await its.take();
  return its;
}

describe('a bad read that does not come again', () => {
  test.each([1_000_000, 60])('of content, in windows of %i items', async (windowItems) => {
    const its = await withFiles();
    let harmed = 0;
    const wrapBackend = reading((bytes) => {
      if (bytes.length < 100_000 || harmed > 0) return;
      harmed++;
      bytes[bytes.length >> 1]! ^= 1;
    });
    const { target, summary, problems } = await its.restore(undefined, { windowItems }, { wrapBackend });
    expect(harmed).toBe(1);
    expect(problems).toEqual([]);
    expect(summary).toMatchObject({ files: 200, lost: 0, verified: 200 });
    expect(factsOf(target)).toEqual(factsOf(its.source));
  });

  test('of any read of packs at all, trees and headers too', async () => {
    const its = await withFiles(40);
    const facts = factsOf(its.source);
    let reads = 0;
    await its.restore(undefined, { verify: false }, { wrapBackend: reading(() => reads++) });
    expect(reads).toBeGreaterThan(3);
    for (let bad = 0; bad < reads; bad++) {
      let number = 0;
      const wrapBackend = reading((bytes) => {
        if (number++ === bad) bytes[bytes.length >> 1]! ^= 1;
      });
      const { target, summary } = await its.restore(undefined, { verify: false }, { wrapBackend });
      expect(summary, `read ${bad}`).toMatchObject({ files: 40, lost: 0 });
      expect(factsOf(target)).toEqual(facts);
    }
  });

  test('but one that always comes loses only what is in its block, in later windows too', async () => {
    const its = await withFiles();
    const place: { name: string; offset: number }[] = [];
    const wrapBackend = reading((bytes, name, offset) => {
      if (bytes.length < 100_000) return;
      if (place.length === 0) place.push({ name, offset: offset + 1000 });
      const [{ name: bad, offset: at }] = place as [{ name: string; offset: number }];
      if (name === bad && at >= offset && at < offset + bytes.length) bytes[at - offset]! ^= 1;
    });
    const restored = await its.restore(undefined, { windowItems: 60, verify: false }, { wrapBackend });
    const { target, summary, problems } = restored;
    expect(summary.lost).toBeGreaterThan(0);
    expect(summary.lost).toBeLessThan(40);
    expect(summary.files + summary.lost).toBe(200);
    for (const { subject } of problems) expect(existsSync(join(target, subject)), subject).toBe(false);
  });
});

test('a restore that fails leaves no folder and no file open', async () => {
  const its = await withFiles();
  const open = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${fd}`);
        return path.startsWith(join(its.root, 'target')) ? [path] : [];
      } catch {
        return [];
      }
    });
  let reads = 0;
  const wrapBackend = reading((bytes) => {
    if (bytes.length > 50_000 && ++reads > 2) throw new CbrError('interrupted', 'enough');
  });
  const restoring = its.restore(undefined, { windowItems: 60 }, { wrapBackend });
  await expect(restoring).rejects.toMatchObject({ code: 'interrupted' });
  expect(open()).toEqual([]);
});

describe('a preview', () => {
  test('says what the restore then does: what exists is left alone, symlinks are not followed', async () => {
    const its = await scratchRepository();
    for (const folder of ['there/inner', 'linked', 'file', 'new/inner'])
      mkdirSync(join(its.source, folder), { recursive: true });
    for (const name of ['there/a', 'there/inner/b', 'there/c', 'linked/d', 'file/e', 'new/inner/f', 'g'])
      writeFileSync(join(its.source, name), name);
    symlinkSync('x', join(its.source, 'symlink'));
    linkSync(join(its.source, 'there/a'), join(its.source, 'y'));
    linkSync(join(its.source, 'there/a'), join(its.source, 'z'));
    linkSync(join(its.source, 'new/inner/f'), join(its.source, 'there/linked'));
    await its.take();
    const target = its.newTarget();
    const outside = join(its.root, 'outside');
    for (const folder of [outside, join(target, 'there/inner')]) mkdirSync(folder, { recursive: true });
    writeFileSync(join(outside, 'd'), 'not in the target');
    for (const name of ['there/a', 'there/inner/b', 'file']) writeFileSync(join(target, name), 'mine');
    symlinkSync(outside, join(target, 'linked'));
    symlinkSync('nowhere', join(target, 'symlink'));
    symlinkSync('nowhere', join(target, 'g'));
    const before = factsOf(target);
    const options = { target, verify: false };
    const preview = await its.restore(undefined, { ...options, dryRun: true });
    expect(factsOf(target)).toEqual(before);
    const real = await its.restore(undefined, options);
    expect(preview.summary).toMatchObject({ files: 5, skippedExisting: 4, folders: 4, lost: 4 });
    expect(preview.summary).toEqual(real.summary);
    expect(preview.problems).toEqual(real.problems);
  });

  test('of a target that is not there, or is no folder', async () => {
    const its = await withFiles(10);
    const target = its.newTarget();
    const { summary } = await its.restore(undefined, { target, dryRun: true });
    expect(summary).toMatchObject({ files: 10, skippedExisting: 0 });
    expect(existsSync(target)).toBe(false);
    writeFileSync(target, '');
    const refused = its.restore(undefined, { target, dryRun: true });
    await expect(refused).rejects.toMatchObject({ code: 'target' });
  });
});

describe('a verification', () => {
  const ALONE = 'existed, was left alone, and differs from the snapshot: ';

  /** Restores and verifies, and does something when a file has got its name. */
  async function restoring(
    its: Scratch,
    target: string,
    named: (path: string) => void,
  ): Promise<{ summary: RestoreSummary; problems: ProblemEvent[] }> {
    const problems: ProblemEvent[] = [];
    const listen = (event: OperationEvent): void => {
      if (event.type === 'problem') problems.push(event);
      if (event.type === 'item') named(event.path);
    };
    const snapshot = (await its.snapshots()).at(-1);
    const options: RestoreOptions = {
      snapshot: snapshot!,
      path: its.source,
      target,
      rules: NO_RULES,
      rule: OVERWRITE_NOTHING,
      metadata: ALL_METADATA,
      layout: SAME_LAYOUT,
      ownFolders: [],
      dryRun: false,
      verify: true,
      threads: 2,
      items: true,
      signal: new AbortController().signal,
    };
    const summary = await its.use((repository) => restoreSnapshot(repository, options, listen));
    return { summary, problems };
  }

  test('loses what differs from what was just written', async () => {
    const its = await withFiles(10);
    const target = its.newTarget();
    const { summary, problems } = await restoring(its, target, (path) => {
      if (path === 'folder 3/3') truncateSync(join(target, path), 8000);
    });
    expect(summary).toMatchObject({ files: 10, lost: 1, verified: 9 });
    expect(problems).toMatchObject([{ severity: 'error', subject: 'folder 3/3' }]);
    expect(problems[0]!.reason).toMatch(/^verification: it ends before byte/);
  });

  test('loses nothing that existed and was left alone', async () => {
    const its = await withFiles(5);
    const target = its.newTarget();
    for (let i = 0; i < 3; i++) mkdirSync(join(target, `folder ${i}`), { recursive: true });
    writeFileSync(join(target, 'folder 0/0'), 'mine');
    symlinkSync('nowhere', join(target, 'folder 1/1'));
    mkdirSync(join(target, 'folder 2/2'));
    const { summary, problems } = await its.restore(undefined, { target });
    expect(summary).toMatchObject({ files: 2, skippedExisting: 3, lost: 0, verified: 2 });
    const said = problems.map(({ severity, subject, reason }) => [severity, subject, reason]).sort();
    expect(said).toEqual([
      ['note', 'folder 0/0', expect.stringContaining(ALONE)],
      ['note', 'folder 1/1', `${ALONE}a symlink is in its place`],
      ['note', 'folder 2/2', `${ALONE}a folder is in its place`],
    ]);
  });

  test('says what this user may not read back, and loses nothing of it', async () => {
    const its = await withFiles(3);
    mkdirSync(join(its.source, 'closed/inner'), { recursive: true });
    writeFileSync(join(its.source, 'closed/inner/file'), 'x');
    await its.take();
    const target = its.newTarget();
    const closed = join(target, 'closed');
    mkdirSync(closed, { recursive: true });
    // Root may read everything.
    if (isRoot) {
      execFileSync('chown', ['-R', `${OTHER}:${OTHER}`, its.root]);
      process.setegid!(OTHER);
      process.seteuid!(OTHER);
    }
    try {
      const { summary, problems } = await restoring(its, target, (path) => {
        if (path === 'folder 1/1') chmodSync(join(target, path), 0);
        if (path === 'closed/inner/file') chmodSync(closed, 0);
      });
      expect(summary).toMatchObject({ files: 4, lost: 0, verified: 2 });
      const said = problems.filter(({ severity }) => severity !== 'metadata');
      expect(said.map(({ severity, subject, reason }) => [severity, subject, reason]).sort()).toEqual([
        ['note', 'closed', 'could not be verified, nor what is in it: permission denied (EACCES)'],
        ['note', 'folder 1/1', 'could not be verified: permission denied (EACCES)'],
      ]);
    } finally {
      if (isRoot) {
        process.seteuid!(0);
        process.setegid!(0);
      }
    }
  });
});

test('inode flags of a further name that stands alone, as the first one existed', async () => {
  const its = await scratchRepository();
  for (const name of ['a', 'c']) writeFileSync(join(its.source, name), name);
  linkSync(join(its.source, 'a'), join(its.source, 'b'));
  linkSync(join(its.source, 'a'), join(its.source, 'd'));
  execFileSync('chattr', ['+d', join(its.source, 'a'), join(its.source, 'c')]);
  await its.take();
  const target = its.newTarget();
  mkdirSync(target);
  writeFileSync(join(target, 'a'), 'mine');
  const { summary, problems } = await its.restore(undefined, { target, verify: false });
  expect(problems).toEqual([]);
  expect(summary).toMatchObject({ files: 3, skippedExisting: 1 });
  expect(readFileSync(join(target, 'b'), 'utf8')).toBe('a');
  const flags = execFileSync('lsattr', [target], { encoding: 'utf8' }).trim().split('\n');
  const withFlag = flags.filter((line) => line.split(' ')[0]!.includes('d')).map((line) => line.at(-1));
  expect(withFlag.sort()).toEqual(['b', 'c', 'd']);
});

describe('names of one group', () => {
  const file = (name: string, items: readonly ContentItem[]): Entry => ({
    name,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    size: items.reduce((sum, item) => sum + (item.id === undefined ? item.hole : item.length), 0),
    content: { kind: 'items', items },
    linkGroup: 'a group ',
  });
  const chunk = (letter: string) => ({ id: letter.repeat(32) as ChunkId, length: 10 });

  test.each([
    ['the same content', [chunk('a'), { hole: 5 }], true],
    ['another chunk', [chunk('b'), { hole: 5 }], false],
    ['another hole', [chunk('a'), { hole: 6 }], false],
    ['less', [chunk('a')], false],
    ['the same in another order', [{ hole: 5 }, chunk('a')], false],
  ])('are linked when they have the same content: %s', (_, items, isSame) => {
    expect(hasSameContent(file('x', [chunk('a'), { hole: 5 }]), file('y', items))).toBe(isSame);
  });

  test('nor are content lists that differ', () => {
    const listed = (letter: string): Entry => ({
      ...file('x', []),
      size: 10,
      content: { kind: 'list', root: chunk(letter) },
    });
    expect(hasSameContent(listed('a'), listed('a'))).toBe(true);
    expect(hasSameContent(listed('a'), listed('b'))).toBe(false);
    expect(hasSameContent(listed('a'), { ...listed('a'), size: 11 })).toBe(false);
    expect(hasSameContent(listed('a'), file('x', [chunk('a')]))).toBe(false);
  });
});

test('a window ends when the attributes of its files are many bytes, and nothing is forgotten of one that fails', async () => {
  let fail = false;
  const limits = { bytes: 1e9, items: 1e9, parts: 1e9, spreadParts: 1e9, entryBytes: 1000 };
  const runner = {
    isHungry: false,
    newWindow: () => new Window(() => undefined),
    defer: () => undefined,
    run: async () => {
      if (fail) throw new Error('the window failed');
    },
  };
  const filler = new WindowFiller(runner, limits);
  const underway = (bytes: number): FileUnderway => {
    const entry = { name: 'x', type: 'file', mode: 0, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } };
    return new FileUnderway({} as FileUnderway['node'], entry as Entry, new Uint8Array(bytes), 'x');
  };
  filler.add(underway(999), [], 0);
  expect(filler.isFull).toBe(false);
  filler.add(underway(1), [], 0);
  expect(filler.isFull).toBe(true);
  fail = true;
  await filler.flush();
  expect(filler).toMatchObject({ isFull: false, isDone: false });
  await expect(filler.settleOne()).rejects.toThrow('the window failed');
  expect(filler.isDone).toBe(true);
});
