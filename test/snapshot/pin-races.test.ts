import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { forwardTo } from '../../dist/backends/forward.js';
import type { Backend } from '../../dist/backends/index.js';
import type { SessionId } from '../../dist/core/index.js';
import { changeStoredPolicies, type Repository, readStoredPolicies } from '../../dist/repo/index.js';
import { annotateSnapshot, applyForgetPlan } from '../../dist/snapshot/index.js';
import { BY, objects, planned, SECOND, takeAt } from './forget-subject.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';

const NOW = '2025-02-01T00:00';
const LAST_ONE = { last: 1 };

async function threeSnapshots(): Promise<{ its: Scratch; ids: SessionId[] }> {
  const its = await scratchRepository();
  writeFileSync(join(its.source, 'file'), 'content');
  const ids: SessionId[] = [];
  for (const day of ['01', '02', '03']) ids.push(await takeAt(its, `2025-01-${day}T00:00`));
  return { its, ids };
}

const pin = (its: Repository, id: SessionId) => annotateSnapshot(its, { id }, { pin: {} }, 'tester', SECOND);

describe('a snapshot that is pinned while a policy is applied', () => {
  test('after the plan was made: it is kept', async () => {
    const { its, ids } = await threeSnapshots();
    await its.use(async (repository) => {
      const plan = await planned(repository, LAST_ONE, NOW);
      expect(plan.forget).toEqual([ids[0], ids[1]]);
      expect((await pin(repository, ids[0]!)).isChanged).toBe(true);
      expect(await applyForgetPlan(repository, plan, BY)).toEqual({ forgotten: [ids[1]], pinned: [ids[0]] });
    });
    expect((await its.snapshots()).map(({ id }) => id)).toEqual([ids[0], ids[2]]);
  });

  test('when it was looked for the last time: whoever forgets says so, and goes no further', async () => {
    const { its, ids } = await threeSnapshots();
    let isPinned = false;
    // Another machine's note comes between the look at the notes and the record that forgets.
    const wrapBackend = (medium: Backend): Backend => ({
      ...forwardTo(medium),
      write: async (kind, name, ...rest) => {
        if (kind === 'forgotten' && name === ids[0] && !isPinned) {
          isPinned = true;
          await its.use((repository) => pin(repository, ids[0]!), { cacheRoot: join(its.root, 'elsewhere') });
        }
        return medium.write(kind, name, ...rest);
      },
    });
    await its.use(
      async (repository) => {
        const plan = await planned(repository, LAST_ONE, NOW);
        await expect(applyForgetPlan(repository, plan, BY)).rejects.toMatchObject({
          code: 'busy',
          message: expect.stringContaining(ids[0]!.slice(0, 8)),
          hint: expect.stringContaining('cbr unforget'),
        });
      },
      { wrapBackend },
    );
    expect(isPinned).toBe(true);
  });
});

describe('numbers of objects', () => {
  test('that have come to their end are refused, not written where nobody looks', async () => {
    const { its, ids } = await threeSnapshots();
    writeFileSync(join(its.repo, 'policies', '999999999999999'), 'junk');
    mkdirSync(join(its.repo, 'notes', ids[0]!), { recursive: true });
    writeFileSync(join(its.repo, 'notes', ids[0]!, '999999999999999'), 'junk');
    await its.use(async (repository) => {
      const rules = { rules: [{ name: 'keep-last', value: '3' }], anchors: [] };
      await expect(changeStoredPolicies(repository, () => rules, 'x', 1, true)).rejects.toMatchObject({
        code: 'limit',
        message: expect.stringContaining('policies/999999999999999'),
      });
      await expect(readStoredPolicies(repository)).rejects.toMatchObject({ code: 'damaged' });
      await expect(pin(repository, ids[0]!)).rejects.toMatchObject({ code: 'limit' });
    });
    expect(objects(its, 'policies')).toEqual(['999999999999999']);
  });
});

test('a note that cannot be opened is settled by taking the pin away', async () => {
  const { its, ids } = await threeSnapshots();
  mkdirSync(join(its.repo, 'notes', ids[0]!), { recursive: true });
  writeFileSync(join(its.repo, 'notes', ids[0]!, '1'), 'junk');
  await its.use(async (repository) => {
    expect((await planned(repository, LAST_ONE, NOW)).forget).toEqual([ids[1]]);
    const unpinned = await annotateSnapshot(repository, { id: ids[0]! }, { pin: 'none' }, 'tester', SECOND);
    expect(unpinned.isChanged).toBe(true);
    expect((await planned(repository, LAST_ONE, NOW)).forget).toEqual([ids[0], ids[1]]);
  });
});
