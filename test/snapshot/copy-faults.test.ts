import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Backend, failAt, withFaults } from '../../dist/backends/index.js';
import { copyAll, statesOf } from './copy-subject.js';
import { randomContent } from './random-content.js';
import { isSoak, restoreFrom, Scratch } from './scratch-repository.js';
import { type Facts, factsOf } from './tree-facts.js';

/** A copy that is killed at any call to the target: nothing is lost, and the next one goes on from there. */

const SMALL = { chunkBytes: 4096, blockBytes: 64 * 1024, packBytes: 256 * 1024 };

interface Order {
  readonly repo: string;
  readonly cache: string;
  readonly when: 'before' | 'after';
  /** The number of the call, or the kind of the first object that is written. */
  readonly call?: number;
  readonly write?: string;
}

/** Another target, as it was made. */
class Target extends Scratch {
  constructor(original?: Scratch) {
    super();
    if (original !== undefined) cpSync(original.repo, this.repo, { recursive: true });
  }
}

let from: Scratch;
let original: Target;
const facts: Facts[] = [];
const targets: Target[] = [];

beforeAll(async () => {
  from = new Scratch();
  await from.init(SMALL);
  original = new Target();
  await original.init({ ...SMALL, encrypted: true });
  mkdirSync(join(from.source, 'below'));
  for (const [i, name] of ['below/a', 'b', 'below/c'].entries()) {
    writeFileSync(join(from.source, name), randomContent(i, 300_000));
    await from.take();
    facts.push(factsOf(from.source));
  }
});

afterAll(() => {
  for (const each of [from, original, ...targets]) each?.remove();
});

/** Copies that are killed, each to a target of its own. */
function killedAt(
  points: readonly Omit<Order, 'repo' | 'cache'>[],
): { target: Target; ended: string; calls: number }[] {
  const made = points.map((point) => ({ point, target: new Target(original) }));
  targets.push(...made.map(({ target }) => target));
  const orders: Order[] = made.map(({ point, target: { repo, cache } }) => ({ ...point, repo, cache }));
  const { stdout, stderr, signal } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, 'copy-faults-child.mjs')],
    { input: JSON.stringify({ source: { repo: from.repo, cache: from.cache }, orders }), encoding: 'utf8' },
  );
  if (signal !== 'SIGKILL') throw new Error(stderr);
  const told = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { ended: string; calls: number });
  return made.map(({ target }, i) => ({ target, ...told[i]! }));
}

async function expectWhole(target: Target): Promise<void> {
  expect((await target.check()).findings).toEqual([]);
  const snapshots = await target.snapshots();
  expect(snapshots).toHaveLength(facts.length);
  await target.use(async (repository) => {
    for (const [i, snapshot] of snapshots.entries()) {
      const its = { snapshot, path: from.source, target: target.newTarget() };
      expect((await restoreFrom(repository, its)).problems).toEqual([]);
      expect(factsOf(its.target)).toEqual(facts[i]);
    }
  });
}

test('killed before the commit, what was stored counts', async () => {
  const { target, ended } = killedAt([{ when: 'before', write: 'snapshots' }])[0]!;
  expect(ended).toContain('injected');
  const { copied } = await copyAll(from, target);
  expect(copied.map(({ bytes, state }) => [state, bytes.read, bytes.new])).toEqual([
    ['new', 0, 0],
    ['new', 300_000, 300_000],
    ['new', 300_000, 300_000],
  ]);
  await expectWhole(target);
});

test('killed at any call, before or after it took place', async () => {
  const { calls } = killedAt([{ when: 'before', call: 1_000_000 }])[0]!;
  expect(calls).toBeGreaterThan(40);
  const step = isSoak ? 1 : 13;
  const numbers = Array.from({ length: Math.ceil(calls / step) }, (_, i) => 1 + i * step);
  const points = numbers.flatMap((call, i) =>
    isSoak
      ? [{ when: 'before', call } as const, { when: 'after', call } as const]
      : [{ when: i % 2 === 0 ? 'before' : 'after', call } as const],
  );
  // The last calls only clear up: that they fail is no failure.
  for (const { target } of killedAt(points)) {
    const again = await copyAll(from, target);
    expect(statesOf(again).every((state) => state === 'new' || state === 'there')).toBe(true);
    await expectWhole(target);
    const last = await copyAll(from, target);
    expect(last.to.write.calls).toBe(0);
    expect(statesOf(last)).toEqual(['there', 'there', 'there']);
  }
}, 240_000);

test('a call that fails once, and would have to be repeated, leaves nothing wrong', async () => {
  const target = new Target(original);
  targets.push(target);
  for (const number of [20, 27, 33]) {
    const wrapTarget = (medium: Backend) => withFaults(medium, failAt(number, { when: 'after' }));
    await copyAll(from, target, { wrapTarget }).catch(() => undefined);
  }
  await copyAll(from, target);
  await expectWhole(target);
});
