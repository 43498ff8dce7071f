import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomContent } from '../snapshot/random-content.js';
import { filled, snapshotId } from './filled.js';
import { type Place, plainPlace } from './run.js';
import { onTerminal } from './terminal.js';

/** `cbr dump`: what comes out, and what does not. */

async function kept(): Promise<Place> {
  const its = await filled();
  await snapshotId(its);
  return its;
}

test('a file comes out byte for byte, and nothing else does', async () => {
  const its = await kept();
  const content = randomContent(1, 20 * 2 ** 20);
  writeFileSync(join(its.source, 'random'), content);
  await snapshotId(its);
  const run = await its.shell(`cbr dump "latest:${its.source}/random" -q > out`);
  expect(run).toMatchObject({ code: 0, stdout: '', stderr: '' });
  expect(readFileSync(join(its.root, 'out')).equals(content)).toBe(true);
  const json = await its.shell(`cbr dump "latest:${its.source}/random" --json --no-progress > out`);
  expect(readFileSync(join(its.root, 'out')).equals(content)).toBe(true);
  expect(JSON.parse(json.stderr)).toMatchObject({ type: 'summary', command: 'dump', bytes: content.length });
  const letter = await its.run(['dump', `latest:${its.source}/folder/letter`]);
  expect(letter).toMatchObject({ code: 0, stdout: 'dear reader\n', stderr: '' });
});

test('a folder comes out as an archive; the name of the file tells which', async () => {
  const its = await kept();
  const folder = `latest:${its.source}/folder`;
  const tar = await its.shell(`cbr dump "${folder}" | tar -tf -`);
  expect(tar).toMatchObject({ code: 0, stdout: 'empty/\nletter\n' });
  const listings: [name: string, ...reader: string[]][] = [
    ['a.tar', 'tar', '-tf'],
    ['a.tar.zst', 'bsdtar', '-tf'],
    ['a.zip', 'bsdtar', '-tf'],
    ['other.name', 'tar', '-tf'],
  ];
  for (const [name, program, ...args] of listings) {
    const { summary } = await its.json(['dump', folder, '-o', name]);
    expect(summary).toMatchObject({ files: { written: 1, skipped: 0, failed: 0 }, folders: 1, bytes: 12 });
    const path = join(its.root, name);
    expect(execFileSync(program!, [...args, path], { encoding: 'utf8' })).toBe('empty/\nletter\n');
  }
  const one = await its.shell(`cbr dump "${folder}/letter" --format tar | tar -xOf - letter`);
  expect(one.stdout).toBe('dear reader\n');
  const twice = await its.run(['dump', `latest:${its.source}`, '-o', 'all.zip']);
  expect(twice.stdout).toMatch(/^Wrote 6 files in 2 folders, /);
});

test('what is there is replaced only by what is whole, and keeps its mode', async () => {
  const its = await kept();
  const letter = `latest:${its.source}/folder/letter`;
  mkdirSync(join(its.root, 'out'));
  const path = join(its.root, 'out/file');
  writeFileSync(path, 'before', { mode: 0o640 });
  symlinkSync('file', join(its.root, 'out/link'));
  const missing = await its.run(['dump', `${letter}s`, '-o', path]);
  expect(missing.code).toBe(1);
  expect(readFileSync(path, 'utf8')).toBe('before');
  expect((await its.run(['dump', letter, '-o', 'out/link'])).code).toBe(0);
  expect(readFileSync(path, 'utf8')).toBe('dear reader\n');
  expect(statSync(path).mode & 0o777).toBe(0o640);
  const made = await its.shell(
    `umask 027; cbr dump "${letter}" -o out/new; cbr dump "${letter}" -o /dev/null`,
  );
  expect(made.code).toBe(0);
  expect(statSync(join(its.root, 'out/new')).mode & 0o777).toBe(0o640);
  expect(readdirSync(join(its.root, 'out')).sort()).toEqual(['file', 'link', 'new']);
});

/** Takes bytes out of the largest pack. */
function damageData(its: Place): void {
  const packs = join(its.repo, 'packs');
  const paths = readdirSync(packs, { recursive: true, encoding: 'utf8' })
    .map((name) => join(packs, name))
    .filter((path) => statSync(path).isFile())
    .sort((a, b) => statSync(b).size - statSync(a).size);
  const bytes = readFileSync(paths[0]!);
  bytes.fill(0, bytes.length / 2, bytes.length / 2 + 100);
  rmSync(paths[0]!);
  writeFileSync(paths[0]!, bytes);
}

test('damage ends a file where it is, and an archive without it is told from a whole one', async () => {
  const its = await plainPlace();
  const content = randomContent(2, 12 * 2 ** 20);
  writeFileSync(join(its.source, 'large'), content);
  writeFileSync(join(its.source, 'letter'), 'dear reader\n');
  // By one thread, so that the blocks of the file lie one behind the other, and the damage not in the first of them.
  await snapshotId(its, '--threads', '1');
  damageData(its);
  const run = await its.shell(`cbr dump "latest:${its.source}/large" > out`);
  expect(run.code).toBe(4);
  const at = Number(/ is damaged from byte ([0-9]+) on/.exec(run.stderr)![1]);
  expect(at).toBeGreaterThan(0);
  expect(content.subarray(0, at).indexOf(readFileSync(join(its.root, 'out')))).toBe(0);
  const named = await its.run(['dump', `latest:${its.source}`, '-o', 'out.tar']);
  expect(named.code).toBe(4);
  expect(named.stderr).toContain('large is damaged from byte');
  expect(readdirSync(its.root)).not.toContain('out.tar');
  const piped = await its.shell(`cbr dump "latest:${its.source}" > cut.tar; echo $?; tar -tf cut.tar`);
  expect(piped.stdout.startsWith('4\n')).toBe(true);
  expect(piped.code).not.toBe(0);
});

test('an archive that lacks what is damaged replaces nothing', async () => {
  const its = await plainPlace();
  writeFileSync(join(its.source, 'damaged'), randomContent(2, 2 ** 20));
  await snapshotId(its);
  damageData(its);
  writeFileSync(join(its.source, 'letter'), 'dear reader\n');
  await snapshotId(its);
  const path = join(its.root, 'out.tar');
  const args = ['dump', `latest:${its.source}`, '-o', path];
  const fresh = await its.json(args);
  expect(fresh).toMatchObject({ code: 4, summary: { files: { written: 1, failed: 1 } } });
  expect(execFileSync('tar', ['-tf', path], { encoding: 'utf8' })).toBe('letter\n');
  writeFileSync(path, 'the good one');
  const again = await its.json(args);
  expect(again).toMatchObject({ code: 4, summary: { dropped: true, files: { failed: 1 } } });
  expect(again.problems.at(-1)).toMatchObject({ code: 'kept', path, hint: expect.stringContaining('-o') });
  expect(readFileSync(path, 'utf8')).toBe('the good one');
  expect(readdirSync(its.root).filter((name) => name.startsWith('.cbr'))).toEqual([]);
});

test('a reader that goes away is no fault, a full disk is one', async () => {
  const its = await kept();
  writeFileSync(join(its.source, 'random'), randomContent(3, 8 * 2 ** 20));
  await snapshotId(its);
  for (const what of [`latest:${its.source}/random`, `latest:${its.source}`]) {
    const gone = await its.shell(`{ cbr dump "${what}"; echo $? >&2; } | head -c 10 | wc -c`);
    expect(gone).toMatchObject({ stdout: '10\n', stderr: '0\n' });
    const full = await its.shell(`cbr dump "${what}" > /dev/full`);
    expect(full).toMatchObject({ code: 1, stderr: expect.stringContaining('standard output: ENOSPC') });
    const named = await its.run(['dump', what, '-o', '/dev/full']);
    expect(named).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot write /dev/full: no space'),
    });
  }
});

test('what makes no sense is refused', async () => {
  const its = await kept();
  const refused = async (...args: string[]) => {
    const { code, stdout, stderr } = await its.run(['dump', ...args]);
    expect(stdout).toBe('');
    return `${code} ${stderr.split('\n', 1)[0]}`;
  };
  expect(await refused(`latest:${its.source}/link`)).toMatch(
    /^2 .*\/link is a symlink to nowhere, not a file$/,
  );
  expect(await refused(`latest:${its.source}`, '--format', 'rar')).toMatch(/^2 .*tar, tar\.zst, zip/);
  expect(await refused(`latest:${its.source}`, '-o', 'repo/packs/x')).toMatch(
    /^2 .* lies inside the repository$/,
  );
  expect(await refused(`latest:${its.source}`, '-o', 'none/x')).toMatch(
    /^1 .*the folder .*\/none: no such file/,
  );
  expect(await refused(`latest:${its.source}`, '-o', 'source')).toMatch(/^1 .*\/source: it is a folder$/);
  const { code, screen } = await onTerminal(its, ['dump', `latest:${its.source}`]);
  expect(code).toBe(2);
  expect(screen).toContain('an archive is not written to a terminal');
});
