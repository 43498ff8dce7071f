import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Place, place, plainPlace } from './run.js';

/** Two folders: what one pack holds of the first file does not touch the other. */
async function snapshotted(): Promise<{ readonly its: Place; readonly id: string }> {
  const its = await plainPlace();
  writeFileSync(join(its.source, 'first'), randomBytes(400_000));
  const first = await its.json(['snapshot', its.source]);
  expect(first.code).toBe(0);
  writeFileSync(join(its.source, 'second'), randomBytes(400_000));
  const { summary } = await its.json(['snapshot', its.source]);
  return { its, id: summary.snapshot as string };
}

/** The largest pack: content of one of the files. */
function aPack({ repo }: Place): string {
  const packs = readdirSync(join(repo, 'packs'), { recursive: true })
    .map((name) => join(repo, 'packs', String(name)))
    .filter((path) => statSync(path).isFile())
    .sort((a, b) => statSync(b).size - statSync(a).size);
  return packs[0]!;
}

function flipByte(path: string, at: number): void {
  chmodSync(path, 0o600);
  const bytes = readFileSync(path);
  bytes[at]! ^= 0xff;
  writeFileSync(path, bytes);
}

const DAMAGE: readonly (readonly [what: string, harm: (path: string) => void])[] = [
  ['a flipped byte', (path) => flipByte(path, 200_000)],
  [
    'a cut end',
    (path) => {
      chmodSync(path, 0o600);
      writeFileSync(path, readFileSync(path).subarray(0, 200_000));
    },
  ],
  [
    'emptied',
    (path) => {
      chmodSync(path, 0o600);
      writeFileSync(path, '');
    },
  ],
  ['removed', (path) => rmSync(path)],
];

describe('a damaged pack', () => {
  test.each(DAMAGE)('%s: check names it and the file, restore gives everything else', async (_, harm) => {
    const { its, id } = await snapshotted();
    const pack = aPack(its);
    harm(pack);
    const object = pack.slice(its.repo.length + 1);

    const checked = await its.json(['check', '--read-data']);
    expect(checked.code).toBe(4);
    expect(checked.summary).toMatchObject({ exitCode: 4, problems: 1, findings: { error: 1 } });
    const finding = checked.problems.find((problem) => problem.object === object);
    expect(finding).toMatchObject({ severity: 'error', about: 'repository', code: 'damaged' });
    const affected = new RegExp(`^${id.slice(0, 8)}:${its.source}/(first|second)$`);
    expect(finding!.paths).toContainEqual(expect.stringMatching(affected));

    const shown = await its.run(['check', '--read-data']);
    expect(shown.code).toBe(4);
    expect(shown.stderr).toContain(`cbr: ${object}: `);
    expect(shown.stderr).toMatch(new RegExp(`^ {2}affects ${id.slice(0, 8)}:`, 'm'));
    expect(shown.stdout).toMatch(/^Damage: 1 finding\.$/m);

    const target = join(its.root, 'out');
    const restored = await its.json(['restore', `${id}:${its.source}`, '--target', target]);
    expect(restored.code).toBe(4);
    expect(restored.summary).toMatchObject({ exitCode: 4, files: { restored: 1, failed: 1 } });
    expect(restored.problems).toMatchObject([{ severity: 'error', about: 'target' }]);
    const names = readdirSync(target);
    expect(names).toHaveLength(1);
    expect(readFileSync(join(target, names[0]!))).toEqual(readFileSync(join(its.source, names[0]!)));
  });
});

describe('check', () => {
  test('of what is whole, with and without reading it', async () => {
    const { its } = await snapshotted();
    const { code, stdout, stderr } = await its.run(['check']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Checked 2 snapshots, \d+ packs, \d+ chunks\.\nNo damage was found\.\n$/);
    const all = await its.json(['check', '--read-data']);
    expect(all.summary).toMatchObject({
      command: 'check',
      snapshots: 2,
      readData: 1,
      findings: { error: 0 },
    });
    expect(all.summary.bytesRead).toBeGreaterThan(800_000);
    const part = await its.json(['check', '--read-data=10']);
    expect(part.summary).toMatchObject({ exitCode: 0, readData: 0.1 });
    expect(part.summary.bytesRead).toBeLessThan(all.summary.bytesRead as number);
    expect((await its.json(['check', '--read-data', '5%'])).summary).toMatchObject({ readData: 0.05 });
  });

  test.each(['index', 'snapshots'])('a damaged object of %s', async (kind) => {
    const { its } = await snapshotted();
    const [name] = readdirSync(join(its.repo, kind));
    flipByte(join(its.repo, kind, name!), 100);
    rmSync(its.cache, { recursive: true });
    const { code, problems } = await its.json(['check']);
    expect(code).toBe(4);
    expect(problems.map(({ object }) => object)).toContain(`${kind}/${name}`);
  });

  test('a snapshot that vanished after a later one saw it', async () => {
    const { its, id } = await snapshotted();
    const [gone] = readdirSync(join(its.repo, 'snapshots')).filter((name) => name !== id);
    rmSync(join(its.repo, 'snapshots', gone!));
    const { code, problems } = await its.json(['check']);
    expect(code).toBe(4);
    expect(JSON.stringify(problems)).toContain(gone);
  });
});

describe('what is no repository of ours', () => {
  const COMMANDS = [
    ['snapshot', '.'],
    ['snapshots'],
    ['ls', 'latest'],
    ['restore', 'latest', '--target', 'out'],
    ['check'],
    ['stats'],
    ['sessions'],
    ['key', 'list'],
  ];

  test.each(COMMANDS)('%s: there is none', async (...args) => {
    const its = place();
    const { code, stdout, stderr } = await its.run(args);
    expect({ code, stdout }).toEqual({ code: 10, stdout: '' });
    expect(stderr).toContain(its.repo);
    expect(existsSync(its.repo)).toBe(false);
    const { summary } = await its.json(args);
    expect(summary).toMatchObject({ exitCode: 10, error: { code: 'no-repository' } });
  });

  test('a folder that is something else, and a file', async () => {
    const its = place();
    writeFileSync(join(its.source, 'letter'), '');
    for (const location of [its.source, join(its.source, 'letter')]) {
      const { code, stderr } = await its.run(['-r', location, 'snapshots']);
      expect(code).toBe(10);
      expect(stderr).toContain('is not a repository');
    }
    expect(readdirSync(its.source)).toEqual(['letter']);
  });

  test('a medium that is not supported', async () => {
    const { code, stderr } = await place().run(['-r', 's3:bucket', 'snapshots']);
    expect(code).toBe(2);
    expect(stderr).toContain('s3:');
  });

  test('a newer format', async () => {
    const { its } = await snapshotted();
    const path = join(its.repo, 'config/1');
    chmodSync(path, 0o600);
    const bytes = readFileSync(path);
    bytes.writeUInt16LE(7, 4);
    // A newer program would have ended the object with its right digest.
    const { createHash } = await import('node:crypto');
    const content = bytes.subarray(0, -32);
    writeFileSync(path, Buffer.concat([content, createHash('sha256').update(content).digest()]));
    const before = readdirSync(its.repo, { recursive: true }).length;
    for (const args of [['snapshots'], ['snapshot', its.source], ['check']]) {
      const { code, stderr } = await its.run(args);
      expect({ args, code }).toEqual({ args, code: 1 });
      expect(stderr).toMatch(/newer/);
    }
    expect(readdirSync(its.repo, { recursive: true }).length).toBe(before);
  });

  test('a damaged config', async () => {
    const { its } = await snapshotted();
    flipByte(join(its.repo, 'config/1'), 40);
    const { code, stderr } = await its.run(['snapshots']);
    expect(code).toBe(4);
    expect(stderr).toContain('config');
  });
});

describe('sources', () => {
  test('some missing: 3; all missing: 1 and no snapshot', async () => {
    const { its } = await snapshotted();
    const some = await its.json(['snapshot', its.source, '/nowhere/at/all']);
    expect(some).toMatchObject({ code: 3, summary: { exitCode: 3, problems: 1 } });
    const all = await its.json(['snapshot', '/nowhere/at/all', '/nowhere/else']);
    expect(all).toMatchObject({ code: 1, summary: { exitCode: 1, error: { code: 'source' } } });
    expect((await its.json(['snapshots'])).items).toHaveLength(3);
    expect((await its.json(['snapshots'])).items.at(-1)).toMatchObject({ problems: 1 });
  });

  test('the repository and the cache are left out, with a word', async () => {
    const { its } = await snapshotted();
    const { code, stderr, stdout } = await its.run(['snapshot', its.root]);
    expect(code).toBe(0);
    expect(stderr).toContain(`cbr: note: ${its.repo}: `);
    expect(stderr).toContain(`cbr: note: ${its.cache}: `);
    expect(stdout).not.toContain('Problems');
    const { items } = await its.json(['ls', '-R', `latest:${its.root}`]);
    const paths = items.map(({ path }) => path as string);
    expect(paths).toContain(join(its.source, 'first'));
    expect(paths.some((path) => path.startsWith(`${its.repo}/`) || path.startsWith(`${its.cache}/`))).toBe(
      false,
    );
  });
});

describe('the cache', () => {
  test('removed, damaged, cut short, or of another repository: made again, with a word', async () => {
    const { its, id } = await snapshotted();
    const dataFiles = (): string[] =>
      readdirSync(its.cache, { recursive: true })
        .map((name) => join(its.cache, String(name)))
        .filter((path) => path.endsWith('data.mdb'));
    const [data] = dataFiles();
    const harms: readonly (() => void)[] = [
      () => rmSync(its.cache, { recursive: true }),
      () => writeFileSync(data!, randomBytes(65_536)),
      () => writeFileSync(data!, readFileSync(data!).subarray(0, 5000)),
      () => writeFileSync(data!, ''),
      () => rmSync(data!),
    ];
    for (const [i, harm] of harms.entries()) {
      harm();
      const { code, stderr } = await its.run(['ls', `${id}:${its.source}`]);
      expect({ i, code }).toEqual({ i, code: 0 });
      if (i > 0) expect(stderr).toMatch(/^cbr: note: .*cache/);
      expect((await its.json(['snapshot', its.source])).code).toBe(0);
    }
    expect((await its.run(['check', '--read-data'])).code).toBe(0);
  });

  test('a repository at another place has a cache of its own', async () => {
    const { its, id } = await snapshotted();
    const copy = join(its.root, 'copy');
    cpSync(its.repo, copy, { recursive: true });
    const { code, summary } = await its.json(['-r', copy, 'ls', `${id}:${its.source}`]);
    expect({ code, entries: summary.entries }).toEqual({ code: 0, entries: 2 });
    expect((await its.json(['cache', 'list'])).items).toHaveLength(2);
  });
});
