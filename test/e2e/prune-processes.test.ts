import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isSoak } from '../snapshot/scratch-repository.js';
import { program } from './program.js';
import { goThroughDays, lastingFacts, Writer } from './prune-processes-actors.js';
import { namesIn, Turmoil, unreached } from './prune-processes-turmoil.js';

const WRITERS = 4;
const MINUTES = isSoak ? 10 : 1;

test('writers, forgets, rewrites and prunes at the same time, any of them killed: no snapshot is lost, and all garbage goes', {
  timeout: 3_600_000,
}, async () => {
  const its = program();
  const sizes = ['--chunk-size', '16KiB', '--block-size', '64KiB', '--pack-size', '256KiB'];
  await its.succeed(['init', '--no-encryption', '--compression', '1', ...sizes]);
  const turmoil = new Turmoil(its);
  const writers = Array.from({ length: WRITERS }, (_, i) => new Writer(turmoil, i));

  await goThroughDays(turmoil, writers, MINUTES * 60_000);
  expect(turmoil.unexpected).toEqual([]);

  // Who died is ended by whoever comes next.
  for (const writer of writers) await writer.snapshot({ mayDie: false });
  expect(turmoil.unexpected).toEqual([]);
  expect(await its.run(['check', '--read-data'])).toMatchObject({ code: 0 });

  const expectAll = async (): Promise<void> => {
    const { lines } = await its.json(['snapshots']);
    const found = new Map(
      lines
        .filter(({ type }) => type === 'item')
        .map(({ snapshot, tags }) => [snapshot as string, (tags as string[])[0]!]),
    );
    for (const writer of writers) {
      expect([...writer.kept.keys()].filter((id) => !found.has(id))).toEqual([]);
      expect([...writer.forgotten].filter((id) => found.has(id))).toEqual([]);
    }
    for (const [id, tag] of found) {
      const { facts, source } = turmoil.taken.get(tag)!;
      const target = its.newTarget();
      await its.succeed(['restore', `${id}:${source}`, '--target', target, '-q']);
      expect(lastingFacts(target), `${id}, ${tag}`).toEqual(facts);
      rmSync(target, { recursive: true });
    }
  };
  await expectAll();

  const last = await its.json(['prune', '--max-unused', '0']);
  expect(last.summary, last.stderr).toMatchObject({ exitCode: 0, state: 'swept', pending: [] });
  expect(namesIn(its, 'marks')).toEqual([]);
  expect(namesIn(its, 'sessions')).toEqual([]);
  expect(namesIn(its, 'leases').filter((name) => name.includes('alive'))).toEqual([]);
  expect(await its.waste()).toEqual({ twice: 0, orphans: 0 });
  const status = await its.succeed(['prune', '--status']);
  expect(status.stdout).toBe('Nothing is under way, and nothing waits.\n');
  // Ten packs that have become small may be gathered by the next one: that is no garbage.
  const { summary: plan } = await its.json(['prune', '--dry-run', '--max-unused', '0']);
  expect(plan).toMatchObject({ packs: { removed: 0 }, bytes: { unused: 0 } });
  expect(await unreached(its)).toEqual([]);
  expect(await its.run(['check', '--read-data'])).toMatchObject({ code: 0 });
  await expectAll();
});
