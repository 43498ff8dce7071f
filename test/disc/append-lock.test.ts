import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ownIdentity } from '../../dist/core/index.js';
import { withAppendLock } from '../../dist/disc/staged/append-lock.js';
import { leavingProgramFile } from '../../dist/disc/xorriso/program-file.js';

/** The lock of those who append to images, where one of them is slow. */

/** Runs something before the next lock is made, when its process has seen which one is free. */
function beforeNextLink(action: () => Promise<void>): void {
  const its = promises.link;
  promises.link = async (from, to) => {
    promises.link = its;
    syncBuiltinESMExports();
    await action();
    return its(from, to);
  };
  syncBuiltinESMExports();
}

function newFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cbr-lock-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'staging'));
  return folder;
}

test('who saw a lock free that was taken, given back and taken again meanwhile does not hold one beside it', async () => {
  const folder = newFolder();
  const holders = new Set<string>();
  const together: string[][] = [];
  const hold = (name: string, until: Promise<unknown> = Promise.resolve()) =>
    withAppendLock(
      folder,
      new AbortController().signal,
      () => undefined,
      async () => {
        holders.add(name);
        together.push([...holders]);
        await until;
        holders.delete(name);
      },
    );
  await hold('first');
  let third: Promise<void> | undefined;
  let release: (value?: unknown) => void = () => undefined;
  beforeNextLink(async () => {
    await hold('second');
    const until = new Promise((resolve) => {
      release = resolve;
    });
    third = hold('third', until);
    await vi.waitFor(() => expect(holders).toContain('third'));
    setTimeout(() => release(), 500);
  });
  await hold('slow');
  await third;
  expect(together).toEqual([['first'], ['second'], ['third'], ['slow']]);
});

describe('a program that a killed process had begun to start', () => {
  const killed = (): {
    readonly folder: string;
    readonly locks: string;
    readonly start: () => ChildProcess;
  } => {
    const folder = newFolder();
    const locks = join(folder, 'staging/appending');
    mkdirSync(locks);
    const lock = join(locks, '1');
    writeFileSync(lock, JSON.stringify({ ...ownIdentity(hostname()), pid: 999_999_999 }));
    const mark = { file: `${lock}.program`, needed: lock, unwanted: join(locks, '2') };
    return { folder, locks, start: () => spawn(...leavingProgramFile(mark, 'sleep', ['1'])) };
  };
  const take = <T>(folder: string, use: () => Promise<T>) =>
    withAppendLock(folder, new AbortController().signal, () => undefined, use);
  const codeOf = (child: ChildProcess) =>
    new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));

  test('does not begin when another process has the lock, or has had it', async () => {
    const { folder, start } = killed();
    expect(await take(folder, () => codeOf(start()))).toBe(1);
    expect(await codeOf(start())).toBe(1);
    await take(folder, async () => undefined);
    expect(await codeOf(start())).toBe(1);
    expect(await take(folder, async () => 'taken')).toBe('taken');
  });

  test('is waited for when it begins while another process takes the lock', async () => {
    const { folder, locks, start } = killed();
    let ended: Promise<number | null> | undefined;
    let code: number | null | undefined;
    beforeNextLink(async () => {
      ended = codeOf(start()).then((its) => {
        code = its;
        return its;
      });
      // In its full length it is there when it has looked.
      await vi.waitFor(() => expect(readFileSync(join(locks, '1.program'), 'utf8')).not.toBe(''));
      await new Promise((resolve) => setTimeout(resolve, 200));
    });
    expect(await take(folder, async () => code)).toBe(0);
    await ended;
  });
});
