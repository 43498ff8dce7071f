import { mkdirSync, readdirSync, readlinkSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Listener } from '../../dist/snapshot/index.js';
import { excluding } from '../fs/rules.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';

/** A folder of the source that becomes a symlink in the middle of a run: what lies where it leads is not the source. */

const LARGE = 9_000_000;

async function filled(): Promise<Scratch> {
  const its = await scratchRepository();
  for (const [folder, seed] of [
    ['source/a', 1],
    ['outside', 2],
  ] as const) {
    const at = (name: string): string => join(its.root, folder, name);
    mkdirSync(at('inner'), { recursive: true });
    for (const name of ['small', 'inner/small', 'inner/trigger'])
      writeFileSync(at(name), randomContent(seed, 5000));
    writeFileSync(at('large'), randomContent(seed, LARGE));
    symlinkSync(`to ${folder}`, at('link'));
    runScript(its.root, [`setfattr -n user.of -v ${folder} ${folder} ${folder}/inner`]);
  }
  writeFileSync(join(its.root, 'outside/secret'), 'secret');
  return its;
}

const swap = (its: Scratch): void => {
  renameSync(join(its.source, 'a'), join(its.root, 'was a'));
  symlinkSync(join(its.root, 'outside'), join(its.source, 'a'));
};

/** Swaps when the folder that holds `trigger` has been listed and nothing in it read yet. */
function swapAt(its: Scratch, trigger: string): Listener {
  let done = false;
  return (event) => {
    if (done || event.type !== 'item' || event.action !== 'excluded' || event.path !== trigger) return;
    done = true;
    swap(its);
  };
}

test.each(['a/trigger', 'a/inner/trigger'])('after %s was listed', async (trigger) => {
  const its = await filled();
  writeFileSync(join(its.source, 'a/trigger'), '');
  const { problems, summary } = await its.take(
    { rules: excluding(`/${trigger}`) },
    {},
    swapAt(its, join(its.source, trigger)),
  );
  expect(problems.filter(({ severity }) => severity === 'error').map(({ reason }) => reason)).toEqual(
    new Array(summary.errors).fill(expect.stringContaining('a symlink stands in its place')),
  );
  const errors = problems.map(({ subject }) => subject.slice(its.source.length + 1));
  for (const name of ['a/small', 'a/large', 'a/link']) expect(errors).toContain(name);
  const { target, summary: restored } = await its.restore();
  expect(restored.lost).toBe(0);
  const names = readdirSync(target, { recursive: true }).map(String);
  expect(names.filter((name) => /secret|small|large|link/.test(name))).toEqual([]);
  // Once it holds still it is what it is: a symlink.
  expect((await its.take()).summary.errors).toBe(0);
  expect(readlinkSync(join((await its.restore()).target, 'a'))).toBe(join(its.root, 'outside'));
});

test('the same source reached through a symlink of the user is read as ever', async () => {
  const its = await filled();
  symlinkSync('source', join(its.root, 'way'));
  const taken = await its.take({ paths: [join(its.root, 'way/a'), join(its.root, 'way/a/small')] });
  expect(taken.summary.errors).toBe(0);
  const single = await its.take({ paths: [join(its.root, 'way/a/large'), join(its.root, 'way/a/link')] });
  expect(single.summary.errors).toBe(0);
  const restored = await its.restore(taken.summary.snapshot!, { path: join(its.root, 'way/a') });
  expect(readdirSync(restored.target).sort()).toEqual(['inner', 'large', 'link', 'small']);
});
