import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomContent } from '../snapshot/random-content.js';
import { isSoak } from '../snapshot/scratch-repository.js';
import { factsOf, rsyncDifferences } from '../snapshot/tree-facts.js';
import { type Program, program, signalWhen } from './program.js';

const FOLDERS = 60;
const FILES = 50;

/** 3000 files of 60 MB in all; another `version` changes one folder in six and adds one. */
function fill(its: Program, version: number): void {
  for (let f = 0; f < FOLDERS; f++) {
    if (version > 0 && f % 6 !== version % 6) continue;
    const folder = join(its.source, `folder ${f % 8}/inner ${f}`);
    mkdirSync(folder, { recursive: true });
    for (let i = 0; i < FILES; i++) {
      writeFileSync(
        join(folder, `file ${i}`),
        randomContent(version * 10_000 + f * FILES + i, 400 * (i + 1) * 2),
      );
    }
  }
  const added = join(its.source, `added ${version}`);
  mkdirSync(added);
  writeFileSync(join(added, 'large'), randomContent(version, 3_000_000));
}

async function expectRight(its: Program): Promise<void> {
  const target = its.newTarget();
  await its.succeed(['restore', `latest:${its.source}`, '--target', target, '-q']);
  expect(factsOf(target)).toEqual(factsOf(its.source));
  rmSync(target, { recursive: true });
}

async function made(): Promise<Program> {
  const its = program();
  await its.succeed(['init', '--no-encryption', '--pack-size', '4MiB', '--compression', '1']);
  fill(its, 0);
  return its;
}

describe('kill -9', () => {
  test('at random moments: nothing is lost, and what an index names is not stored again', {
    timeout: 3_600_000,
  }, async () => {
    const its = await made();
    const started = performance.now();
    await its.succeed(['snapshot', its.source]);
    const usual = performance.now() - started;
    let killed = 0;
    for (let run = 1; run <= (isSoak ? 300 : 12); run++) {
      fill(its, run);
      const segments = its.objects('index');
      const packs = its.objects('packs');
      const deadline = performance.now() + Math.random() * usual;
      // A moment may be an hour for the program: those where it writes are worth more attempts.
      const moments: readonly (() => boolean)[] = [
        () => performance.now() > deadline,
        () => its.objects('packs') > packs,
        () => performance.now() > deadline,
        () => its.objects('index') > segments,
      ];
      const { signal } = await its.run(['snapshot', its.source], {
        during: signalWhen(moments[run % 4]!, 'SIGKILL'),
      });
      if (signal === 'SIGKILL') killed++;
      expect(await its.run(['check'])).toMatchObject({ code: 0 });
      const { code, summary } = await its.json(['snapshot', its.source]);
      expect(code, JSON.stringify(summary)).toBe(0);
      expect(its.objects('sessions')).toBe(0);
      expect((await its.waste()).twice).toBe(0);
      if (isSoak || run % 4 === 0) await expectRight(its);
    }
    expect(killed).toBeGreaterThan(4);
    expect(await its.run(['check', '--read-data'])).toMatchObject({ code: 0 });
    const target = its.newTarget();
    await its.succeed(['restore', `latest:${its.source}`, '--target', target, '--verify']);
    expect(rsyncDifferences(its.source, target)).toBe('');
  });
});

describe.each(['SIGINT', 'SIGTERM'] as const)('%s', (signal) => {
  test('a clean stop, and what was stored counts', async () => {
    const its = await made();
    const stopped = await its.run(['snapshot', its.source], {
      during: signalWhen(() => its.objects('packs') >= 2, signal),
    });
    expect(stopped).toMatchObject({ code: 130, signal: null });
    expect(stopped.stderr).toContain('interrupted');
    expect(its.objects('sessions')).toBe(0);
    // Every pack that was written is named by what the fence lists.
    expect(await its.waste()).toEqual({ twice: 0, orphans: 0 });
    expect(its.objects('packs')).toBeGreaterThan(1);
    expect(await its.run(['check', '--read-data'])).toMatchObject({ code: 0 });
    expect((await its.json(['snapshots'])).lines).toHaveLength(1);
    await its.succeed(['snapshot', its.source]);
    expect((await its.waste()).twice).toBe(0);
    await expectRight(its);
  });
});
