import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isAlive, ownIdentity, processStartTime, readMachine } from '../../dist/core/index.js';

const own = ownIdentity('here');

test('this process is alive, and is told from others of its number', () => {
  expect(own).toMatchObject({ host: 'here', pid: process.pid });
  expect(own.bootId).toMatch(/^[0-9a-f-]{36}$/);
  expect(own.startTime).toBe(processStartTime(process.pid));
  expect(isAlive(own, own)).toBe('alive');
  expect(isAlive(ownIdentity(hostname()))).toBe('alive');
  expect(isAlive({ ...own, startTime: own.startTime! - 1 }, own)).toBe('dead');
});

test('a process that ended is dead, already while its parent has not taken note', async () => {
  // The shell never waits for its child, which is a zombie until the shell ends.
  const shell = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 30'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = (await once(shell.stdout!, 'data')) as [Buffer];
  const pid = Number(line.toString());
  const child = { ...own, pid, startTime: processStartTime(pid)! };
  expect(isAlive(child, own)).toBe('alive');
  while (isAlive(child, own) === 'alive') await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isAlive(child, own)).toBe('dead');
  const parent = { ...own, pid: shell.pid!, startTime: processStartTime(shell.pid!)! };
  expect(isAlive(parent, own)).toBe('alive');
  shell.kill('SIGKILL');
  await once(shell, 'close');
  expect(isAlive(parent, own)).toBe('dead');
});

test('another machine of the same name is not an earlier boot of this one', () => {
  const here = { ...own, machine: 'a'.repeat(32) };
  const { machine: _machine, ...nameless } = here;
  const gone = { ...here, pid: 2 ** 22 + 1 };
  const earlier = { ...gone, bootId: 'x' };
  expect(isAlive(earlier, here)).toBe('dead');
  expect(isAlive({ ...earlier, machine: 'b'.repeat(32) }, here)).toBe('unknown');
  const { bootId: _boot, ...withoutBoot } = gone;
  expect(isAlive({ ...withoutBoot, machine: 'b'.repeat(32) }, here)).toBe('unknown');
  // Containers have none: names have to do, as long as one of the two says no more.
  expect(isAlive(earlier, nameless)).toBe('dead');
  expect(isAlive({ ...nameless, pid: 2 ** 22 + 1, bootId: 'x' }, here)).toBe('dead');
  expect(isAlive({ ...nameless, pid: 2 ** 22 + 1, bootId: 'x' }, nameless)).toBe('dead');
  // The same kernel runs both, so the process can be looked for.
  expect(isAlive({ ...here, machine: 'b'.repeat(32) }, here)).toBe('alive');
  expect(isAlive({ ...gone, machine: 'b'.repeat(32) }, here)).toBe('dead');
  // Copies of one image.
  expect(isAlive({ ...earlier, host: 'elsewhere' }, here)).toBe('unknown');
});

test('the machine id is told apart and not told', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cbr-machine-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [first, second] = [join(folder, 'first'), join(folder, 'second')];
  const read = (content: string): string | undefined => {
    writeFileSync(first, content);
    return readMachine([first, second]);
  };
  const id = '0123456789abcdef0123456789abcdef';
  const machine = read(`${id}\n`);
  // HMAC-SHA256 under the id, as of another implementation: printf 'cbr 2026 machine' | openssl dgst -sha256 -hmac $id
  expect(machine).toBe('c3fa6697965c551d081796f61dd762a5');
  expect(read(id)).toBe(machine);
  expect(read(id.replace('0', '1'))).not.toBe(machine);
  for (const none of ['', '\n', 'uninitialized\n', '0'.repeat(32), id.toUpperCase(), `${id}0`]) {
    expect(read(none), none).toBeUndefined();
  }
  writeFileSync(second, `${id}\n`);
  expect(read('uninitialized\n')).toBe(machine);
  expect(readMachine([folder, join(folder, 'absent')])).toBeUndefined();
  expect(ownIdentity('here').machine).toBe(readMachine());
});

test('only what is proved is dead', () => {
  const gone = { ...own, pid: 2 ** 22 + 1 };
  expect(isAlive(gone, own)).toBe('dead');
  expect(isAlive({ ...gone, host: 'another name of this machine' }, own)).toBe('dead');
  expect(isAlive({ ...gone, host: 'elsewhere', bootId: 'x' }, own)).toBe('unknown');
  expect(isAlive({ ...gone, bootId: 'x' }, own)).toBe('dead');
  expect(isAlive({ ...gone, pidNamespace: 1 }, own)).toBe('unknown');
  const { startTime: _start, ...withoutStart } = own;
  expect(isAlive(withoutStart, own)).toBe('unknown');
  const { bootId: _boot, ...withoutBoot } = gone;
  expect(isAlive(withoutBoot, own)).toBe('dead');
  expect(isAlive({ ...withoutBoot, host: 'elsewhere' }, own)).toBe('unknown');
  for (const pid of [0, -1, 1.5, Number.NaN]) expect(isAlive({ ...own, pid }, own)).toBe('unknown');
});
