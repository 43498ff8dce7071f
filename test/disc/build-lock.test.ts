import promises, { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CbrError, ownIdentity } from '../../dist/core/index.js';
import { withBuildLock } from '../../dist/disc/set/build-lock.js';

/** The lock of those who make images in a folder, where the last one was killed and several come at the same time. */

/** Runs something before each of these calls the first time. */
function before(actions: Readonly<Record<'rename' | 'link', () => Promise<void>>>): void {
  const { rename, link } = promises;
  const put = (its: Pick<typeof promises, 'rename' | 'link'>): void => {
    Object.assign(promises, its);
    syncBuiltinESMExports();
  };
  onTestFinished(() => put({ rename, link }));
  put({
    rename: async (from, to) => {
      put({ rename, link: promises.link });
      await actions.rename();
      return rename(from, to);
    },
    link: async (from, to) => {
      put({ rename: promises.rename, link });
      await actions.link();
      return link(from, to);
    },
  });
}

test('the lock of a process that was killed goes to one of those who want it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cbr-lock-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const own = ownIdentity(hostname());
  await writeFile(join(folder, '.cbr-building'), JSON.stringify({ ...own, pid: 2 ** 22 + 1 }));
  const holders = new Set<string>();
  const together: string[][] = [];
  const ends: Promise<unknown>[] = [];
  let release: (value?: unknown) => void = () => undefined;
  const until = new Promise((resolve) => {
    release = resolve;
  });
  /** Until it has the lock, or not. */
  const start = (name: string) =>
    new Promise<void>((decided) => {
      const its = withBuildLock(folder, own, async () => {
        holders.add(name);
        together.push([...holders]);
        decided();
        await until;
        holders.delete(name);
      }).catch((error: unknown) => {
        decided();
        if (!(error instanceof CbrError) || error.code !== 'busy') throw error;
      });
      ends.push(its);
    });
  before({ rename: () => start('second'), link: () => start('third') });
  await start('first');
  release();
  await Promise.all(ends);
  expect(together).toHaveLength(1);
  // And it is free then.
  expect(await withBuildLock(folder, own, async () => 'free')).toBe('free');
});
