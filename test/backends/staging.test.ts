import { spawnSync } from 'node:child_process';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  hasEnded,
  newStagingPath,
  type ProcessIdentity,
  removeStaleTemporaries,
  thisProcess,
} from '../../dist/backends/index.js';
import { scratchFolders } from './scratch.js';

const self = thisProcess();
const endedPid = spawnSync(process.execPath, ['--version']).pid;

describe('process identity', () => {
  test('a running process has not ended', () => {
    expect(hasEnded(self)).toBe(false);
    expect(hasEnded({ ...thisProcess(), pid: process.pid })).toBe(false);
  });

  test('a free pid, a pid given to another process and another boot prove the end', () => {
    expect(hasEnded({ ...self, pid: endedPid })).toBe(true);
    expect(hasEnded({ ...self, start: `${Number(self.start) - 1}` })).toBe(true);
    expect(hasEnded({ ...self, boot: 'another boot' })).toBe(true);
  });

  test('nothing is proved about other hosts, other namespaces and unknown parts', () => {
    const gone = { ...self, pid: endedPid };
    const unproved: ProcessIdentity[] = [
      { ...gone, host: 'another' },
      { ...gone, namespace: '17' },
      { ...gone, boot: '0' },
      { ...self, start: '0' },
    ];
    for (const other of unproved) expect(hasEnded(other), JSON.stringify(other)).toBe(false);
    expect(hasEnded(gone, { ...self, boot: '0' })).toBe(false);
  });
});

describe('staged files', () => {
  const newFolder = scratchFolders();
  const now = Date.UTC(2026, 0, 2);

  /** Makes a staged file as `owner` would name it, last written `ageMs` before `now`. */
  async function stage(folder: string, owner: Partial<ProcessIdentity>, ageMs: number): Promise<string> {
    const parts = basename(newStagingPath(folder)).split('~');
    const { host, boot, namespace, pid, start } = { ...self, ...owner };
    const name = [encodeURIComponent(host), boot, namespace, pid, start, parts.at(-1)].join('~');
    await writeFile(join(folder, name), 'staged');
    await utimes(join(folder, name), new Date(now - ageMs), new Date(now - ageMs));
    return name;
  }

  test('names are new each time and tell their maker', () => {
    const names = Array.from({ length: 100 }, () => newStagingPath('/folder'));
    expect(new Set(names).size).toBe(100);
    for (const name of names) expect(name).toContain(`~${process.pid}~`);
  });

  test('only old files of provably ended runs of this host are removed', async () => {
    const folder = await newFolder();
    const kept = [
      await stage(folder, {}, 1e9),
      await stage(folder, { host: 'another', pid: endedPid }, 1e9),
      await stage(folder, { namespace: '17', pid: endedPid }, 1e9),
      await stage(folder, { pid: endedPid }, 999),
    ];
    for (const name of ['notes.txt', '~~~~~', `${self.host}~b~n~x~1~r`, `%E0~b~n~1~1~r`]) {
      await writeFile(join(folder, name), 'not staged by cbr');
      await utimes(join(folder, name), 0, 0);
      kept.push(name);
    }
    await stage(folder, { pid: endedPid }, 1001);
    await stage(folder, { boot: 'earlier' }, 1001);
    expect(await removeStaleTemporaries(folder, 1000, now)).toBe(2);
    expect((await readdir(folder)).sort()).toEqual(kept.sort());
    expect(await removeStaleTemporaries(folder, 1000, now)).toBe(0);
  });

  test('a missing folder holds nothing to remove', async () => {
    expect(await removeStaleTemporaries(join(await newFolder(), 'absent'), 0, now)).toBe(0);
  });
});
