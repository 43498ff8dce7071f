import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode } from 'msgpackr';
import { expect, test } from 'vitest';
import { CAFE, ESCAPE, filled, snapshotId } from './filled.js';
import { type Place, place } from './run.js';
import { objects } from './taken.js';

/** `cbr cat`: every object of a repository, decoded. */

type Value = Readonly<Record<string, unknown>>;
type Entries = readonly (Value & { readonly name: string })[];

const PASSWORD = { CBR_PASSWORD: 'secret' };

async function value(its: Place, ...args: readonly string[]): Promise<Value> {
  const { items, code, stderr } = await its.json(['cat', ...args], { env: PASSWORD });
  expect(code, stderr).toBe(0);
  // What people see is the same.
  const { stdout } = await its.run(['cat', ...args], { env: PASSWORD });
  expect(JSON.parse(stdout)).toEqual(items[0]!.value);
  return items[0]!.value as Value;
}

test('records, in an encrypted repository', async () => {
  const its = place();
  await its.run(['init'], { env: PASSWORD });
  writeFileSync(join(its.source, 'file'), 'content');
  const take = (host: string) =>
    its.json(['snapshot', its.source, '--host', host, '--comment', 'c\u202e'], { env: PASSWORD });
  const ids = [(await take('dove')).summary.snapshot, (await take('wren')).summary.snapshot] as string[];
  await its.run(['pin', ids[0]!], { env: PASSWORD });
  await its.run(['policy', 'set', '--keep-last', '3'], { env: PASSWORD });
  await its.run(['forget', ids[1]!], { env: PASSWORD });

  expect(await value(its, 'config')).toMatchObject({ encrypted: true, chunkTarget: 65_536 });
  const [key] = objects(its, 'keys');
  expect(await value(its, 'key', key!.slice(0, 5))).toMatchObject({
    kdf: 'argon2id',
    label: expect.any(String),
  });
  const snapshot = await value(its, 'snapshot', ids[0]!.slice(0, 6));
  expect(snapshot).toMatchObject({
    outcome: 'commit',
    about: { host: 'dove', paths: [its.source], comment: 'c\u202e' },
  });
  expect(await value(its, 'snapshot', 'latest', '--host', 'dove')).toEqual(snapshot);
  expect(await value(its, 'forgotten', ids[1]!)).toMatchObject({ outcome: { about: { host: 'wren' } } });
  expect(await value(its, 'note', ids[0]!)).toMatchObject({ pinned: true });
  expect(await value(its, 'note', `${ids[0]!}/1`)).toMatchObject({ pinned: true });
  expect(await value(its, 'policy')).toMatchObject({
    rules: expect.arrayContaining([{ name: 'keep-last', value: '3' }]),
  });
  const shown = await its.run(['cat', 'snapshot', ids[0]!], { env: PASSWORD });
  expect(shown.stdout).toContain('"comment": "c\\u202e"');

  const raw = await its.shell(`cbr cat policy --raw > raw`, { env: PASSWORD });
  expect(raw).toMatchObject({ code: 0, stdout: '', stderr: '' });
  expect(decode(readFileSync(join(its.root, 'raw')))).toMatchObject({
    rules: expect.arrayContaining([{ name: 'keep-last', value: '3' }]),
  });
  const listed = await its.run(['cat', 'snapshot'], { env: PASSWORD });
  expect(listed.stdout.trimEnd().split('\n')).toEqual(objects(its, 'snapshots'));
});

test('index segments, packs, trees and chunks lead to the content of a file', async () => {
  const its = await filled();
  const id = await snapshotId(its);
  const tree = await value(its, 'tree', `latest:${its.source}`);
  const entries = tree.entries as Entries;
  expect(entries.map(({ name }) => name)).toContain(ESCAPE);
  const cafe = entries.find(({ name }) => name.startsWith('caf'))!;
  expect(Buffer.from(cafe.nameBase64 as string, 'base64')).toEqual(CAFE);
  expect(entries.find(({ name }) => name === 'link')).toMatchObject({
    type: 'symlink',
    linkTarget: 'nowhere',
  });
  expect(await value(its, 'tree', tree.id as string)).toEqual(tree);
  expect(await value(its, 'tree', `${id.slice(0, 8)}:${its.source}/big`)).toMatchObject({ size: 300_000 });

  const content = entries.find(({ name }) => name === 'big')!.content as { id: string; length: number }[];
  const names = content.map((chunk) => chunk.id);
  const all = await its.shell(
    `for id in ${names.join(' ')}; do cbr cat chunk $id; done | sha256sum; sha256sum < source/big`,
  );
  expect(new Set(all.stdout.trimEnd().split('\n')).size).toBe(1);
  const noTree = await its.run(['cat', 'tree', names[0]!]);
  expect(noTree).toMatchObject({ code: 1, stdout: '' });
  expect(noTree.stderr).toBe(
    `cbr: chunk ${names[0]} is content, not a tree\nIts bytes: cbr cat chunk ${names[0]}\n`,
  );
  const short = await its.shell(`cbr cat chunk ${names[0]!.slice(0, 13)} | head -c 9`);
  expect(short).toMatchObject({ stdout: 'abcdefghi', stderr: '' });

  const segment = await value(its, 'index', objects(its, 'index')[0]!.slice(0, 4));
  const place = (segment.chunks as { id: string; pack: string; block: number; ordinal: number }[]).find(
    (chunk) => chunk.id === names[0],
  )!;
  const pack = await value(its, 'pack', place.pack);
  expect(pack.kind).toBe('data');
  const { block, ordinal } = place;
  expect(pack.chunks).toContainEqual({ id: names[0], block, ordinal, length: content[0]!.length });
});

test('what is not there, is ambiguous, is damaged or makes no sense', async () => {
  const its = await filled();
  const ids = [await snapshotId(its)];
  const first = ids[0]!.slice(0, 8);
  writeFileSync(join(its.repo, 'snapshots', `${first}${'0'.repeat(24)}`), 'anything');
  const refused = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await its.run(['cat', ...args]);
    expect(stdout).toBe('');
    return `${code} ${stderr.split('\n', 1)[0]}`;
  };
  expect(await refused('snapshot', first)).toMatch(
    /^2 cbr: 2 of snapshots begin with [0-9a-f]{8}: [0-9a-f]{24}, [0-9a-f]{24}$/,
  );
  // Shorter ones may be those of a chunk.
  expect(await refused('chunk', '0'.repeat(12))).toMatch(/^1 cbr: the index names no chunk/);
  expect(await refused('snapshot', 'x')).toBe('1 cbr: there is no snapshots/x');
  expect(await refused('mark', '1')).toBe('1 cbr: there is no marks/1');
  expect(await refused('archive', 'x')).toMatch(/^2 cbr: there is no kind of object called 'archive'/);
  expect(await refused('pack', 'x', '--raw')).toMatch(/^2 cbr: --raw is for records/);
  expect(await refused('tree', `${ids[0]!}:/none`)).toMatch(/^1 cbr: snapshot [0-9a-f]{8} has no \/none/);
  const path = join(its.repo, 'snapshots', ids[0]!);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  rmSync(path);
  writeFileSync(path, bytes);
  expect(await refused('snapshot', ids[0]!)).toBe(
    `4 cbr: snapshots/${ids[0]!}: its bytes are not those that were written (SHA-256 differs)`,
  );
  const packs = join(its.repo, 'packs');
  for (const name of readdirSync(packs, { recursive: true, encoding: 'utf8' })) {
    if (name.includes('/')) execFileSync('truncate', ['-s', '-100', join(packs, name)]);
  }
  const [pack] = readdirSync(packs, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes('/'),
  );
  expect(await refused('pack', pack!.split('/')[1]!)).toMatch(/^4 cbr: packs\//);
});
