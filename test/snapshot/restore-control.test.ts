import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OverwriteRule } from '../../dist/snapshot/index.js';
import {
  besideEachOther,
  buildModel,
  foundFacts,
  modelFacts,
  modelRestore,
  modelTree,
} from './restore-model.js';
import { isSoak, scratch } from './scratch-repository.js';
import { runScript } from './source-tree.js';

/** For random trees, random targets and every rule the result is that of a simple model, and a preview says the same. */

const RULES: readonly OverwriteRule[] = [
  { overwrite: 'never', compareContent: false },
  { overwrite: 'if-changed', compareContent: false },
  { overwrite: 'if-changed', compareContent: true },
  { overwrite: 'if-newer', compareContent: false },
  { overwrite: 'always', compareContent: false },
];

const CASES = 8;

const allowAll = async (): Promise<void> => undefined;

test('a restore into a target that is not empty', { timeout: 600_000 }, async () => {
  const its = scratch();
  await its.init({ chunkBytes: 4096, blockBytes: 64 * 1024 });
  let number = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(modelTree, modelTree), { minLength: CASES, maxLength: CASES }),
      fc.constantFrom(...RULES),
      fc.boolean(),
      async (cases, rule, deletes) => {
        number++;
        // Several at once cost little more. One in which something is lost keeps what all of them would delete.
        const chosen = deletes ? cases.slice(0, 2) : cases;
        const source = besideEachOther(chosen.map(([each]) => each));
        const there = besideEachOther(chosen.map(([, each]) => each));
        const from = join(its.root, `from ${number}`);
        const target = join(its.root, `to ${number}`);
        for (const [at, tree] of [
          [from, source],
          [target, there],
        ] as const) {
          mkdirSync(at);
          buildModel(at, tree);
        }
        await its.take({ paths: [from] });
        const changes = {
          ...{ path: from, target, rule, items: true, verify: false },
          ...(deletes ? { confirmDeletions: allowAll } : {}),
        };
        const before = foundFacts(target, new Set());
        const preview = await its.restore(undefined, { ...changes, dryRun: true });
        expect(foundFacts(target, new Set())).toEqual(before);
        const real = await its.restore(undefined, changes);
        const model = modelRestore(source, there, rule, deletes);
        expect(foundFacts(target, model.timeless)).toEqual(modelFacts(model));
        expect(real.summary.lost > 0).toBe(model.isLost);
        const done = (items: typeof real.items): string[] =>
          items.map(({ action, path }) => `${path} ${action}`).sort();
        expect(done(preview.items)).toEqual(done(real.items));
        expect(preview.summary).toEqual(real.summary);
        if (!model.isLost && rule.overwrite !== 'if-newer' && rule.overwrite !== 'never') {
          // What is right already stays what it is.
          const again = await its.restore(undefined, changes);
          expect(again.summary).toMatchObject({ files: 0, others: 0, replaced: 0, deleted: 0, lost: 0 });
          expect(foundFacts(target, model.timeless)).toEqual(modelFacts(model));
        }
        runScript(its.root, [`rm -rf '${from}' '${target}'`]);
      },
    ),
    { numRuns: isSoak ? 1000 : 10 },
  );
});
