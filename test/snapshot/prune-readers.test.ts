import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../dist/backends/index.js';
import { createRecord, markRecord } from '../../dist/repo/index.js';
import { countLooks, holding, holdingAnswers } from './held-backend.js';
import { Prunable } from './prune-faults.js';
import { forget, objectsIn, prune, writeFiles } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { isSoak } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

/** Readers that began before a prune. */

/** Fewer than a page of a content list has. */
const WINDOW_ITEMS = 60;
/** Calls at which they are held, spread over all there are. */
const HOLDS = isSoak ? 1000 : 3;

let original: Prunable;

beforeAll(async () => {
  original = await Prunable.make();
  writeFileSync(join(original.source, 'large'), randomContent(77, 1_600_000));
  writeFiles(original, 'gone soon', 8, 10, 20_000);
  const { summary } = await original.take({ threads: 1 });
  writeFiles(original, 'gone soon', 9, 3, 20_000);
  original.kept.set((await original.take({ threads: 1 })).summary.snapshot!, factsOf(original.source));
  await forget(original, summary.snapshot!);
});
afterAll(() => original.remove());

let marks = 0;
/** Condemns all packs, as a prune may that was broken off, and has the next one move what is in use of them. */
async function moveAll(its: Prunable): Promise<void> {
  const before = new Set(objectsIn(its, 'packs'));
  const elsewhere = { cacheRoot: join(its.root, 'cache of prune') };
  await its.use(async ({ backend, records }) => {
    const packs = [...before].map((name) => Buffer.from(name, 'hex'));
    await createRecord(backend, 'marks', String(1_000_000 + ++marks), markRecord, { packs }, records);
  }, elsewhere);
  expect((await prune(its, {}, elsewhere)).state).toBe('swept');
  expect(objectsIn(its, 'packs').filter((name) => before.has(name))).toEqual([]);
}

const newest = (its: Prunable): string => [...its.kept.keys()].at(-1)!;

interface Reading {
  readonly what: string;
  readonly read: (its: Prunable, wrapBackend: (inner: Backend) => Backend) => Promise<void>;
}

const READINGS: readonly Reading[] = [
  {
    what: 'a restore in several windows',
    read: async (its, wrapBackend) => {
      const id = newest(its);
      const options = { windowItems: WINDOW_ITEMS, verify: false };
      const { target, summary, problems } = await its.restore(id, options, { wrapBackend });
      expect(problems).toEqual([]);
      expect(summary.lost).toBe(0);
      expect(factsOf(target)).toEqual(its.kept.get(id));
    },
  },
  {
    what: 'a restore in one window, verified',
    read: async (its, wrapBackend) => {
      const id = newest(its);
      const { target, summary, problems } = await its.restore(id, {}, { wrapBackend });
      expect(problems).toEqual([]);
      expect(summary).toMatchObject({ lost: 0, verified: summary.files });
      expect(factsOf(target)).toEqual(its.kept.get(id));
    },
  },
  {
    what: 'a check of the structure',
    read: async (its, wrapBackend) => {
      expect((await its.check(0, { wrapBackend })).findings).toEqual([]);
    },
  },
  {
    what: 'a check of all data',
    read: async (its, wrapBackend) => {
      expect((await its.check(100, { wrapBackend })).findings).toEqual([]);
    },
  },
];

/** Numbers from 1 to `count`, at most `most` of them. */
function spread(count: number, most: number): number[] {
  const step = Math.max(1, count / most);
  const numbers = Array.from({ length: Math.min(count, most) }, (_, i) => Math.floor(1 + i * step));
  return [...new Set([...numbers, count])];
}

async function inCopy(action: (its: Prunable) => Promise<void>): Promise<void> {
  const its = original.copy();
  try {
    await action(its);
  } finally {
    its.remove();
  }
}

describe.each(READINGS)('$what', ({ read }) => {
  const count = async (): Promise<number> => {
    let looks = 0;
    await inCopy(async (its) => {
      looks = await countLooks((wrap) => read(its, wrap));
    });
    return looks;
  };

  test.each([
    ['before', holding],
    ['after', holdingAnswers],
  ] as const)(
    'is right when all is moved while it is held %s any call',
    { timeout: 600_000 },
    async (_, hold) => {
      for (const held of spread(await count(), HOLDS)) {
        await inCopy(async (its) => {
          let moved: Promise<void> | undefined;
          const meanwhile = async (call: number): Promise<void> => {
            if (call === held) moved = moveAll(its);
            await moved;
          };
          await read(its, (inner) => hold(inner, meanwhile)).catch((cause: unknown) => {
            throw new Error(`held at call ${held}`, { cause });
          });
          expect(moved).toBeDefined();
        });
      }
    },
  );

  test('is right when all is moved again and again', { timeout: 600_000 }, async () => {
    const looks = await count();
    await inCopy(async (its) => {
      let [moves, moving] = [0, Promise.resolve()];
      const meanwhile = async (call: number): Promise<void> => {
        if (call % Math.ceil(looks / 4) === 0 && moves < 8) {
          moves++;
          moving = moving.then(() => moveAll(its));
        }
        await moving;
      };
      await read(its, (inner) => holding(inner, meanwhile));
      expect(moves).toBeGreaterThan(2);
    });
  });

  test('is right when what it does not need is forgotten and swept meanwhile', {
    timeout: 600_000,
  }, async () => {
    for (const held of spread(await count(), 4)) {
      await inCopy(async (its) => {
        const elsewhere = { cacheRoot: join(its.root, 'cache of prune') };
        let swept: Promise<unknown> | undefined;
        const sweep = async (): Promise<void> => {
          for (const id of [...its.kept.keys()].slice(0, -1)) await forget(its, id, elsewhere);
          await prune(its, {}, elsewhere);
        };
        await read(its, (inner) =>
          holding(inner, async (call) => {
            if (call === held) swept = sweep();
            await swept;
          }),
        );
        expect(objectsIn(its, 'snapshots').length).toBeLessThan(4);
      });
    }
  });
});
