import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TakeOptions } from '../../dist/snapshot/index.js';
import { probeAbilities } from './abilities.js';
import { QUICK } from './places.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository, type Taken } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { takeFull } from './taken-tree.js';
import { factsOf } from './tree-facts.js';

/** Weaker change detection, for file systems that need it. */

const can = probeAbilities(QUICK);
const SIZE = 4_000_000;

/** Bytes that this process has read so far. */
const bytesRead = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))![1]);

async function filled(): Promise<Scratch> {
  const its = await scratchRepository();
  for (const [i, name] of ['one', 'two', 'three'].entries())
    writeFileSync(join(its.source, name), randomContent(i, SIZE));
  return its;
}

const done = ({ items }: Taken): Record<string, string> =>
  Object.fromEntries(items.map(({ path, action }) => [path.slice(path.lastIndexOf('/') + 1), action]));

/** The same size and mtime, another content. */
const hidden = (name: string): string =>
  `touch -r ${name} ../t && printf X | dd of=${name} bs=1 seek=500 conv=notrunc 2>/dev/null && touch -r ../t ${name}`;

async function expectRestored(its: Scratch): Promise<void> {
  const { target, summary } = await its.restore();
  expect(summary.lost).toBe(0);
  expect(factsOf(target)).toEqual(factsOf(its.source));
}

describe('--trust-mtime', () => {
  const trust: Partial<TakeOptions> = { trustMtimes: true };

  test('stores new metadata without reading the content', async () => {
    const its = await filled();
    await its.take(trust);
    runScript(its.source, ['chmod 600 one', 'ln two four', hidden('three')]);
    if (can.xattrs) runScript(its.source, ['setfattr -n user.k -v v one']);
    if (can.owners) runScript(its.source, ['chown 1234:1234 two']);
    const before = bytesRead();
    const taken = await its.take(trust);
    // The name that is new is read, those that were there are not.
    expect(bytesRead() - before).toBeLessThan(2 * SIZE);
    expect(taken.problems).toEqual([]);
    expect(done(taken)).toMatchObject({ one: 'changed', three: 'unchanged' });
    expect(taken.summary.statistics.newBytes).toBe(0);
    // What was hidden is the risk that is taken; a run that does not take it sees the file.
    const strict = await its.take();
    expect(done(strict).three).not.toBe('unchanged');
    await expectRestored(its);
  });

  test('makes the same tree as a full snapshot', async () => {
    const its = await filled();
    await its.take(trust);
    runScript(its.source, ['chmod 640 one', 'mv two renamed', 'touch -d @1000000000 three']);
    writeFileSync(join(its.source, 'one'), randomContent(77, SIZE));
    await its.take(trust);
    const { tree } = await takeFull(its);
    const { target } = await its.restore();
    expect(factsOf(target)).toEqual(factsOf(its.source));
    expect(tree).toBeDefined();
    const last = await its.take(trust);
    expect(Object.values(done(last))).toEqual(new Array(3).fill('unchanged'));
  });

  test('reads what was changing when it was looked at last', async () => {
    const its = await filled();
    // A clock that stands still right after the change: what it sees of the file may be old the next moment.
    const justAfter = statSync(join(its.source, 'one')).mtimeMs + 500;
    await its.take(trust, { now: () => justAfter });
    runScript(its.source, [hidden('one')]);
    await its.take(trust);
    await expectRestored(its);
  });
});

describe('--ignore-ctime', () => {
  test('takes a file for unchanged whose ctime alone differs, and sees all else', async () => {
    const its = await filled();
    const options = { ignoreCtimes: true };
    await its.take(options);
    runScript(its.source, [
      'touch -r one ../t && touch one && touch -r ../t one',
      'chmod 600 two',
      'touch three',
    ]);
    expect(done(await its.take(options))).toEqual({ one: 'unchanged', two: 'changed', three: 'changed' });
    await expectRestored(its);
    expect(done(await its.take()).one).not.toBe('changed');
  });
});

describe('--ignore-inode', () => {
  test('takes a file for unchanged that has another inode', async () => {
    const its = await filled();
    const options = { ignoreInodes: true, ignoreCtimes: true };
    await its.take(options);
    await its.take();
    runScript(its.source, ['cp -p one copy', 'mv copy one']);
    expect(done(await its.take(options)).one).toBe('unchanged');
    expect(done(await its.take()).one).toBe('changed');
    await expectRestored(its);
  });
});
