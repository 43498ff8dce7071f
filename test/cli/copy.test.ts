import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomContent } from '../snapshot/random-content.js';
import { type Place, place, plainPlace } from './run.js';

/** Two repositories with passwords of their own, and a snapshot of one file in the first. */
async function two(): Promise<{ its: Place; second: string; env: Readonly<Record<string, string>> }> {
  const its = place();
  const second = join(its.root, 'second');
  writeFileSync(join(its.root, 'word'), 'of the second\n');
  const env = { CBR_PASSWORD: 'of the first' };
  await its.run(['init', '--chunk-size', '16KiB', '--block-size', '1MiB', '--compression', '1'], { env });
  mkdirSync(join(its.source, 'work'));
  writeFileSync(join(its.source, 'work/file'), randomContent(1, 200_000));
  await its.run(['snapshot', its.source, '--tag', 'weekly', '--comment', 'why'], { env });
  return { its, second, env };
}

const TO = ['--to-password-file', '../word'];

test('a copy is a snapshot of the other repository, and nothing is copied twice', async () => {
  const { its, second, env } = await two();
  const cwd = its.source;
  const made = await its.json(
    [
      'init',
      '-r',
      second,
      '--copy-parameters-from',
      its.repo,
      '--pack-size',
      '8MiB',
      '--password-file',
      '../word',
    ],
    { env: { ...env, CBR_FROM_PASSWORD: 'of the first' }, cwd },
  );
  expect(made.problems).toEqual([]);
  expect(made.summary).toMatchObject({
    chunkSize: 16_384,
    blockSize: 2 ** 20,
    packSize: 2 ** 23,
    compression: 1,
  });
  const planned = await its.json(['copy', '--to', second, ...TO, '--dry-run'], { env, cwd });
  expect(planned.summary).toMatchObject({ exitCode: 0, copied: 1, bytes: { read: 200_000 }, dryRun: true });
  const first = await its.json(['copy', '--to', second, ...TO], { env, cwd });
  expect(first.problems).toEqual([]);
  expect(first.summary).toMatchObject({ exitCode: 0, snapshots: 1, copied: 1, there: 0, failed: 0 });
  expect(first.summary.traffic).not.toHaveProperty('write');
  expect(first.items).toMatchObject([{ state: 'new', bytes: { read: 200_000, new: 200_000 } }]);
  const again = await its.run(['copy', '--to', second], {
    env: { ...env, CBR_TO_PASSWORD: 'of the second' },
  });
  expect(again).toMatchObject({
    code: 0,
    stdout: '0 snapshots copied, 0 B of new content, 0 B stored, 1 is there already.\n',
  });
  const there = ['-r', second, '--password-file', '../word'];
  const { items } = await its.json(['snapshots', ...there], { cwd });
  const [{ from, snapshot }] = first.items as [{ from: string; snapshot: string; type: 'item' }];
  expect(items).toMatchObject([
    { snapshot, tags: ['weekly'], comment: 'why', paths: [its.source], copyOf: { snapshot: from } },
  ]);
  const target = join(its.root, 'target');
  expect(await its.run(['restore', 'latest', '--target', target, ...there], { cwd })).toMatchObject({
    code: 0,
  });
  expect(readFileSync(join(target, its.source, 'work/file'))).toEqual(randomContent(1, 200_000));
});

test('what is said without a password of the other one, and where content is cut differently', async () => {
  const { its, second, env } = await two();
  const made = await its.json(['init', '-r', second, '--no-encryption', '--copy-parameters-from', its.repo]);
  expect(made.problems).toMatchObject([{ severity: 'note', about: 'repository' }]);
  expect(made.summary).toMatchObject({ exitCode: 0, chunkSize: 16_384, encrypted: false });
  const alike = await its.json(['copy', '--to', second], { env });
  expect(alike.problems).toEqual([]);
  const third = join(its.root, 'third');
  await its.run(['init', '-r', third, '--no-encryption']);
  const other = await its.json(['copy', '--to', third], { env });
  expect(other.problems).toMatchObject([{ severity: 'note', code: 'other-cuts' }]);
  expect(other.summary).toMatchObject({ exitCode: 0, copied: 1 });
});

test('what cannot be read is named, and the exit code is that of damage', async () => {
  const its = await plainPlace();
  writeFileSync(join(its.source, 'file'), randomContent(1, 200_000));
  await its.run(['snapshot', its.source]);
  const [pack] = readdirSync(join(its.repo, 'packs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => statSync(b).size - statSync(a).size);
  const bytes = readFileSync(pack!);
  bytes[9000]! ^= 1;
  rmSync(pack!);
  writeFileSync(pack!, bytes);
  const second = join(its.root, 'second');
  await its.run(['init', '-r', second, '--no-encryption']);
  const { summary, problems } = await its.json(['copy', '--to', second]);
  expect(summary).toMatchObject({ exitCode: 4, snapshots: 1, copied: 0, failed: 1 });
  expect(problems).toMatchObject([{ severity: 'error', about: 'repository', code: 'damaged' }]);
  expect((await its.json(['snapshots', '-r', second])).items).toEqual([]);
});

test('refusals', async () => {
  const { its, second, env } = await two();
  const refused = async (args: readonly string[]): Promise<string> => {
    const { code, stderr } = await its.run(args, { env });
    return `${code}: ${stderr}`;
  };
  expect(await refused(['copy'])).toMatch(/^2: cbr: nothing says where to copy to/);
  expect(await refused(['copy', '--to', second])).toMatch(/^10: /);
  expect(
    await refused(['init', '-r', second, '--copy-parameters-from', its.repo, '--chunk-size', '8KiB']),
  ).toMatch(/^2: cbr: --chunk-size and --copy-parameters-from exclude each other/);
  const same = await its.run(['copy', '--to', its.repo], {
    env: { ...env, CBR_TO_PASSWORD: 'of the first' },
  });
  expect(same).toMatchObject({ code: 2 });
  expect(same.stderr).toContain('cannot be copied to itself');
  await its.run(['init', '-r', second, '--no-encryption']);
  expect(await refused(['copy', '--to', second, '--host', 'nobody'])).toMatch(
    /^1: cbr: no snapshot is chosen/,
  );
});
