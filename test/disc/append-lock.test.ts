import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { withAppendLock } from '../../dist/disc/staged/append-lock.js';

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

test('who saw a lock free that was taken, given back and taken again meanwhile does not hold one beside it', async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cbr-lock-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'staging'));
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
