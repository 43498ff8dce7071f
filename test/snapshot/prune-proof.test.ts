import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { forwardTo } from '../../dist/backends/forward.js';
import { type Backend, objectPath } from '../../dist/backends/index.js';
import type { OpenOptions } from '../../dist/repo/index.js';
import { headerOf } from '../repo/independent-objects.js';
import { expectRestored, forget, objectsIn, prune } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

/**
 * A chunk lies in two packs, of which one is damaged. Only the machine that checked knows, and another one prunes: it must not
 * give up the sound place for the damaged one.
 */

/** Of `chunk` in the source, which is stored first; big files beside it decide which packs are worth rewriting. */
const CHUNK = 'a chunk';
const ROUNDS = [1, 2, 3];

const machine = (its: Scratch, name: string): Partial<OpenOptions> => ({ cacheRoot: join(its.root, name) });
const pathOf = (its: Scratch, pack: string): string => join(its.repo, objectPath('packs', pack));
const dataPacks = (its: Scratch): string[] =>
  objectsIn(its, 'packs').filter((name) => headerOf(readFileSync(pathOf(its, name)), 'CBRP').kind === 1);

function overwrite(path: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  change(bytes);
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
}

const putFiles = (its: Scratch, name: string, seed: number, count = 3): void => {
  for (let i = 0; i < count; i++)
    writeFileSync(join(its.source, `${name} ${i}`), randomContent(seed + i, 950_000));
};
const removeFiles = (its: Scratch, name: string, count = 3): void => {
  for (let i = 0; i < count; i++) rmSync(join(its.source, `${name} ${i}`));
};

/** The chunk in a pack with big files; then, known to the machine that checks, damaged there, and stored again. */
async function makeTwice(its: Scratch, seed: number) {
  const checking = machine(its, 'checking');
  writeFileSync(join(its.source, CHUNK), randomContent(seed, 12_000));
  putFiles(its, 'before', seed + 1);
  const first = (await its.take({ threads: 1 }, checking)).summary.snapshot!;
  const [damaged] = dataPacks(its) as [string];
  return { checking, first, damaged };
}

async function damageAndStoreAgain(
  its: Scratch,
  damaged: string,
  seed: number,
  checking: Partial<OpenOptions>,
) {
  overwrite(pathOf(its, damaged), (bytes) => {
    bytes[2000]! ^= 1;
  });
  expect((await its.check(100, checking)).findings).not.toEqual([]);
  putFiles(its, 'beside', seed + 50);
  const again = (await its.take({ threads: 1, level: 'full' }, checking)).summary.snapshot!;
  removeFiles(its, 'beside');
  const sound = dataPacks(its).filter((name) => name !== damaged);
  expect(sound).not.toEqual([]);
  return { again, sound };
}

describe('the sound one of two places is not given up for a damaged one', () => {
  test.each(ROUNDS)('when it is the one that was counted (%i)', async (round) => {
    const its = await scratchRepository();
    const seed = 100 * round;
    const { checking, damaged } = await makeTwice(its, seed);
    removeFiles(its, 'before');
    const { again } = await damageAndStoreAgain(its, damaged, seed, checking);
    const last = (await its.take({ threads: 1, level: 'full' }, checking)).summary.snapshot!;
    const facts = factsOf(its.source);
    await forget(its, again, checking);
    await expectRestored(its, last, facts, machine(its, 'before'));
    // The pack with what was beside it is worth rewriting, the one of the first snapshot is not.
    await prune(its, { maxUnused: { fraction: 0.4 } }, machine(its, 'pruning'));
    await expectRestored(its, last, facts, machine(its, 'after'));
  });

  test.each(ROUNDS)('when it came into use only during the prune (%i)', async (round) => {
    const its = await scratchRepository();
    const seed = 100 * round;
    const { checking, first, damaged } = await makeTwice(its, seed);
    const content = readFileSync(join(its.source, CHUNK));
    rmSync(join(its.source, CHUNK));
    await its.take({ threads: 1 }, checking);
    await forget(its, first, checking);
    removeFiles(its, 'before');
    writeFileSync(join(its.source, CHUNK), content);
    const { again } = await damageAndStoreAgain(its, damaged, seed, checking);
    await forget(its, again, checking);
    let late: string | undefined;
    const wrapBackend = (medium: Backend): Backend => ({
      ...forwardTo(medium),
      write: async (kind, ...call) => {
        if (kind === 'marks' && late === undefined) {
          late = (await its.take({ threads: 1 }, machine(its, 'a third'))).summary.snapshot!;
          await expectRestored(its, late, factsOf(its.source), machine(its, 'before'));
        }
        return medium.write(kind, ...call);
      },
    });
    await prune(its, { maxUnused: { fraction: 0.9 } }, { ...machine(its, 'pruning'), wrapBackend });
    await expectRestored(its, late!, factsOf(its.source), machine(its, 'after'));
  });

  test('when the table of its pack cannot be read', async () => {
    const its = await scratchRepository();
    const { checking, damaged } = await makeTwice(its, 7);
    removeFiles(its, 'before');
    const { again, sound } = await damageAndStoreAgain(its, damaged, 7, checking);
    const last = (await its.take({ threads: 1, level: 'full' }, checking)).summary.snapshot!;
    const facts = factsOf(its.source);
    await forget(its, again, checking);
    for (const name of sound) {
      overwrite(pathOf(its, name), (bytes) => {
        bytes[bytes.length - 1]! ^= 1;
      });
    }
    await expectRestored(its, last, facts, machine(its, 'before'));
    await prune(its, { maxUnused: { fraction: 0.4 } }, machine(its, 'pruning')).catch((error: Error) => {
      // It need not be done; but then nothing is removed.
      expect(error.message).toMatch(/packs\//);
    });
    await expectRestored(its, last, facts, machine(its, 'after'));
  });
});
