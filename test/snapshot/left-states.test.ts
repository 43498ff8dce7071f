import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rulesWith } from '../fs/rules.js';
import { forget, prune } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';
import { take } from './taken-tree.js';
import { factsOf } from './tree-facts.js';

/** What is remembered of a folder must not outlast its content: nothing may take a folder that is back for the stored one. */

interface Absence {
  readonly leave: (its: Scratch) => void;
  readonly comeBack: (its: Scratch) => void;
}

const aside = (its: Scratch): string => join(its.root, 'aside');
const x = (its: Scratch): string => join(its.source, 'x');

function replacedBy(make: (its: Scratch) => void): Absence {
  return {
    leave: (its) => {
      renameSync(x(its), aside(its));
      make(its);
    },
    comeBack: (its) => {
      rmSync(x(its));
      renameSync(aside(its), x(its));
    },
  };
}

const named = (name: string, content: string): Absence => ({
  leave: (its) => writeFileSync(join(its.source, name), content),
  comeBack: (its) => rmSync(join(its.source, name)),
});

/** Rules by which what stands in the source leaves out. */
const RULES = rulesWith({
  ignoreFiles: [{ text: '.ignored', option: '--ignore-file' }],
  presence: [{ text: '.none', option: '--exclude-if-present', name: '.none', header: '' }],
});

test.for<readonly [string, Absence]>([
  ['a file', replacedBy((its) => writeFileSync(x(its), 'file'))],
  ['a symlink', replacedBy((its) => symlinkSync(aside(its), x(its)))],
  ['nothing, being excluded', named('.ignored', '/x\n')],
  ['an empty folder, its content excluded', named('x/.none', '')],
  ['a folder without one of its folders', named('x/.ignored', 'deep\n')],
])('a folder that was %s for a while is stored again', async ([, { leave, comeBack }]) => {
  const its = await scratchRepository();
  mkdirSync(join(its.source, 'x/deep/deeper'), { recursive: true });
  writeFileSync(join(its.source, 'x/precious'), randomContent(1, 200_000));
  writeFileSync(join(its.source, 'x/deep/deeper/precious'), randomContent(2, 200_000));
  const first = await take(its, { rules: RULES });
  leave(its);
  await take(its, { rules: RULES });
  await forget(its, first.summary.snapshot!);
  await prune(its);
  await take(its, { rules: RULES });
  comeBack(its);
  await take(its, { rules: RULES });
  expect((await its.check()).findings).toEqual([]);
  const { target } = await its.restore();
  expect(factsOf(target)).toEqual(factsOf(its.source));
});

test('what a version remembered that did not forget it is not used', async () => {
  const its = await scratchRepository();
  writeFileSync(join(its.source, 'file'), 'content');
  await take(its);
  await its.use(async ({ cache }) => {
    for (const root of cache.roots()) {
      const name = `generation of ${Buffer.from(root).toString('hex')}`;
      cache.setValue(name, Buffer.from(cache.getValue(name)!).subarray(0, 4));
    }
  });
  expect((await take(its)).summary).toMatchObject({ level: 'full', parent: undefined });
  expect((await take(its)).summary).toMatchObject({ level: 'incr', statistics: { unchangedFiles: 1 } });
});
