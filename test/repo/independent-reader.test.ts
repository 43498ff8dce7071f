import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { NO_RULES } from '../../dist/fs/index.js';
import {
  CbrError,
  type InitParameters,
  initRepository,
  type OpenOptions,
  openRepository,
  takeSnapshot,
} from '../../dist/index.js';
import { type FoundEntry, openIndependently } from './independent-reader.js';
import { noise, scratchFolder } from './parts.js';

/** What the built program stores, read by a program written from docs/format.md. */

const scratch = realpathSync(scratchFolder());
const source = Buffer.from(join(scratch, 'source'));
const MIB = 2 ** 20;
const PASSWORD = 'pässwörd';

/** A path below the source, of raw bytes. */
function at(name: string): Buffer {
  return Buffer.concat([source, Buffer.from('/'), Buffer.from(name, 'latin1')]);
}

function makeSource(): void {
  for (const folder of ['', 'sub', 'sub/deep', 'sub/empty', 'many']) mkdirSync(at(folder));
  for (const size of [0, 1, 100, 16_384, 65_537, 300_000])
    writeFileSync(at(`size ${size}`), noise(size, size));
  writeFileSync(at('sub/large'), Buffer.concat([noise(9 * MIB, 'large'), Buffer.alloc(MIB, 'text\n')]));
  writeFileSync(at('sub/deep/b\xe4d \xff\xfe name\n'), 'a name that is not UTF-8');
  writeFileSync(at('sub/deep/gut \xc3\xa4'), 'a name that is');
  for (let i = 0; i < 1500; i++)
    writeFileSync(at(`many/${i}`), `file ${i % 700}\n`, { mode: i % 2 ? 0o600 : 0o4755 });
  symlinkSync(Buffer.from('nowhere/\xff', 'latin1'), at('link'));
  linkSync(at('size 100'), at('sub/second name'));
  linkSync(at('sub/large'), at('third name'));
  execFileSync('mkfifo', [at('fifo').toString()]);
  for (const [name, value] of [
    ['user.small', '0x00ff01'],
    ['user.large', `0x${'5a'.repeat(3000)}`],
  ] as const) {
    execFileSync('setfattr', ['-n', name, '-v', value, at('size 1').toString()]);
  }
  execFileSync('setfattr', ['-n', 'user.folder', '-v', 'yes', at('sub').toString()]);
  for (const [name, size] of [
    ['holes', 3 * MIB],
    ['only a hole', 12 * MIB],
  ] as const) {
    const fd = openSync(at(name), 'w');
    ftruncateSync(fd, size);
    if (name === 'holes') writeSync(fd, noise(MIB, 'between holes'), 0, MIB, MIB);
    closeSync(fd);
  }
}

interface Seen {
  readonly type: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: bigint;
  readonly content?: Buffer;
  readonly linkTarget?: Buffer;
  readonly inode: bigint;
}

/** Number of the type in an entry, by the type bits of st_mode. */
const TYPES: ReadonlyMap<number, number> = new Map([
  [0o100000, 0],
  [0o040000, 1],
  [0o120000, 2],
  [0o010000, 3],
]);

/** Everything below a folder as node:fs shows it, by path. */
function look(folder: Buffer, path: string, into = new Map<string, Seen>()): Map<string, Seen> {
  for (const raw of readdirSync(folder, { encoding: 'buffer' })) {
    const full = Buffer.concat([folder, Buffer.from('/'), raw]);
    const name = `${path}/${raw.toString('latin1')}`;
    const stat = lstatSync(full, { bigint: true });
    const type = TYPES.get(Number(stat.mode) & 0o170000)!;
    into.set(name, {
      type,
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      mtime: stat.mtimeNs,
      ...(type === 0 ? { content: readFileSync(full) } : {}),
      ...(type === 2 ? { linkTarget: readlinkSync(full, { encoding: 'buffer' }) } : {}),
      inode: stat.ino,
    });
    if (type === 1) look(full, name, into);
  }
  return into;
}

const PARAMETERS: InitParameters = {
  encrypted: true,
  chunkBytes: 65_536,
  blockBytes: 4 * MIB,
  packBytes: 6 * MIB,
  compression: 3,
  pad: false,
};

interface Case {
  readonly name: string;
  readonly parameters: InitParameters;
  readonly portable: boolean;
}

const CASES: readonly Case[] = [
  { name: 'encrypted', parameters: PARAMETERS, portable: false },
  { name: 'unencrypted', parameters: { ...PARAMETERS, encrypted: false }, portable: false },
  {
    name: 'small chunks, padded, by portable algorithms',
    parameters: {
      ...PARAMETERS,
      encrypted: false,
      chunkBytes: 4096,
      blockBytes: 65_536,
      compression: 1,
      pad: true,
    },
    portable: true,
  },
];

beforeAll(makeSource);

describe.each(CASES)('a repository that is $name', ({ name, parameters, portable }) => {
  const repo = join(scratch, `repo ${name}`);
  const options: OpenOptions = {
    location: repo,
    password: async () => Buffer.from(PASSWORD),
    cacheRoot: join(scratch, `cache ${name}`),
    portable,
    host: 'here',
    now: () => 1_900_000_000_000,
    report: () => undefined,
  };
  const password = parameters.encrypted ? PASSWORD : undefined;

  async function take(): Promise<string | undefined> {
    const repository = await openRepository(options);
    try {
      const summary = await takeSnapshot(
        repository,
        {
          paths: [source.toString()],
          tags: ['b', 'a'],
          comment: 'für später',
          job: 'nightly',
          host: 'here',
          user: 'ann',
          time: { seconds: -5, nanoseconds: 7 },
          zoneOffset: -90,
          rules: NO_RULES,
          oneFileSystem: false,
          dryRun: false,
          forecast: false,
          threads: 2,
          items: false,
          ownFolders: [],
          signal: new AbortController().signal,
        },
        () => undefined,
      );
      expect(summary.errors).toBe(0);
      return summary.snapshot;
    } finally {
      await repository.close();
    }
  }

  function compare(entries: ReadonlyMap<string, FoundEntry>): void {
    const root = source.toString().slice(1);
    const expected = look(source, root);
    const above = root.split('/').map((_, i, names) => names.slice(0, i + 1).join('/'));
    expect([...entries.keys()].sort()).toEqual([...above, ...expected.keys()].sort());
    const groups = new Map<string, bigint>();
    for (const [path, seen] of expected) {
      const found = entries.get(path)!;
      const { seconds, nanoseconds } = found.mtime;
      const { type, mode, uid, gid } = found;
      expect({
        path,
        type,
        mode,
        uid,
        gid,
        mtime: BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds),
      }).toEqual({
        path,
        type: seen.type,
        mode: seen.mode,
        uid: seen.uid,
        gid: seen.gid,
        mtime: seen.mtime,
      });
      expect(seen.content === undefined || seen.content.equals(found.content!), path).toBe(true);
      expect(found.linkTarget?.toString('latin1')).toBe(seen.linkTarget?.toString('latin1'));
      if (found.linkGroup !== undefined) {
        expect(groups.get(found.linkGroup) ?? seen.inode).toBe(seen.inode);
        groups.set(found.linkGroup, seen.inode);
      }
    }
    expect(groups.size).toBe(2);
    const entry = (below: string): FoundEntry => entries.get(`${root}/${below}`)!;
    expect(entry('size 1').xattrs.get('user.small')?.toString('hex')).toBe('00ff01');
    expect(entry('size 1').xattrs.get('user.large')?.length).toBe(3000);
    expect(entry('sub').xattrs.get('user.folder')?.toString()).toBe('yes');
    expect(entry('holes').holes).toEqual([
      [0, MIB],
      [2 * MIB, MIB],
    ]);
    expect(entry('only a hole').holes).toEqual([[0, 12 * MIB]]);
  }

  test('reads back identically', async () => {
    await (await initRepository(options, parameters)).close();
    const id = await take();
    const { config, snapshots } = openIndependently(repo, password);
    expect(config).toMatchObject({ encrypted: parameters.encrypted, chunkTarget: parameters.chunkBytes });
    expect(snapshots.map((snapshot) => snapshot.id)).toEqual([id]);
    expect(snapshots[0]!.about).toMatchObject({
      seconds: -5,
      nanoseconds: 7,
      zoneOffset: -90,
      host: 'here',
      user: 'ann',
      level: 'full',
      job: 'nightly',
      tags: ['a', 'b'],
      comment: 'für später',
      errors: [],
    });
    expect((snapshots[0]!.about.paths as Buffer[]).map(String)).toEqual([source.toString()]);
    compare(snapshots[0]!.entries);
  });

  test('a second snapshot as well, beside the first', async () => {
    const before = openIndependently(repo, password).snapshots[0]!;
    const fresh = `added for ${name}`;
    writeFileSync(at(fresh), `new ${name}`);
    const id = await take();
    const { snapshots } = openIndependently(repo, password);
    expect(snapshots.length).toBe(2);
    const second = snapshots.find((snapshot) => snapshot.id === id)!;
    compare(second.entries);
    expect((second.about.parent as Buffer).toString('hex')).toBe(before.id);
    const first = snapshots.find((snapshot) => snapshot.id === before.id)!;
    expect([...first.entries.keys()].some((path) => path.endsWith(fresh))).toBe(false);
    expect([...first.entries.keys()]).toEqual([...before.entries.keys()]);
    for (const [path, { content }] of before.entries) {
      expect(content === undefined || content.equals(first.entries.get(path)!.content!), path).toBe(true);
    }
  });

  test('is opened from another machine, which has no cache of it', async () => {
    const elsewhere = { ...options, cacheRoot: join(scratch, `second cache ${name}`) };
    const repository = await openRepository(elsewhere);
    await repository.close();
    if (!parameters.encrypted) return;
    const wrong = openRepository({ ...elsewhere, password: async () => Buffer.from('wrong') });
    await expect(wrong).rejects.toBeInstanceOf(CbrError);
    expect(() => openIndependently(repo, 'wrong')).toThrow(/opens no key/);
  });
});
