import { spawnSync } from 'node:child_process';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { newStagingPath, removeStaleTemporaries } from '../../dist/backends/index.js';
import { ownIdentity, type ProcessIdentity } from '../../dist/core/index.js';
import { scratchFolders } from './scratch.js';

const self = ownIdentity(hostname());
const endedPid = spawnSync(process.execPath, ['--version']).pid;

describe('staged files', () => {
  const newFolder = scratchFolders();
  const now = Date.UTC(2026, 0, 2);

  /** Makes a staged file as `owner` would name it, last written `ageMs` before `now`. */
  async function stage(folder: string, owner: Partial<ProcessIdentity>, ageMs: number): Promise<string> {
    const parts = basename(newStagingPath(folder)).split('~');
    const { host, machine, bootId, pidNamespace, pid, startTime } = { ...self, ...owner };
    const maker = [encodeURIComponent(host), machine, bootId, pidNamespace, pid, startTime];
    const name = [...maker, parts.at(-1)].join('~');
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
      await stage(folder, { host: 'another', bootId: 'of another', pid: endedPid }, 1e9),
      await stage(folder, { machine: 'another of that name', bootId: 'of another', pid: endedPid }, 1e9),
      await stage(folder, { pidNamespace: 17, pid: endedPid }, 1e9),
      await stage(folder, { pid: endedPid }, 999),
    ];
    for (const name of ['notes.txt', '~~~~~~', `${self.host}~m~b~n~x~1~r`, `%E0~m~b~n~1~1~r`]) {
      await writeFile(join(folder, name), 'not staged by cbr');
      await utimes(join(folder, name), 0, 0);
      kept.push(name);
    }
    await stage(folder, { pid: endedPid }, 1001);
    await stage(folder, { bootId: 'earlier' }, 1001);
    expect(await removeStaleTemporaries(folder, 1000, now)).toBe(2);
    expect((await readdir(folder)).sort()).toEqual(kept.sort());
    expect(await removeStaleTemporaries(folder, 1000, now)).toBe(0);
  });

  test('a missing folder holds nothing to remove', async () => {
    expect(await removeStaleTemporaries(join(await newFolder(), 'absent'), 0, now)).toBe(0);
  });
});
