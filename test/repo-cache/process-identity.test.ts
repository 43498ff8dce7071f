import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { isAlive, ownIdentity, processStartTime } from '../../dist/core/index.js';

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
