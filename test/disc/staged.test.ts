import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createBackend, forwardTo, openBackend, parseLocation } from '../../dist/backends/index.js';
import { CbrError, ownIdentity } from '../../dist/core/index.js';
import { discMedium } from '../../dist/disc/index.js';
import { withAppendLock } from '../../dist/disc/staged/append-lock.js';
import { leavingProgramFile } from '../../dist/disc/xorriso/program-file.js';
import { conformance } from '../backends/conformance.js';
import { rejection } from '../backends/scratch.js';

/** The medium of a repository that lives on images, as long as nothing was appended: what is on images the program's tests judge. */

const READER = join(import.meta.dirname, '../../dist/restore/cbr-restore.mjs');

function options(said: string[] = []) {
  const discs = discMedium({
    ask: async () => 'skip',
    report: ({ reason }) => said.push(reason),
    restore: { reader: READER, format: READER },
    signal: new AbortController().signal,
  });
  return { stagingFolder: tmpdir(), discs, now: () => 1_764_547_200_000 };
}

conformance('staged for images', async (folder) => {
  const made = await createBackend(parseLocation(`disc:${folder}/discs?media=200MiB`), options());
  // The suite writes what is no record of a snapshot, under the names of some: there is nothing to append.
  return { ...forwardTo(made), stagingFolder: made.stagingFolder!, close: async () => undefined };
});

function folder(): string {
  const made = realpathSync(mkdtempSync(join(tmpdir(), 'cbr-staged-')));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function refused(location: string, action: 'create' | 'open'): Promise<CbrError> {
  const how = action === 'create' ? createBackend : openBackend;
  const error = await rejection(how(parseLocation(location), options()));
  expect(error).toBeInstanceOf(CbrError);
  return error as CbrError;
}

describe('locations', () => {
  test('what was made is opened without options, and with the same ones', async () => {
    const place = join(folder(), 'discs');
    const made = await createBackend(parseLocation(`disc:${place}?media=dvd+r&cushion=2`), options());
    await made.close();
    for (const query of ['', '?media=dvd+r', '?cushion=2&media=dvd+r']) {
      const opened = await openBackend(parseLocation(`disc:${place}${query}`), options());
      expect(opened.capabilities).toMatchObject({ writable: true, frees: false });
      await opened.close();
    }
    for (const query of ['?media=dvd-r', '?cushion=3', '?set=other', '?colour=red']) {
      expect(await refused(`disc:${place}${query}`, 'open')).toMatchObject({ code: 'usage' });
    }
    expect(await refused(`disc:${place}?media=dvd+r`, 'create')).toMatchObject({ code: 'repository-exists' });
  });

  test('what cannot be made is refused, and nothing is made', async () => {
    const root = folder();
    for (const query of [
      '',
      '?media=vinyl',
      '?media=dvd+r&cushion=100',
      '?media=dvd+r&set=a/b',
      '?medium=dvd+r',
    ]) {
      expect(await refused(`disc:${root}/new${query}`, 'create'), query).toMatchObject({ code: 'usage' });
    }
    expect(readdirSync(root)).toEqual([]);
    writeFileSync(join(root, 'letter'), 'dear');
    expect(await refused(`disc:${root}?media=dvd+r`, 'create')).toMatchObject({ code: 'not-a-repository' });
    expect(readdirSync(root)).toEqual(['letter']);
  });

  test('settings that cannot be understood are not guessed', async () => {
    const place = join(folder(), 'discs');
    await (await createBackend(parseLocation(`disc:${place}?media=dvd+r`), options())).close();
    const file = join(place, 'staging/settings.json');
    for (const text of ['', '{}', '{"version":2,"media":"dvd+r","cushion":0,"set":"a"}', '[]']) {
      writeFileSync(file, text);
      const error = await refused(`disc:${place}`, 'open');
      expect(error).toMatchObject({ code: 'format' });
      expect(error.message).toContain('settings.json');
    }
  });
});

describe('one process at a time appends', () => {
  const never = new AbortController().signal;

  async function withFolder(): Promise<string> {
    const place = join(folder(), 'discs');
    await (await createBackend(parseLocation(`disc:${place}?media=dvd+r`), options())).close();
    return place;
  }

  test('the second waits until the first is done, and says so', async () => {
    const place = await withFolder();
    const order: string[] = [];
    const waits: string[] = [];
    await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        withAppendLock(
          place,
          never,
          () => waits.push(name),
          async () => {
            order.push(name);
            await new Promise((resolve) => setTimeout(resolve, 300));
            order.push(name);
          },
        ),
      ),
    );
    for (const i of [0, 2, 4]) expect(order[i]).toBe(order[i + 1]);
    expect(new Set(order).size).toBe(3);
    expect(waits).toHaveLength(2);
  });

  test('a process that is proved dead holds nobody up, one of which nothing is proved does', async () => {
    const place = await withFolder();
    const lock = join(place, 'staging/appending/1');
    mkdirSync(join(place, 'staging/appending'));
    const own = ownIdentity(hostname());
    const taken = (signal: AbortSignal) =>
      withAppendLock(
        place,
        signal,
        () => undefined,
        async () => 'taken',
      );
    writeFileSync(lock, JSON.stringify({ ...own, pid: 999_999_999 }));
    expect(await taken(never)).toBe('taken');
    for (const text of ['', '{}', JSON.stringify({ ...own, host: 'elsewhere', machine: 'x', bootId: 'y' })]) {
      const number = 10 + readdirSync(join(place, 'staging/appending')).length;
      writeFileSync(join(place, `staging/appending/${number}`), text);
      await expect(taken(AbortSignal.timeout(500)), text).rejects.toThrow('timeout');
      rmSync(join(place, `staging/appending/${number}`));
    }
  });

  test('as long as the program that writes runs, the lock of a dead process is held', async () => {
    const place = await withFolder();
    mkdirSync(join(place, 'staging/appending'));
    const own = ownIdentity(hostname());
    writeFileSync(join(place, 'staging/appending/1'), JSON.stringify({ ...own, pid: 999_999_999 }));
    const lock = join(place, 'staging/appending/1');
    const mark = { file: `${lock}.program`, needed: lock, unwanted: join(place, 'staging/appending/2') };
    const [file, args] = leavingProgramFile(mark, 'sleep', ['2']);
    const program = spawn(file, args);
    const ended = new Promise((resolve) => program.on('close', resolve));
    await new Promise((resolve) => setTimeout(resolve, 300));
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    expect(
      await withAppendLock(
        place,
        never,
        () => undefined,
        async () => isOver,
      ),
    ).toBe(true);
  });
});
