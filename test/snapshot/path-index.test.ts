import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EntryPair, Snapshot } from '../../dist/snapshot/index.js';
import { runs } from '../core/runs.js';
import { file } from '../repo/snapshot-samples.js';
import { editedModel, type ModelFolder, modelFolders } from './model-tree.js';
import { PathIndexSubject } from './path-index-subject.js';

let its: PathIndexSubject;
beforeEach(() => {
  its = new PathIndexSubject();
});
afterEach(() => its.remove());

/** Time goes back now and then: snapshots are copied and rewritten. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('take' as const),
      host: fc.constantFrom('a', 'a', 'b'),
      seed: fc.nat(),
      time: fc.option(fc.nat(20)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('forget' as const), which: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('search' as const), which: fc.nat(), isAll: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const byTime = (a: Snapshot, b: Snapshot): number =>
  a.about.seconds - b.about.seconds || (a.id < b.id ? -1 : 1);

describe('the path index', () => {
  test('tells of each path in each snapshot what its tree does, whatever was taken, forgotten and searched before', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 4, maxLength: 25 }),
        modelFolders,
        fc.infiniteStream(fc.nat()),
        async (steps, first, seeds) => {
          its.remove();
          its = new PathIndexSubject();
          await play([...steps, { do: 'search', which: 0, isAll: true }], first, seeds);
        },
      ),
      runs(25),
    );
  });

  async function play(steps: readonly Step[], first: ModelFolder, seeds: Iterator<number>): Promise<void> {
    let index = await its.open();
    const models = new Map<string, ModelFolder>();
    let all: Snapshot[] = [];
    for (const [i, each] of steps.entries()) {
      if (each.do === 'take') {
        const before = models.get(each.host) ?? first;
        const seed = seeds.next().value as number;
        const model = fc.sample(editedModel(before), { numRuns: 1, seed: seed + each.seed })[0]!;
        models.set(each.host, model);
        all.push(its.take(model, each.host, each.time ?? 20 + i));
        all.sort(byTime);
      } else if (each.do === 'forget') all = all.filter((_, at) => at !== each.which % all.length);
      else if (each.do === 'compact') index.compact(new Set(all.map(({ id }) => id)));
      else if (each.do === 'reopen') {
        await index.close();
        index = await its.open();
      } else {
        const wanted = each.isAll ? all : all.filter((_, at) => (each.which >>> (at % 20)) % 2 === 0);
        const { failed } = await its.update(index, all, wanted);
        expect(failed).toEqual([]);
        expect(its.found(index, wanted)).toEqual(its.expected(wanted));
      }
    }
    await index.close();
    expect(its.said).toEqual([]);
  }

  test('an unchanged snapshot costs nothing, another what changed in it', async () => {
    const model = { folder: { a: 1, b: 2 }, c: 3 };
    const index = await its.open();
    const all = [its.take(model), its.take(model), its.take({ ...model, c: 4 })];
    await its.update(index, all, all.slice(0, 1));
    const before = index.counts;
    expect(before).toEqual({ paths: 4, events: 4 });
    const [, same, other] = all as [Snapshot, Snapshot, Snapshot];
    expect(await its.update(index, all, [same])).toMatchObject({ added: 1, changes: 0 });
    expect(index.counts).toEqual(before);
    expect(await its.update(index, all, [other])).toMatchObject({ added: 1, changes: 1 });
    expect(index.counts).toEqual({ paths: 4, events: 5 });
    await index.close();
  });

  test('gives back what only forgotten snapshots needed, without reading a tree', async () => {
    const index = await its.open();
    const many = Array.from({ length: 40 }, (_, i) =>
      its.take({ [`only ${i}`]: 1, always: 1, often: 1 + i }),
    );
    await its.update(index, many);
    expect(index.counts).toEqual({ paths: 42, events: 40 + 39 + 1 + 40 });
    its.memory.chunks.clear();
    const left = many.filter((_, i) => i % 20 === 0);
    await its.update(index, left);
    // Of two snapshots: what each has alone, and that the first was gone; `always`; both sizes of `often`.
    expect(index.counts).toEqual({ paths: 4, events: 2 + 1 + 1 + 2 });
    expect(its.found(index, left)).toEqual(its.expected(left));
    await its.update(index, []);
    index.compact(new Set());
    expect(index.counts).toEqual({ paths: 0, events: 0 });
    await index.close();
  });

  test('forgets what was taken in by halves', async () => {
    const index = await its.open();
    const [first, second] = [its.take({ a: 1, b: 1 }), its.take({ a: 2 })];
    await its.update(index, [first]);
    const before = index.counts;
    const broken = async function* (): AsyncIterable<readonly EntryPair[]> {
      for (let i = 0; i < 51; i++)
        yield Array.from({ length: 1000 }, (_, j) => ({ path: `x ${i} ${j}`, after: file('x', 1 + j) }));
      throw new Error('the power went');
    };
    const { chain } = index.snapshots.get(first.id)!;
    await expect(index.add(second, chain, broken())).rejects.toThrow('the power went');
    expect(index.counts.events).toBeGreaterThan(50_000);
    await index.close();
    const again = await its.open();
    expect(again.snapshots.get(second.id)).toBeUndefined();
    await its.update(again, [first, second], [first]);
    expect(again.counts).toEqual(before);
    await its.update(again, [first, second]);
    expect(its.found(again, [first, second])).toEqual(its.expected([first, second]));
    await again.close();
  });

  test('takes a snapshot in by itself when the one before cannot be read, and leaves out what cannot be', async () => {
    const index = await its.open();
    const [first, second, third] = [
      its.take({ f: { a: 1 } }),
      its.take({ f: { b: 1 } }),
      its.take({ f: { c: 1 } }),
    ];
    await its.update(index, [first]);
    its.memory.chunks.get(first.root.id)!.fill(0xff);
    expect((await its.update(index, [first, second])).failed).toEqual([]);
    its.memory.chunks.get(third.root.id)!.fill(0xff);
    const fourth = its.take({ f: { d: 1 } });
    const { failed } = await its.update(index, [first, second, third, fourth]);
    expect(failed).toMatchObject([{ snapshot: third, error: { code: 'damaged' } }]);
    const sound = [first, second, fourth];
    expect(its.found(index, sound)).toEqual(its.expected(sound));
    await index.close();
  });

  test('a second process waits a little, then works on its own, which goes when it is closed', async () => {
    const index = await its.open();
    const all = [its.take({ a: 1 }), its.take({ a: 2 })];
    await its.update(index, all);
    const second = await its.open();
    expect([index, second].map(({ isPrivate }) => isPrivate)).toEqual([false, true]);
    expect(second.counts).toEqual({ paths: 0, events: 0 });
    await its.update(second, all);
    expect(its.found(second, all)).toEqual(its.expected(all));
    expect(its.found(index, all)).toEqual(its.expected(all));
    await second.close();
    await index.close();
    expect(its.said.join()).toMatch(/waiting for it.*builds one of its own/);
    const third = await its.open();
    expect(third.counts).toEqual({ paths: 1, events: 2 });
    expect(third.path('')).toBeUndefined();
    await third.close();
  });

  test('holds paths of any length, in their order', async () => {
    const nested = (names: readonly string[]): ModelFolder =>
      names.reduceRight<ModelFolder | number>((inner, name) => ({ [name]: inner }), 7) as ModelFolder;
    const long = Array.from({ length: 20 }, () => 'n'.repeat(250));
    const model = { ...nested([...long, 'one']), short: 1 };
    const index = await its.open();
    const first = its.take(model);
    const second = its.take({ ...nested([...long, 'two']), short: 1 });
    await its.update(index, [first, second]);
    expect(its.found(index, [first, second])).toEqual(its.expected([first, second]));
    const paths = [...index.paths(long.slice(0, 15).join('/'))].map(({ path }) => path.length);
    expect(paths.length).toBe(8);
    expect(index.path([...long, 'one'].join('/'))).toBeDefined();
    expect(index.path([...long, 'three'].join('/'))).toBeUndefined();
    await index.close();
  });
});
