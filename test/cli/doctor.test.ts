import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { place, plainPlace } from './run.js';

test('nothing is wrong with a fresh repository, and nothing is changed', async () => {
  const its = await plainPlace();
  const before = readdirSync(its.repo, { recursive: true }).sort();
  const run = await its.run(['doctor']);
  expect(run).toMatchObject({ code: 0, stderr: '' });
  expect(run.stdout).toContain('Writes a name once: a second write of it is refused');
  expect(run.stdout).toContain('The store is what the config says of it.');
  expect(run.stdout).toContain('Nothing is wrong.');
  expect(readdirSync(its.repo, { recursive: true }).sort()).toEqual(before);
});

test('where there is no repository the place is tried, and left as it was', async () => {
  const its = place();
  const { items, summary } = await its.json(['doctor']);
  expect(summary).toMatchObject({ exitCode: 0, location: its.repo, findings: { errors: 0 } });
  expect(items).toContainEqual(
    expect.objectContaining({ about: 'store', thing: 'create-only', state: 'fine' }),
  );
  expect(items).toContainEqual(expect.objectContaining({ thing: 'repository', state: 'unknown' }));
  expect(readdirSync(its.root).sort()).toEqual(['home', 'source']);
});

test('tells what is left over and who can look into the caches, and clears away when told to', async () => {
  const its = await plainPlace();
  mkdirSync(join(its.repo, 'parity'), { recursive: true });
  writeFileSync(join(its.repo, 'parity/probe-00ff'), 'left');
  mkdirSync(its.cache, { recursive: true });
  chmodSync(its.cache, 0o755);
  const found = (await its.json(['doctor'])).items;
  const warned = found.filter(({ severity }) => severity === 'warning').map(({ thing }) => thing);
  expect(warned).toEqual(['probes', 'cache-privacy']);
  expect(readdirSync(join(its.repo, 'parity'))).toEqual(['probe-00ff']);
  expect((await its.run(['doctor', '--clean'])).stdout).toContain(
    '1 object of probes is left over. Cleared away.',
  );
  expect(readdirSync(join(its.repo, 'parity'))).toEqual([]);
});

test('a longer waiting period is kept in the next config', async () => {
  const its = await plainPlace();
  expect((await its.json(['doctor', '--waiting-period', '2d'])).summary).toMatchObject({
    config: 2,
    createOnly: true,
  });
  expect(readdirSync(join(its.repo, 'config')).sort()).toEqual(['1', '2']);
  expect((await its.json(['doctor', '--waiting-period', '2d'])).summary).toMatchObject({ config: 2 });
  expect((await its.run(['doctor', '--waiting-period', '5m'])).code).toBe(2);
  expect((await its.json(['check'])).summary).toMatchObject({ exitCode: 0 });
});

test('a mirror keeps the config of what it mirrors', async () => {
  const its = await plainPlace();
  const mirrored = join(its.root, 'mirrored');
  expect((await its.run(['mirror', '--to', mirrored])).code).toBe(0);
  const run = await its.run(['doctor', '-r', mirrored, '--waiting-period', '2d']);
  expect(run.code).toBe(4);
  expect(run.stdout + run.stderr).toContain(
    'it is a mirror, whose config is that of the repository it mirrors',
  );
  expect(readdirSync(join(mirrored, 'config'))).toEqual(['1']);
  expect((await its.run(['mirror', '--to', mirrored])).code).toBe(0);
});

test('where the store could not be tried, or there is no repository, what was asked for is said to be not done', async () => {
  const its = await plainPlace();
  // What a probe writes has no place there.
  rmSync(join(its.repo, 'parity'), { recursive: true });
  symlinkSync(join(its.root, 'nowhere'), join(its.repo, 'parity'));
  const run = await its.run(['doctor', '--waiting-period', '2d', '--end-waiting']);
  expect(run.code).toBe(4);
  expect(run.stdout).toContain('Nothing can be written, so the store was not tried');
  expect(run.stdout).toContain(
    '--waiting-period and --end-waiting changed nothing: the store could not be tried.',
  );
  expect(readdirSync(join(its.repo, 'config'))).toEqual(['1']);
  expect((await its.run(['doctor'])).stdout).not.toContain('changed nothing');
  const none = await place().run(['doctor', '--waiting-period', '2d']);
  expect(none.code).toBe(4);
  expect(none.stdout).toContain('--waiting-period changed nothing: there is no repository.');
});
