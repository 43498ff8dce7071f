import { copyFileSync, cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { probeBackend } from '../../dist/backends/index.js';
import { noteStore } from '../../dist/repo/index.js';
import { SMALL } from './check-subject.js';
import { type Scratch, scratch, scratchRepository } from './scratch-repository.js';

/** What whoever can write the store can put beside the config: older ones, and those of other repositories. */

const numberOf = (its: Scratch): Promise<number> => its.use(async ({ configNumber }) => configNumber);

describe.each([true, false])('encrypted: %s', (encrypted) => {
  test('a config copied to a higher number stops nobody, does not count, and is a finding', async () => {
    const its = await scratchRepository({ ...SMALL, encrypted });
    writeFileSync(join(its.source, 'file'), 'content');
    copyFileSync(join(its.repo, 'config/1'), join(its.repo, 'config/2'));
    expect(await numberOf(its)).toBe(1);
    expect(its.reports.join('\n')).toMatch(/config\/2 is no valid config.*config\/1 is used/);
    expect((await its.take()).summary.errors).toBe(0);
    const { findings } = await its.check();
    expect(findings.map(({ object }) => object)).toEqual(['config/2']);
    rmSync(join(its.repo, 'config/2'));
    its.reports.length = 0;
    expect((await its.check()).findings).toEqual([]);
    expect(its.reports).toEqual([]);
    // Alone it is refused: nobody knows what it replaced.
    cpSync(join(its.repo, 'config/1'), join(its.repo, 'config/2'));
    rmSync(join(its.repo, 'config/1'));
    await expect(numberOf(its)).rejects.toMatchObject({ code: 'damaged', object: 'config/2' });
  });

  test('neither does one of another repository', async () => {
    const its = await scratchRepository({ ...SMALL, encrypted });
    for (const mode of [true, false]) {
      const forged = scratch();
      await forged.init({ ...SMALL, encrypted: mode });
      cpSync(join(forged.repo, 'config/1'), join(its.repo, `config/${mode ? 2 : 3}`));
    }
    expect(await numberOf(its)).toBe(1);
    const { findings } = await its.check();
    expect(findings.map(({ object }) => object).sort()).toEqual(['config/2', 'config/3']);
  });
});

test('of two that note at the same time what the store does, the later one is told to go on from there', async () => {
  const its = await scratchRepository(SMALL);
  await its.use(async (repository) => {
    const probe = await probeBackend(repository.backend);
    expect((await noteStore(repository, probe, { waitingSeconds: 7200 })).number).toBe(2);
    await expect(noteStore(repository, probe, { waitingSeconds: 10_800 })).rejects.toMatchObject({
      code: 'busy',
      message: 'another cbr doctor wrote config/2 meanwhile',
      hint: expect.stringContaining('Run cbr doctor again'),
    });
  });
});
