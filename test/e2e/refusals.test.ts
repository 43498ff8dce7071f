import { existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { probeAbilities, tellMissing } from '../snapshot/abilities.js';
import { QUICK } from '../snapshot/places.js';
import { randomContent } from '../snapshot/random-content.js';
import { isRoot } from '../snapshot/scratch-repository.js';
import { buildTree, runScript } from '../snapshot/source-tree.js';
import { factsOf } from '../snapshot/tree-facts.js';
import { type JsonLine, type Program, program } from './program.js';

const can = probeAbilities(QUICK);
tellMissing(can, 'Refusals of the system');

/** Without any privilege a root user is an ordinary one, who can still reach this checkout wherever it lies. */
const ORDINARY: readonly string[] = isRoot ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [];

async function made(): Promise<Program> {
  const its = program();
  await its.succeed(['init', '--no-encryption', '--block-size', '1MiB', '--pack-size', '1MiB']);
  return its;
}

const problemsOf = (lines: readonly JsonLine[]): JsonLine[] => lines.filter(({ type }) => type === 'problem');

describe('a source that may not be read', () => {
  test('the snapshot is finished, and each refusal listed', async () => {
    const its = await made();
    const at = (name: string): string => join(its.source, name);
    mkdirSync(at('closed folder/inner'), { recursive: true });
    writeFileSync(at('closed folder/inner/file'), 'unseen');
    writeFileSync(at('small'), 'unreadable');
    // Not to be mistaken for a file that vanished, whatever its name.
    writeFileSync(at('(ENOENT)'), randomContent(1, 6_000_000));
    writeFileSync(at('readable'), 'content');
    runScript(its.source, ["chmod 0 'closed folder' small '(ENOENT)'"]);
    const { code, lines, summary } = await its.json(['snapshot', its.source], { under: ORDINARY });
    expect({ code, stated: summary.exitCode }).toEqual({ code: 3, stated: 3 });
    const refused = ['(ENOENT)', 'closed folder', 'small'].map(at);
    expect(
      problemsOf(lines)
        .map(({ severity, path }) => [severity, path])
        .sort(),
    ).toEqual(refused.map((path) => ['error', path]));
    const { stderr } = await its.run(['snapshot', its.source, '-q'], { under: ORDINARY });
    for (const path of refused) expect(stderr).toContain(path);
    const target = its.newTarget();
    await its.succeed(['restore', `latest:${its.source}`, '--target', target]);
    expect(readdirSync(target).sort()).toEqual(['closed folder', 'readable']);
    runScript(target, ["chmod 755 'closed folder'"]);
    expect(readdirSync(join(target, 'closed folder'))).toEqual([]);
    // Once it may be read, all of it is there.
    runScript(its.source, ["chmod 755 'closed folder' && chmod 644 small '(ENOENT)'"]);
    await its.succeed(['snapshot', its.source], { under: ORDINARY });
    const again = its.newTarget();
    await its.succeed(['restore', `latest:${its.source}`, '--target', again]);
    expect(factsOf(again)).toEqual(factsOf(its.source));
  });
});

describe('a target that cannot hold everything', () => {
  test('what an ordinary user may not set is listed, and the content is all there', async () => {
    const its = await made();
    await buildTree(its.source, [
      {
        type: 'file',
        name: 'file',
        metadata: { mode: 0o640, mtime: 1_234_567_890_123_456_789n },
        parts: [{ seed: 1, bytes: 100_000 }],
      },
      ...(can.owners
        ? ([
            { type: 'file', name: 'of another', metadata: { uid: 1234, gid: 2345, mode: 0o6755 }, parts: [] },
            { type: 'symlink', name: 'link', metadata: { uid: 1234 }, to: 'file' },
          ] as const)
        : []),
      ...(can.devices
        ? ([{ type: 'device', name: 'device', metadata: {}, kind: 'c', major: 1, minor: 3 }] as const)
        : []),
      ...(can.trustedXattrs
        ? ([
            {
              type: 'folder',
              name: 'attributed',
              metadata: { xattrs: [{ name: 'trusted.a', seed: 1, bytes: 9 }] },
              children: [],
            },
          ] as const)
        : []),
    ]);
    await its.succeed(['snapshot', its.source]);
    const target = its.newTarget();
    const { code, lines, summary } = await its.json(['restore', `latest:${its.source}`, '--target', target], {
      under: ORDINARY,
    });
    const problems = problemsOf(lines);
    // All content is there: a device, which has none, is listed with what else could not be set.
    expect({ code, stated: summary.exitCode }).toEqual({ code: 0, stated: 0 });
    expect(problems.every(({ severity }) => severity === 'warning')).toBe(true);
    expect(summary.files).toMatchObject({ failed: 0 });
    expect(summary.metadataProblems).toBe(problems.length);
    expect(lstatSync(join(target, 'file'), { bigint: true })).toMatchObject({
      mtimeNs: 1_234_567_890_123_456_789n,
    });
    const [facts, before] = [factsOf(target), factsOf(its.source)];
    expect(facts['./file']).toBe(before['./file']);
    if (can.owners) {
      const stats = lstatSync(join(target, 'of another'));
      expect({ uid: stats.uid, mode: stats.mode & 0o7777 }).toEqual({ uid: process.getuid!(), mode: 0o755 });
      expect(problems.some(({ path }) => path === join(target, 'of another'))).toBe(true);
    }
    if (can.trustedXattrs)
      expect(problems.some(({ path }) => path === join(target, 'attributed'))).toBe(true);
    if (can.devices) {
      expect(lstatSync(join(target, 'device'), { throwIfNoEntry: false })).toBeUndefined();
      const [listed, ...more] = problems.filter(({ path }) => path === join(target, 'device'));
      expect(more).toEqual([]);
      expect(listed).toMatchObject({ about: 'metadata', message: expect.stringContaining('EPERM') });
    }
  });
});

/** Not left out in silence: see above. */
const describeMounts = can.mounts ? describe : undefined;

describeMounts?.('no space left', () => {
  async function onSmallDisk(
    megabytes: number,
    use: (its: Program, disk: string) => Promise<void>,
  ): Promise<void> {
    const its = program();
    const disk = join(its.root, 'disk');
    runScript(its.root, [`mkdir disk && mount -t tmpfs -o size=${megabytes}m none disk`]);
    try {
      await use(its, disk);
    } finally {
      runScript(its.root, ['umount disk']);
    }
  }

  test('in the repository: the run stops, earlier snapshots are whole, and later ones work', async () => {
    await onSmallDisk(12, async (its, disk) => {
      const repo = ['-r', join(disk, 'repo')];
      await its.succeed([...repo, 'init', '--no-encryption', '--block-size', '1MiB', '--pack-size', '1MiB']);
      writeFileSync(join(its.source, 'first'), randomContent(1, 2_000_000));
      await its.succeed([...repo, 'snapshot', its.source]);
      const before = factsOf(its.source);
      for (let i = 0; i < 20; i++)
        writeFileSync(join(its.source, `more ${i}`), randomContent(10 + i, 1_000_000));
      const failed = await its.run([...repo, 'snapshot', its.source]);
      expect(failed.code).toBe(1);
      expect(failed.stderr).toMatch(/no space left|ENOSPC/i);
      expect(await its.run([...repo, 'check', '--read-data'])).toMatchObject({ code: 0 });
      const target = its.newTarget();
      await its.succeed([...repo, 'restore', `latest:${its.source}`, '--target', target]);
      expect(factsOf(target)).toEqual(before);
      // With room again the run goes on where it was.
      runScript(its.root, ['mount -o remount,size=60m disk']);
      const { code, summary } = await its.json([...repo, 'snapshot', its.source]);
      expect(code).toBe(0);
      const { new: newBytes, source } = summary.bytes as { new: number; source: number };
      expect(source).toBe(22_000_000);
      expect(newBytes).toBeLessThan(20_000_000);
      expect(await its.run([...repo, 'check', '--read-data'])).toMatchObject({ code: 0 });
      expect(readdirSync(join(disk, 'repo/sessions'))).toEqual([]);
      const again = its.newTarget();
      await its.succeed([...repo, 'restore', `latest:${its.source}`, '--target', again]);
      expect(factsOf(again)).toEqual(factsOf(its.source));
    });
  });

  test('in the target: the restore stops and says so', async () => {
    await onSmallDisk(4, async (its, disk) => {
      await its.succeed(['init', '--no-encryption']);
      for (let i = 0; i < 20; i++) writeFileSync(join(its.source, `file ${i}`), randomContent(i, 1_000_000));
      await its.succeed(['snapshot', its.source]);
      const restore = ['restore', `latest:${its.source}`, '--target', join(disk, 'target')];
      const refused = await its.run(restore);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/room for .*nothing was written/is);
      expect(existsSync(join(disk, 'target'))).toBe(false);
      // What sizes do not tell: there is room for the bytes, and for a few files only.
      runScript(its.root, ['mount -o remount,size=60m,nr_inodes=12 disk']);
      const failed = await its.run(restore);
      expect(failed.code).toBe(1);
      expect(failed.stderr).toMatch(/no space left|ENOSPC/i);
      for (const name of readdirSync(join(disk, 'target'))) {
        expect(name).toMatch(/^file \d+$/);
        expect(lstatSync(join(disk, 'target', name)).size).toBe(1_000_000);
      }
      runScript(its.root, ['mount -o remount,nr_inodes=10k disk']);
      const { code } = await its.json([
        'restore',
        `latest:${its.source}`,
        '--target',
        join(disk, 'target'),
        '--verify',
      ]);
      expect(code).toBe(0);
      expect(readdirSync(join(disk, 'target'))).toHaveLength(20);
    });
  });

  test('in the cache: the snapshot is made all the same', async () => {
    await onSmallDisk(1, async (its, disk) => {
      await its.succeed(['init', '--no-encryption']);
      for (let i = 0; i < 3000; i++) writeFileSync(join(its.source, `file ${i}`), `content ${i}`);
      const cache = ['--cache-dir', join(disk, 'cache')];
      await its.succeed([...cache, 'snapshot', its.source]);
      await its.succeed([...cache, 'snapshot', its.source]);
      expect(await its.run([...cache, 'check', '--read-data'])).toMatchObject({ code: 0 });
    });
  });
});
