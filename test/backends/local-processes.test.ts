import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createLocalBackend, openLocalBackend, removeStaleTemporaries } from '../../dist/backends/index.js';
import { namesOf, scratchFolders, sha256 } from './scratch.js';

const HOUR_MS = 3_600_000;

function startChild(script: string, ...parameters: string[]) {
  const path = fileURLToPath(new URL(`children/${script}`, import.meta.url));
  const child = spawn(process.execPath, [path, ...parameters], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

describe('local disk, several processes', () => {
  const newFolder = scratchFolders();

  test('B3 of two processes that write the same names exactly one wins each', async () => {
    const root = await newFolder();
    const backend = await createLocalBackend(root);
    const count = 150;
    const children = ['one', 'other'].map(() => startChild('race.mjs', root, `${count}`));
    for (const { lines } of children) expect((await lines.next()).value).toBe('ready');
    for (const { child } of children) child.stdin.write('go\n');
    const results: { pid: number; won: number[] }[] = [];
    for (const { lines } of children) results.push(JSON.parse((await lines.next()).value));
    expect(results.flatMap(({ won }) => won).sort((a, b) => a - b)).toEqual(
      Array.from({ length: count }, (_, i) => i),
    );
    for (const { pid, won } of results) {
      for (const i of won) {
        expect(Buffer.from(await backend.read('leases', `prune/${i}`)).toString()).toBe(`${pid} wrote ${i}`);
      }
    }
    expect(await readdir(backend.stagingFolder!)).toEqual([]);
  });

  test('B1 B2 a process killed while it writes leaves whole objects, and all that it was told are stored', async () => {
    const root = await newFolder();
    const backend = await createLocalBackend(root);
    const stored: string[] = [];
    for (const enough of [1, 3, 6, 8]) {
      const { child, lines } = startChild('writers.mjs', root);
      for (let i = 0; i < enough; i++) stored.push((await lines.next()).value);
      await kill(child);
    }
    const listed = await namesOf(backend, 'packs');
    for (const pack of listed) expect(sha256(await backend.read('packs', pack))).toBe(pack);
    for (const pack of stored) expect(listed).toContain(pack);
  });

  test('what a killed process staged is removed, what a running one stages is not', async () => {
    const root = await newFolder();
    const backend = await createLocalBackend(root);
    const running = startChild('writers.mjs', root);
    const killed = startChild('writers.mjs', root);
    for (const { lines } of [running, killed]) await lines.next();
    await kill(killed.child);
    const future = Date.now() + HOUR_MS;
    expect(await removeStaleTemporaries(backend.stagingFolder!, 2 * HOUR_MS, future)).toBe(0);
    await removeStaleTemporaries(backend.stagingFolder!, 0, future);
    const owned = (await readdir(backend.stagingFolder!)).map((name) => name.split('~')[4]);
    expect(owned).not.toContain(`${killed.child.pid}`);
    await running.lines.next();
    await running.lines.next();
    await kill(running.child);
    await removeStaleTemporaries(backend.stagingFolder!, 0, future);
    expect(await readdir(backend.stagingFolder!)).toEqual([]);
    const reopened = await openLocalBackend(root);
    expect((await namesOf(reopened, 'packs')).length).toBeGreaterThan(3);
  });
});
