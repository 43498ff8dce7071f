import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BackendCall, type FaultPlan, withFaults } from '../../dist/backends/index.js';
import { SMALL } from './check-subject.js';
import { Mirror, mirrorTo, newMirror, objectsOf } from './mirror-subject.js';
import { accountOf, forget, objectsIn, prune, writeFiles } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { isSoak, Scratch } from './scratch-repository.js';

const CHANGING = new Set(['write', 'remove', 'removeMany']);

/** What a killed snapshot stored and the next one relies on: only the fence makes it count. */
function leaveDeadSession(its: Scratch): void {
  const args = [its.repo, its.cache, its.source, 'snapshots'];
  const child = spawnSync(process.execPath, [join(import.meta.dirname, 'check-killed.mjs'), ...args]);
  expect(child.signal).toBe('SIGKILL');
}

/** Check may miss what a forgotten snapshot saw and snapshots that are yet to come, and nothing else. */
async function expectSound(its: Scratch, source: Scratch): Promise<void> {
  const { findings } = await its.check(0);
  const forgotten = objectsIn(its, 'forgotten');
  const there = objectsIn(its, 'snapshots');
  const toCome = objectsIn(source, 'snapshots').filter((id) => !there.includes(id));
  const others = findings.filter(({ object, reason, affected }) => {
    const [, seer] = /^vanished without being forgotten: snapshot ([0-9a-f]+) saw it$/.exec(reason) ?? [];
    if (seer !== undefined) return !forgotten.some((id) => id.startsWith(seer));
    const own = toCome.find((id) => object === `snapshots/${id}`);
    // Its segments are there before it. Nothing else may need them.
    return own === undefined || affected.join() !== `${own.slice(0, 8)}:/`;
  });
  expect(others).toEqual([]);
}

describe('the process dies at any call to the mirror', () => {
  let older: Scratch;
  let newer: Scratch;

  beforeAll(async () => {
    older = new Scratch();
    await older.init(SMALL);
    writeFiles(older, 'steady', 1, 8, 20_000);
    writeFiles(older, 'passing', 2, 8, 20_000);
    await older.take({ threads: 1 });
    writeFiles(older, 'passing', 3, 8, 20_000);
    const { summary } = await older.take({ threads: 1 });
    // The same repository later: more snapshots, each of which relies on the one before, one forgotten, and a prune.
    newer = new Mirror(older.repo);
    writeFiles(newer, 'steady', 1, 8, 20_000);
    for (let i = 0; i < 3; i++) {
      writeFileSync(join(newer.source, `left ${i}`), randomContent(700 + i, 30_000));
      leaveDeadSession(newer);
      writeFileSync(join(newer.source, `more ${i}`), randomContent(800 + i, 30_000));
      await newer.take({ threads: 1 });
    }
    await forget(newer, summary.snapshot!);
    await prune(newer);
    writeFileSync(join(newer.source, 'last'), randomContent(900, 30_000));
    await newer.take({ threads: 1 });
  }, 120_000);
  afterAll(() => {
    older.remove();
    newer.remove();
  });

  async function expectConsistentEverywhere(base: string | undefined): Promise<void> {
    const calls: BackendCall[] = [];
    const run = (its: Scratch, plan: FaultPlan) =>
      mirrorTo(newer.repo, its.repo, {}, { target: (medium) => withFaults(medium, plan) });
    await run(newMirror(base), (call) => {
      calls.push(call);
      return undefined;
    });
    const changing = calls.filter(({ operation }) => CHANGING.has(operation));
    expect(changing.length).toBeGreaterThan(20);
    const ends = new Set<string>();
    for (const [i, { number, kind }] of changing.entries()) {
      for (const when of ['before', 'after'] as const) {
        const its = newMirror(base);
        const stopped = run(its, (call) => (call.number === number ? { when, stop: true } : undefined));
        await expect(stopped, `${when} ${number} ${kind}`).rejects.toThrow('injected stop');
        const isRepository = existsSync(join(its.repo, 'config/1'));
        if (isRepository) {
          // Reads all that each valid snapshot reaches, by a reader of its own.
          ends.add(accountOf(its).snapshots.join());
          if (isSoak || kind === 'snapshots' || i % 4 === 0) await expectSound(its, newer);
        }
        const again = await mirrorTo(newer.repo, its.repo);
        expect(again).toMatchObject({ damaged: [], lost: [], waiting: 0 });
        expect(objectsOf(its.repo), `${when} ${number} ${kind}`).toEqual(objectsOf(newer.repo));
        expect(readdirSync(join(its.repo, 'tmp'))).toEqual([]);
        its.remove();
      }
    }
    // Not only the first and the last state were met.
    expect(ends.size).toBeGreaterThan(3);
  }

  test('the first time', { timeout: 600_000 }, () => expectConsistentEverywhere(undefined));

  test('of an older state', { timeout: 600_000 }, async () => {
    const base = newMirror();
    await mirrorTo(older.repo, base.repo);
    await expectConsistentEverywhere(base.repo);
  });
});
