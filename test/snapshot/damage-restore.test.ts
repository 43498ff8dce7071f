import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Backend, forwardTo } from '../../dist/backends/index.js';
import { type Forged, forgedSnapshot } from './forged-snapshot.js';
import { randomContent } from './random-content.js';
import { isSoak, type Restored, removeTree, Scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { type Facts, factsOf } from './tree-facts.js';

const HARM: Readonly<Record<string, (path: string) => void>> = {
  'a flipped bit': (path) => flip(path, 0.5),
  'a flipped bit near its end': (path) => flip(path, 0.98),
  'its second half gone': (path) =>
    overwrite(path, readFileSync(path).subarray(0, readFileSync(path).length / 2)),
  'nothing in it': (path) => overwrite(path, Buffer.alloc(0)),
  'other content': (path) => overwrite(path, randomContent(1, readFileSync(path).length)),
  'no file': (path) => rmSync(path),
};

/** Objects may be read only, for their owner too. */
function overwrite(path: string, content: Uint8Array): void {
  rmSync(path);
  writeFileSync(path, content);
}

function flip(path: string, share: number): void {
  const bytes = readFileSync(path);
  const at = Math.min(bytes.length - 1, Math.floor(bytes.length * share));
  bytes[at]! ^= 0x10;
  overwrite(path, bytes);
}

/** Everything that is there is right; what is missing was reported. Returns the paths that are missing. */
function expectNothingWrong(facts: Facts, { target, summary, problems }: Restored): string[] {
  const found = factsOf(target);
  const expected = Object.entries(facts);
  for (const [path, words] of Object.entries(found)) {
    // A folder that lost entries, and a file that lost other names, say so in their own facts.
    const [now, then] = [words, facts[path] ?? 'not in the snapshot'].map((text) =>
      text.replace(/ names \d+ \|| \| same as .*$/g, ''),
    );
    expect(now, path).toBe(then);
  }
  const missing = expected.map(([path]) => path).filter((path) => found[path] === undefined);
  const reported = problems
    .filter(({ severity }) => severity === 'error')
    .map(({ subject }) => `./${subject}`);
  for (const path of missing) {
    expect(
      reported.some((each) => path === each || path.startsWith(`${each}/`) || each === './'),
      path,
    ).toBe(true);
  }
  expect(summary.lost).toBe(reported.length);
  return missing;
}

describe('a damaged pack', () => {
  let its: Scratch;
  let facts: Facts;

  beforeAll(async () => {
    its = new Scratch();
    await its.init({ chunkBytes: 16_384, blockBytes: 128 * 1024, packBytes: 512 * 1024 });
    runScript(its.source, ['mkdir -p a/b c', 'ln -s b a/link']);
    for (let i = 0; i < 40; i++) writeFileSync(join(its.source, `a/b/${i}`), randomContent(i, 500 * i));
    writeFileSync(join(its.source, 'c/large'), randomContent(100, 1_500_000));
    writeFileSync(
      join(its.source, 'c/sparse'),
      Buffer.concat([Buffer.alloc(300_000), randomContent(101, 100_000)]),
    );
    runScript(its.source, ['ln a/b/30 c/linked', 'ln c/large a/b/linked']);
    await its.take();
    facts = factsOf(its.source);
  });

  afterAll(() => its.remove());

  /** Restores from a copy of the repository after `harm`, with the old cache or a new one. */
  async function restoreHarmed(
    harm: (repo: string) => void,
    fresh: boolean,
    verify = false,
    more: Parameters<Scratch['restore']>[2] = {},
  ): Promise<Restored> {
    const kept = join(its.root, 'kept');
    cpSync(its.repo, kept, { recursive: true });
    try {
      harm(its.repo);
      const opening = fresh ? { cacheRoot: join(its.root, `cache ${Math.random()}`) } : {};
      return await its.restore(undefined, { verify }, { ...opening, ...more });
    } finally {
      rmSync(its.repo, { recursive: true });
      renameSync(kept, its.repo);
    }
  }

  test.each([true, false])(
    'headers of packs cost nothing: there is a copy of each (new cache: %s)',
    async (fresh) => {
      const harm = (repo: string): void => {
        for (const [i, path] of packs(repo).entries()) {
          const bytes = readFileSync(path);
          // What it begins with, its salt, or all of it.
          if (i % 3 === 0) bytes[1]! ^= 1;
          else if (i % 3 === 1) bytes[40]! ^= 1;
          else bytes.fill(0, 0, 56);
          overwrite(path, bytes);
        }
      };
      // Over a line what begins a pack comes along with its blocks.
      for (const isRemote of [false, true]) {
        const wrapBackend = (inner: Backend): Backend => ({ ...forwardTo(inner), isRemote });
        const restored = await restoreHarmed(harm, fresh, true, { wrapBackend });
        expect(restored.problems).toEqual([]);
        expect(expectNothingWrong(facts, restored)).toEqual([]);
      }
    },
  );

  const packs = (repo: string): string[] =>
    readdirSync(join(repo, 'packs'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort();

  test.each(Object.keys(HARM))(
    '%s: the other files are whole, and no wrong byte is written',
    async (name) => {
      const count = packs(its.repo).length;
      expect(count).toBeGreaterThan(3);
      let lost = 0;
      for (let pack = 0; pack < count; pack++) {
        const restoring = restoreHarmed(
          (repo) => HARM[name]!(packs(repo)[pack]!),
          pack % 2 === 0,
          pack % 3 === 0,
        );
        // Where the folders on the way cannot be read there is nothing to restore, and that is said.
        const restored = await restoring.catch((error: { code?: string }) => error);
        if ('target' in restored) {
          lost += expectNothingWrong(facts, restored).length;
          removeTree(restored.target);
        } else expect(restored.code).toBe('damaged');
      }
      // A bit in the table at the end of a pack is the index's to know.
      if (!name.includes('near its end')) expect(lost).toBeGreaterThan(0);
      const whole = await its.restore(undefined, {}, { cacheRoot: join(its.root, `whole ${Math.random()}`) });
      expect(whole.problems).toEqual([]);
      expect(expectNothingWrong(facts, whole)).toEqual([]);
    },
    120_000,
  );

  test('any bit anywhere', { timeout: 600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        async (pack, share, fresh) => {
          const restoring = restoreHarmed((repo) => {
            const all = packs(repo);
            flip(all[pack % all.length]!, share);
          }, fresh);
          const restored = await restoring.catch((error: { code?: string }) => error);
          if ('target' in restored) {
            expectNothingWrong(facts, restored);
            removeTree(restored.target);
          } else expect(restored.code).toBe('damaged');
        },
      ),
      { numRuns: isSoak ? 500 : 8, endOnFailure: true },
    );
  });

  test('index segments gone: what they named is lost, and said to be', async () => {
    const restoring = restoreHarmed((repo) => {
      const [name] = readdirSync(join(repo, 'index'));
      rmSync(join(repo, 'index', name!));
    }, true);
    await expect(restoring).rejects.toMatchObject({ code: 'damaged' });
  });

  test('a second copy of what it held is used', async () => {
    const place = await scratchRepository({ packBytes: 2 ** 20 });
    writeFileSync(join(place.source, 'file'), randomContent(1, 3_000_000));
    const { root } = (await place.take()).summary;
    // A writer that does not see the first one's segment stores everything again.
    const hidden = join(place.root, 'hidden');
    renameSync(join(place.repo, 'index'), hidden);
    mkdirSync(join(place.repo, 'index'));
    const first = packs(place.repo);
    const again = (await place.take({ level: 'full' })).summary;
    cpSync(hidden, join(place.repo, 'index'), { recursive: true });
    const second = packs(place.repo).filter((pack) => !first.includes(pack));
    expect(second.length).toBeGreaterThan(2);
    const treePacks = await place.use(async ({ cache }) =>
      cache.packNames().filter((name) => cache.packNamed(name)?.kind === 'tree'),
    );
    for (const pack of [...first, ...second]) {
      // The tree above the source, which others may change, has a copy only if nobody did.
      if (again.root !== root && treePacks.some((name) => pack.endsWith(name))) continue;
      flip(pack, 0.5);
      const { target, summary, problems } = await place.restore();
      expect(problems, pack).toEqual([]);
      expect(summary).toMatchObject({ lost: 0, files: 1 });
      expect(factsOf(target)).toEqual(factsOf(place.source));
      flip(pack, 0.5);
    }
  });
});

describe('a hostile tree', () => {
  const HOSTILE = [
    '..',
    '.',
    'a/b',
    '/absolute',
    '../escaped',
    '../../escaped',
    'nul\0',
    '',
    'x'.repeat(300),
    'way/in',
  ];
  const TYPES = ['file', 'symlink', 'fifo', 'directory'] as const;

  function hostile(type: (typeof TYPES)[number]): Forged[] {
    const inner: Forged[] = [{ name: 'inner', type: 'file', size: 10, hole: 10 }];
    return HOSTILE.map((name): Forged => {
      if (type === 'file') return { name, type, size: 10, hole: 10 };
      return { name, type, ...(type === 'directory' ? { children: inner } : {}) };
    });
  }

  /** Restores a forged snapshot into `jail/target` and checks that nothing else in the jail changed. */
  async function restoreJailed(
    its: Scratch,
    entries: readonly Forged[],
    prepare: (target: string) => void = () => undefined,
  ): Promise<Restored & { readonly outside: string }> {
    const jail = join(its.root, `jail ${Math.random()}`);
    const outside = join(jail, 'outside');
    const target = join(jail, 'a/target');
    mkdirSync(outside, { recursive: true });
    mkdirSync(target, { recursive: true });
    writeFileSync(join(outside, 'victim'), 'untouched');
    prepare(target);
    const before = outsideFacts(jail);
    const id = await its.use((repository) => forgedSnapshot(repository, entries));
    const restored = await its.restore(id, { target, path: '/', verify: false });
    expect(outsideFacts(jail)).toEqual(before);
    return { ...restored, outside };
  }

  const outsideFacts = (jail: string): Facts =>
    Object.fromEntries(Object.entries(factsOf(jail)).filter(([path]) => !path.startsWith('./a/target')));

  test.each(TYPES)('with %s entries whose names lead elsewhere', async (type) => {
    const its = await scratchRepository();
    const good: Forged[] = [
      { name: 'good', type: 'file', size: 5, hole: 5 },
      { name: 'way', type: 'symlink', to: '../../outside' },
    ];
    const { target, summary, problems } = await restoreJailed(its, [...hostile(type), ...good]);
    expect(readdirSync(target).sort()).toEqual(['good', 'way']);
    expect(problems.filter(({ severity }) => severity === 'error')).toHaveLength(summary.lost);
    expect(summary.lost).toBeGreaterThanOrEqual(HOSTILE.length);
  });

  test('with a symlink and a folder of one name', async () => {
    const its = await scratchRepository();
    for (const to of ['../../outside', '/tmp']) {
      const { target, summary } = await restoreJailed(its, [
        { name: 'twice', type: 'symlink', to },
        { name: 'twice', type: 'directory', children: [{ name: 'victim', type: 'file', size: 3, hole: 3 }] },
      ]);
      expect(summary.lost).toBeGreaterThan(0);
      expect(
        existsSync(join(target, 'twice/victim')) && readFileSync(join(target, 'twice/victim')).length === 3,
      ).toBe(false);
    }
  });

  test('symlinks planted in the target are not followed, and what exists is left alone', async () => {
    const its = await scratchRepository();
    const { target, summary, problems, outside } = await restoreJailed(
      its,
      [
        { name: 'folder', type: 'directory', children: [{ name: 'victim', type: 'file', size: 3, hole: 3 }] },
        {
          name: 'deep',
          type: 'directory',
          children: [
            {
              name: 'folder',
              type: 'directory',
              children: [{ name: 'new', type: 'file', size: 3, hole: 3 }],
            },
            { name: 'file', type: 'file', size: 3, hole: 3 },
          ],
        },
        { name: 'file', type: 'file', size: 3, hole: 3 },
        { name: 'link', type: 'symlink', to: 'elsewhere' },
        { name: 'new', type: 'file', size: 3, hole: 3 },
      ],
      (to) => {
        symlinkSync('../../outside', join(to, 'folder'));
        mkdirSync(join(to, 'deep'));
        symlinkSync('../../../outside', join(to, 'deep/folder'));
        symlinkSync('../../../outside/made', join(to, 'deep/file'));
        symlinkSync('../../outside/victim', join(to, 'file'));
        symlinkSync('../../outside/other', join(to, 'link'));
      },
    );
    expect(readdirSync(outside)).toEqual(['victim']);
    expect(readFileSync(join(target, 'new')).length).toBe(3);
    expect(summary).toMatchObject({ files: 1, skippedExisting: 3 });
    // Each folder that a symlink stands in for, and what would be in it.
    const lost = problems.filter(({ severity }) => severity === 'error');
    expect(lost.map(({ subject }) => subject).sort()).toEqual([
      'deep/folder',
      'deep/folder/new',
      'folder',
      'folder/victim',
    ]);
  });

  test('a target whose folders are swapped for symlinks while it is written', {
    timeout: 120_000,
  }, async () => {
    const its = await scratchRepository();
    for (let i = 0; i < 300; i++) {
      const folder = join(its.source, `folder ${i}/inner`);
      mkdirSync(folder, { recursive: true });
      for (let j = 0; j < 5; j++) writeFileSync(join(folder, `file ${j}`), `content ${i} ${j}`);
    }
    runScript(its.source, [
      'ln "folder 1/inner/file 1" "folder 299/inner/linked"',
      'ln "folder 298/inner/file 1" "folder 2/linked"',
    ]);
    await its.take();
    const target = its.newTarget();
    const outside = join(its.root, 'outside');
    mkdirSync(outside);
    const script = `
      import { readdirSync, renameSync, symlinkSync } from 'node:fs';
      const [target, outside] = process.argv.slice(1);
      process.stdout.write('ready');
      for (;;) {
        try {
          for (const name of readdirSync(target)) {
            if (!name.startsWith('folder') || name.endsWith('stolen')) continue;
            for (const path of [target + '/' + name + '/inner', target + '/' + name]) {
              try {
                renameSync(path, path + ' stolen');
                symlinkSync(outside, path);
              } catch {}
            }
          }
        } catch {}
      }`;
    const attacker = spawn(process.execPath, ['--input-type=module', '-e', script, target, outside], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(attacker.stdout, 'data');
    try {
      await its.restore(undefined, { target, verify: false });
    } finally {
      attacker.kill('SIGKILL');
      await once(attacker, 'exit');
    }
    expect(readdirSync(target).some((name) => name.endsWith('stolen'))).toBe(true);
    expect(readdirSync(outside)).toEqual([]);
  });
});
