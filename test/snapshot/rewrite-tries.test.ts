import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forwardTo } from '../../dist/backends/forward.js';
import type { Backend } from '../../dist/backends/index.js';
import type { SessionId } from '../../dist/core/index.js';
import { NO_RULES } from '../../dist/fs/index.js';
import {
  createRecord,
  fenceSession,
  markRecord,
  type Repository,
  segmentsOfSession,
} from '../../dist/repo/index.js';
import {
  annotateSnapshot,
  forgetSnapshots,
  listSnapshots,
  type Rewritten,
  rewriter,
  type Snapshot,
} from '../../dist/snapshot/index.js';
import { Copy, fillSource, SMALL } from './check-subject.js';
import { at, BY, objects, takeAt } from './forget-subject.js';
import { holding } from './held-backend.js';
import { prune } from './prune-subject.js';
import { Scratch } from './scratch-repository.js';
import { condemn, stopAtAnyCall } from './stopped-writer.js';
import { type Facts, factsOf } from './tree-facts.js';

/** Rewriting in trouble: condemned packs, prunes and forgets meanwhile, fences, and runs that are stopped. */

const original = new Scratch();
let facts: Facts = {};
let id: SessionId;

beforeAll(async () => {
  await original.init(SMALL);
  await fillSource(original.source);
  // The folder's time is what it was with the file in it.
  mkdirSync(join(original.source, 'leaky'));
  writeFileSync(join(original.source, 'leaky/secret'), 'never to be stored');
  const { summary } = await original.take({ tags: ['old'], time: at('2025-01-01T00:00') });
  id = summary.snapshot as SessionId;
  await original.use((repository) =>
    annotateSnapshot(repository, { id }, { comment: 'mine', pin: {} }, 'x', 1),
  );
  facts = Object.fromEntries(
    Object.entries(factsOf(original.source)).filter(([path]) => !path.endsWith('/secret')),
  );
});
afterAll(() => original.remove());

function rewriteThis(repository: Repository, snapshot: Snapshot): Promise<Rewritten> {
  const rule = { text: 'secret', option: '--exclude', ignoreCase: false };
  const change = { rules: { ...NO_RULES, exclude: [rule] }, words: {}, moves: [] };
  return rewriter(repository, change, { ...BY, forget: true, dryRun: false })(snapshot, () => undefined);
}

async function rewriteIn(repository: Repository, snapshotId = id): Promise<Rewritten> {
  const { snapshots } = await listSnapshots(repository);
  return rewriteThis(repository, snapshots.find((each) => each.id === snapshotId)!);
}

const rewrite = (its: Scratch, wrapBackend?: (medium: Backend) => Backend): Promise<Rewritten> =>
  its.use((repository) => rewriteIn(repository), wrapBackend === undefined ? {} : { wrapBackend });

/** Only the rewritten one is there, whole. */
async function expectRewritten(its: Scratch): Promise<void> {
  const [now, ...others] = await its.snapshots();
  expect(others).toEqual([]);
  expect(now).toMatchObject({
    about: { ...at('2025-01-01T00:00'), tags: ['old'], comment: 'mine' },
    pin: {},
  });
  expect(now!.id).not.toBe(id);
  const { target, summary, problems } = await its.restore(now!.id, { path: original.source });
  expect({ lost: summary.lost, problems }).toEqual({ lost: 0, problems: [] });
  expect(factsOf(target)).toEqual(facts);
  expect((await its.check()).findings).toEqual([]);
  expect(objects(its, 'sessions')).toEqual([]);
}

test('all but what was left out is there, and only the folders on the way are stored', async () => {
  const its = new Copy(original);
  const packs = its.objects('packs');
  const { snapshot, leftOut, left } = await rewrite(its);
  expect(leftOut).toEqual({ files: 1, folders: 0, others: 0, bytes: 18 });
  expect(snapshot!.about.statistics).toMatchObject({
    files: left.files,
    folders: left.folders,
    others: left.others,
    sourceBytes: left.bytes,
    unchangedFiles: left.files,
    newFiles: 0,
    newBytes: 0,
  });
  const [before] = await original.snapshots();
  const { files, folders, others, sourceBytes } = before!.about.statistics;
  expect(left).toEqual({ files: files - 1, folders, others, bytes: sourceBytes - 18 });
  await expectRewritten(its);
  expect(its.objects('packs').length).toBe(packs.length + 1);
});

describe('where packs are condemned', () => {
  test('all that it needs is stored again, and what a prune then removes is not missed', async () => {
    const its = new Copy(original);
    const lost = [...its.objects('packs'), ...its.objects('index'), 'marks/1'];
    await condemn(its);
    const { storedAgain } = await rewrite(its);
    expect(storedAgain).toBeGreaterThan(1_500_000);
    for (const object of lost) its.lose(object);
    await expectRewritten(its);
  });

  test('stopped at any call the old or the new one is whole, and done again it is done', {
    timeout: 240_000,
  }, async () => {
    const small = new Scratch();
    await small.init();
    mkdirSync(join(small.source, 'folder'));
    writeFileSync(join(small.source, 'folder/secret'), 'x');
    writeFileSync(join(small.source, 'file'), 'content');
    const taken = await takeAt(small, '2025-01-01T00:00');
    await small.use((repository) => annotateSnapshot(repository, { id: taken }, { pin: {} }, 'x', 1));
    const again = (repository: Repository) => rewriteIn(repository, taken);
    const stops = await stopAtAnyCall(small, again, async (its, number) => {
      const there = await its.snapshots();
      expect(there.length, `after call ${number}`).toBeGreaterThan(0);
      if (there.some((each) => each.id === taken)) await its.use(again);
      const now = await its.snapshots();
      expect(now).toMatchObject([{ pin: {}, about: { statistics: { files: 1 } } }]);
      if (number % 4 !== 1) return;
      const { target } = await its.restore(undefined, { path: small.source, threads: 1 });
      expect(Object.keys(factsOf(target)).sort()).toEqual(['.', './file', './folder']);
    });
    small.remove();
    expect(stops).toBeGreaterThan(20);
  });
});

test('starts over when it was held for dead', async () => {
  const its = new Copy(original);
  let commits = 0;
  const wrapBackend = (medium: Backend): Backend => ({
    ...forwardTo(medium),
    write: async (kind, name, content) => {
      if (kind === 'snapshots' && ++commits === 1) {
        await its.use(({ backend, records, cache }) =>
          fenceSession({ backend, records }, name as SessionId, (session) =>
            segmentsOfSession({ backend, records, cache }, session),
          ),
        );
      }
      return medium.write(kind, name, content);
    },
  });
  await rewrite(its, wrapBackend);
  expect(commits).toBe(2);
  await expectRewritten(its);
});

test('a prune that moves everything meanwhile does not keep it from its end', {
  timeout: 240_000,
}, async () => {
  let hadGone = 0;
  for (const call of [1, 12, 20, 24, 28, 32, 36, 45]) {
    const its = new Copy(original);
    const packs = new Set(its.objects('packs'));
    const elsewhere = { cacheRoot: join(its.root, 'cache of prune') };
    let isPruned = false;
    const wrapBackend = (medium: Backend): Backend =>
      holding(medium, async (number) => {
        if (number < call || isPruned) return;
        isPruned = true;
        await its.use(async ({ backend, records }) => {
          const names = [...packs].map((path) => Buffer.from(path.slice(-64), 'hex'));
          await createRecord(backend, 'marks', '1000000', markRecord, { packs: names }, records);
        }, elsewhere);
        // Whoever is registered is held for dead: it is fenced, and finds that out.
        await prune(its, {}, elsewhere);
        if (its.objects('packs').every((name) => !packs.has(name))) hadGone++;
      });
    await rewrite(its, wrapBackend);
    expect(isPruned, `at call ${call}`).toBe(true);
    await expectRewritten(its);
  }
  expect(hadGone).toBeGreaterThan(4);
});

test('what was forgotten meanwhile does not come back, and what cannot be read is not forgotten', async () => {
  const gone = new Copy(original);
  await gone.use(async (repository) => {
    const { snapshots } = await listSnapshots(repository);
    await forgetSnapshots(repository, [id], BY);
    await expect(rewriteThis(repository, snapshots[0]!)).rejects.toMatchObject({ code: 'not-found' });
  });
  expect(await gone.snapshots()).toEqual([]);
  const its = new Copy(original);
  its.lose(its.objects('packs')[0]!);
  await expect(rewrite(its)).rejects.toMatchObject({ code: 'damaged' });
  expect((await its.snapshots()).map((each) => each.id)).toEqual([id]);
  expect(objects(its, 'sessions')).toEqual([]);
});
