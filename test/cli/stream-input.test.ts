import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { streamPath } from '../../dist/cli/stream-name.js';
import { CBR } from './child.js';
import { type Place, place, plainPlace, quoted } from './run.js';
import { scriptOnTerminal } from './terminal.js';

/** Standard input and the output of commands as what a snapshot takes in. */

const MEBIBYTE = 2 ** 20;

const fileOf = (its: Place, name: string, content: string | Uint8Array): string => {
  const path = join(its.root, name);
  writeFileSync(path, content);
  return path;
};

async function restored(its: Place, path: string): Promise<string> {
  const target = join(its.root, `out${readdirSync(its.root).length}`);
  const { code, stderr } = await its.run(['restore', 'latest', '--target', target]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return join(target, path);
}

const isClean = async (its: Place): Promise<boolean> => {
  return (await its.run(['check', '--read-data'])).code === 0;
};

const snapshotsIn = async (its: Place) => (await its.json(['snapshots'])).items;

async function packsAfterPrune(its: Place): Promise<number> {
  expect((await its.run(['prune'])).code).toBe(0);
  return readdirSync(join(its.repo, 'packs'), { recursive: true }).filter((name) => String(name).length > 60)
    .length;
}

/** Fails and says why. */
async function fails(its: Place, script: string, code: number, pattern: RegExp): Promise<void> {
  const run = await its.shell(script);
  expect(run.stderr).toMatch(pattern);
  expect(run).toMatchObject({ code, stdout: '' });
}

describe('standard input', () => {
  test('becomes one file with exactly its bytes; the next one that is alike stores nothing new', async () => {
    const its = await plainPlace();
    // Some windows, and no multiple of one.
    const content = randomBytes(9 * MEBIBYTE + 12_345);
    const dump = fileOf(its, 'dump', content);
    const name = '--stdin-name db/shop.sql';
    const first = await its.shell(`umask 027; cbr snapshot --stdin ${name} < ${quoted(dump)}`);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const path = await restored(its, 'db/shop.sql');
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o750);
    expect(statSync(path).uid).toBe(process.getuid!());

    // Cut at the same places: as a file, and in a pipe that gives it in other pieces.
    for (const script of [
      `(head -c 1000; cat) < ${quoted(dump)} | dd bs=777 status=none | cbr snapshot --stdin ${name} --json`,
      `cbr snapshot ${quoted(dump)} --json`,
    ]) {
      const run = await its.shell(script);
      expect(JSON.parse(run.stdout.trim().split('\n').at(-1)!)).toMatchObject({
        exitCode: 0,
        bytes: { source: content.length, new: 0 },
      });
    }
    expect((await snapshotsIn(its)).map(({ paths }) => paths)).toEqual([
      ['/db/shop.sql'],
      ['/db/shop.sql'],
      [dump],
    ]);
    expect(await isClean(its)).toBe(true);
  });

  test('a little of it, and zeros without end', async () => {
    const its = await plainPlace();
    expect((await its.shell('printf x | cbr snapshot --stdin')).code).toBe(0);
    expect(readFileSync(await restored(its, 'stdin'), 'utf8')).toBe('x');
    const zeros = 100 * MEBIBYTE;
    expect((await its.shell(`head -c ${zeros} /dev/zero | cbr snapshot --stdin --stdin-name z`)).code).toBe(
      0,
    );
    const path = await restored(its, 'z');
    expect(spawnSync('cmp', ['-n', String(zeros), path, '/dev/zero']).status).toBe(0);
    expect(statSync(path).size).toBe(zeros);
    expect(await isClean(its)).toBe(true);
  });

  test('empty, or what cannot be read: no snapshot', async () => {
    const its = await plainPlace();
    await fails(its, 'cbr snapshot --stdin < /dev/null', 1, /standard input is empty: no snapshot was made/);
    await fails(its, 'false | cbr snapshot --stdin', 1, /standard input is empty/);
    await fails(its, 'cbr snapshot --stdin < .', 2, /standard input is a folder/);
    await fails(its, 'cbr snapshot --stdin < /proc/self/mem', 1, /reading standard input failed: EIO/);
    expect(await snapshotsIn(its)).toEqual([]);
  });

  test('breaks off in the middle: no snapshot, and nothing is left running', async () => {
    const its = await plainPlace();
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(randomBytes(9 * MEBIBYTE), () => setTimeout(() => socket.resetAndDestroy(), 1500));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const script = `exec 3<>/dev/tcp/127.0.0.1/${port}; exec ${quoted(process.execPath)} ${quoted(CBR)} snapshot --stdin <&3`;
    const run = spawnAsync('bash', ['-c', script], its);
    expect(await run).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/reading standard input failed: .*ECONNRESET/),
    });
    server.close();
    expect(await snapshotsIn(its)).toEqual([]);
    expect(await isClean(its)).toBe(true);
    expect(readdirSync(join(its.repo, 'sessions'))).toEqual([]);
    expect(await packsAfterPrune(its)).toBe(0);
  });

  test('names that lead elsewhere or that no folder holds are refused, all others are exact', async () => {
    const its = await plainPlace();
    const long = [`${'n'.repeat(256)}`, `${'d/'.repeat(2100)}f`];
    for (const name of ['../x', 'a/../b', '/', '', '.', 'a/', 'a/.', 'a/..', ...long]) {
      expect(() => streamPath(name), name).toThrow(/^--stdin-name '/);
    }
    const name = quoted('../\x1b[31m');
    await fails(its, `printf x | cbr snapshot --stdin --stdin-name ${name}`, 2, /'\.\.\/\\x1b\[31m' leads/);
    const strange = 'fold\x1b[31m er/./li\nne "x" \\x0a ü';
    const run = await its.shell(`printf x | cbr snapshot --stdin --stdin-name ${quoted(`//${strange}`)}`);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect((await snapshotsIn(its))[0]!.paths).toEqual([`/${strange.replace('/./', '/')}`]);
    expect((await its.run(['snapshots'])).stdout).toMatch(/\/fold\\x1b\[31m er\/li\\x0ane/);
    expect(readFileSync(await restored(its, strange), 'utf8')).toBe('x');
  });

  test('a terminal is refused', async () => {
    const its = await plainPlace();
    const line = `${quoted(process.execPath)} ${quoted(CBR)} snapshot --stdin`;
    expect(await scriptOnTerminal(its, line)).toMatchObject({
      code: 2,
      screen: expect.stringMatching(/standard input is a terminal/),
    });
  });

  test('what cannot be meant together', async () => {
    const its = await plainPlace();
    const stream = 'printf x | cbr snapshot --stdin';
    await fails(its, `${stream} .`, 2, /--stdin takes no paths/);
    await fails(its, `${stream} --from-command -- true`, 2, /exclude each other/);
    await fails(its, `${stream} --dry-run`, 2, /no dry run of a stream/);
    await fails(its, `${stream} --partial`, 2, /no partial snapshot of a stream/);
    for (const option of ['--exclude x', '--exclude-caches', '--as /x', '-x', '--trust-mtime'])
      await fails(its, `${stream} ${option}`, 2, / says nothing about a stream/);
    await fails(its, 'cbr snapshot . --stdin-name x', 2, /--stdin-name needs/);
    await fails(its, 'cbr snapshot --from-command', 2, /no command was given/);
    await fails(its, 'cbr snapshot', 2, /nothing to take in is named/);
    await fails(its, 'cbr snapshot . --dry-run --max-new 1M', 2, /a dry run cannot tell what is new/);
  });

  test('interrupted while nothing comes: it ends at once, without a snapshot', async () => {
    const its = await plainPlace();
    // Somebody holds the pipe open and writes nothing more.
    const script = `(printf begun; sleep 60) | (exec ${quoted(process.execPath)} ${quoted(CBR)} snapshot --stdin)`;
    const run = spawnAsync('/bin/sh', ['-c', script], its, (shell) => {
      whenRegistered(its, () => signalCbr(shell, 'SIGTERM'));
    });
    expect(await run).toMatchObject({ code: 130, stderr: expect.stringMatching(/interrupted by SIGTERM/) });
    expect(await snapshotsIn(its)).toEqual([]);
  });
});

describe('the password beside standard input', () => {
  async function encrypted(): Promise<{ its: Place; file: string }> {
    const its = place();
    expect((await its.run(['init'], { env: { CBR_PASSWORD: 'secret' } })).code).toBe(0);
    return { its, file: fileOf(its, 'password', 'secret\n') };
  }

  test('is never taken from it, nor does its command eat it', async () => {
    const { its, file } = await encrypted();
    for (const path of ['/dev/stdin', '/proc/self/fd/0']) {
      const run = await its.shell(`cat ${quoted(file)} | cbr snapshot --stdin --password-file ${path}`);
      expect(run).toMatchObject({ code: 2, stderr: expect.stringMatching(/cannot be both the password/) });
    }
    const command = quoted(`cat; cat ${quoted(file)}`);
    const run = await its.shell(`echo content | cbr snapshot --stdin --password-command ${command}`);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const env = { CBR_PASSWORD: 'secret' };
    const target = join(its.root, 'out');
    expect((await its.run(['restore', 'latest', '--target', target], { env })).code).toBe(0);
    expect(readFileSync(join(target, 'stdin'), 'utf8')).toBe('content\n');
    const none = await its.shell('echo content | cbr snapshot --stdin');
    expect(none).toMatchObject({ code: 2, stderr: expect.stringMatching(/no password was given/) });
  });

  test('is asked for on the terminal', async () => {
    const { its } = await encrypted();
    const cbr = `${quoted(process.execPath)} ${quoted(CBR)}`;
    const run = await scriptOnTerminal(its, `echo content | ${cbr} snapshot --stdin`, [
      { when: 'Password: ', type: 'secret\r' },
    ]);
    expect(run.code).toBe(0);
    expect(run.screen).not.toContain('secret');
    const target = join(its.root, 'out');
    const env = { CBR_PASSWORD: 'secret' };
    expect((await its.run(['restore', 'latest', '--target', target], { env })).code).toBe(0);
    expect(readFileSync(join(target, 'stdin'), 'utf8')).toBe('content\n');
  });
});

describe('the output of a command', () => {
  const from = (words: string, flags = ''): string => `cbr snapshot --from-command ${flags} -- ${words}`;

  test('is stored if it exits with 0', async () => {
    const its = await plainPlace();
    const content = randomBytes(5 * MEBIBYTE);
    const file = fileOf(its, 'file', content);
    const run = await its.shell(
      `${from(`sh -c 'echo said >&2; cat "$0"' ${quoted(file)}`, '--stdin-name a/b')}`,
    );
    expect(run).toMatchObject({ code: 0, stderr: 'said\n' });
    expect(readFileSync(await restored(its, 'a/b')).equals(content)).toBe(true);
    expect(await isClean(its)).toBe(true);
  });

  test('may be empty if it exits with 0; its options are not ours', async () => {
    const its = await plainPlace();
    expect((await its.shell(from('true', '--stdin-name empty'))).code).toBe(0);
    expect(statSync(await restored(its, 'empty')).size).toBe(0);
    expect((await its.shell(from('echo --partial -q', '--stdin-name words'))).code).toBe(0);
    expect(readFileSync(await restored(its, 'words'), 'utf8')).toBe('--partial -q\n');
  });

  test('may be opened by its name, as dumps do that are told -f /dev/stdout', async () => {
    const its = await plainPlace();
    const words = `sh -c 'echo opened > /dev/stdout'`;
    expect(await its.shell(from(words))).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(await restored(its, 'stdin'), 'utf8')).toBe('opened\n');
  });

  test('no snapshot of one that fails; what it left is freed', async () => {
    const its = await plainPlace();
    const words = `sh -c 'head -c 6000000 /dev/urandom; exit 3'`;
    await fails(its, from(words), 1, /the command failed with exit status 3: sh -c 'head/);
    expect(await snapshotsIn(its)).toEqual([]);
    expect(await isClean(its)).toBe(true);
    expect(await packsAfterPrune(its)).toBe(0);
  });

  test.each([
    [`sh -c 'echo half; kill -9 $$'`, /the command was killed by SIGKILL: sh -c/],
    [`'no such' -x`, /the command was not found: 'no such' -x\n/],
    ['/etc/passwd', /the command cannot be run \(EACCES\): \/etc\/passwd\n/],
    [`"$(printf 'a\\033[1mb')"`, /not found: 'a\\x1b\[1mb'/],
  ])('no snapshot of %s', async (words, pattern) => {
    const its = await plainPlace();
    await fails(its, from(words), 1, pattern);
    expect(await snapshotsIn(its)).toEqual([]);
  });

  test('the command is ended when the run is interrupted, even one that does not want to', async () => {
    const its = await plainPlace();
    const started = join(its.root, 'started');
    const stubborn = `trap "" TERM PIPE; echo $$ > ${quoted(started)}; while :; do echo line; sleep 0.05; done`;
    const args = ['snapshot', '--from-command', '--', 'sh', '-c', stubborn];
    const run = await its.run(args, {
      during: (child) => whenRegistered(its, () => child.kill('SIGINT'), started),
    });
    expect(run).toMatchObject({ code: 130, stderr: expect.stringMatching(/interrupted by SIGINT/) });
    const pid = Number(readFileSync(started, 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    expect(await snapshotsIn(its)).toEqual([]);
  });
});

/** Calls `then` as soon as a run has registered its session, and that file exists. */
function whenRegistered(its: Place, then: () => void, file = its.root): void {
  const sessions = join(its.repo, 'sessions');
  const timer = setInterval(() => {
    const isRegistered = readdirSync(sessions).some((id) => existsSync(join(sessions, id, '0')));
    if (!isRegistered || !existsSync(file)) return;
    clearInterval(timer);
    setTimeout(then, 300);
  }, 20);
}

/** Signals the node process below a shell. */
function signalCbr(shell: ChildProcess, signal: NodeJS.Signals): void {
  const { stdout } = spawnSync('ps', ['-eo', 'pid,ppid,comm'], { encoding: 'utf8' });
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  const below = (parent: number): number[] =>
    rows
      .filter(([, ppid]) => Number(ppid) === parent)
      .flatMap(([pid]) => [Number(pid), ...below(Number(pid))]);
  for (const pid of below(shell.pid!)) process.kill(pid, signal);
}

function spawnAsync(
  program: string,
  args: readonly string[],
  its: Place,
  during?: (child: ChildProcess) => void,
): Promise<{ code: number | null; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: its.env(), stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stderr }));
    during?.(child);
  });
}
