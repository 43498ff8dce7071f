import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listEntries, listSnapshots } from '../../dist/snapshot/index.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';

/** What is said of a path that is not in the snapshot that was named. */

/** Snapshots with and without `letter`, a day apart; their ids. */
async function history(at: Scratch, hasLetter: readonly boolean[], host = 'here'): Promise<string[]> {
  const letter = join(at.source, 'letter');
  const ids: string[] = [];
  for (const [day, has] of hasLetter.entries()) {
    if (has) writeFileSync(letter, `as on day ${day}`);
    else rmSync(letter, { force: true });
    const time = { seconds: 86_400 * day, nanoseconds: 0 };
    ids.push((await at.take({ time, host })).summary.snapshot!);
  }
  return ids;
}

const asked = (at: Scratch, id: string, name = 'letter') =>
  at.use(async (repository) => {
    const { snapshots } = await listSnapshots(repository);
    const snapshot = snapshots.find((each) => each.id === id)!;
    try {
      for await (const _ of listEntries(repository, snapshot, join(at.source, name), false)) break;
      return undefined;
    } catch (error) {
      return error as Error & { hint?: string; holders?: readonly string[] };
    }
  });

const short = (id: string | undefined): string => id!.slice(0, 12);

test('it is gone, was there before and came back: the nearest of both sides first', async () => {
  const at = await scratchRepository();
  const ids = await history(at, [true, true, false, true, false]);
  const error = await asked(at, ids[2]!);
  expect(error).toMatchObject({ code: 'not-found', holders: [ids[1], ids[0], ids[3]] });
  expect(error!.message).toContain(
    `has no ${at.source}/letter: the deepest folder that exists is ${at.source}`,
  );
  const before = `before: ${short(ids[1])} (1970-01-02 00:00:00 +00:00), ${short(ids[0])} (1970-01-01 00:00:00 +00:00)`;
  expect(error!.message).toContain(
    `It had been deleted by then, or was left out; it is in these snapshots ${before}, and after: ${short(ids[3])} (1970-01-04 00:00:00 +00:00)`,
  );
  expect(error!.hint).toContain(`${ids[1]!.slice(0, 8)}:${at.source}/letter`);
  expect((await asked(at, ids[4]!))!.message).toContain('It had been deleted by then, or was left out; ');
});

test('it was not there yet, or is nowhere; other hosts do not count', async () => {
  const at = await scratchRepository();
  const ids = await history(at, [false, true]);
  const owls = await history(at, [true, false], 'owl');
  expect(await asked(at, ids[0]!)).toMatchObject({
    holders: [ids[1]],
    message: expect.stringContaining('It was not there yet, or was left out; '),
  });
  expect(await asked(at, owls[1]!)).toMatchObject({ holders: [owls[0]] });
  expect(await asked(at, ids[0]!, 'lettre')).toMatchObject({
    holders: [],
    message: expect.stringContaining('and no other snapshot of here has it'),
  });
  // What is below a file is nowhere.
  expect(await asked(at, ids[1]!, 'letter/page')).toMatchObject({ holders: [] });
});

test('no more than four of each side', async () => {
  const at = await scratchRepository();
  const ids = await history(at, [true, true, true, true, true, true, false]);
  const error = await asked(at, ids[6]!);
  expect(error!.holders).toEqual([ids[5], ids[4], ids[3], ids[2]]);
  expect(error!.message).toContain('perhaps also in others');
});

test('a snapshot of other sources, or that could not read it, says nothing of its end', async () => {
  const at = await scratchRepository();
  const [letter, other] = [join(at.source, 'letter'), join(at.source, 'other')];
  writeFileSync(letter, 'letter');
  writeFileSync(other, 'other');
  const first = (await at.take({ paths: [letter, other] })).summary.snapshot!;
  const elsewhere = (await at.take({ paths: [other] })).summary.snapshot!;
  rmSync(letter);
  const unread = (await at.take({ paths: [letter, other] })).summary.snapshot!;
  expect(await asked(at, elsewhere)).toMatchObject({
    holders: [first],
    message: expect.stringContaining('. None of its sources holds that path; it is in these snapshots'),
  });
  expect(await asked(at, unread)).toMatchObject({
    holders: [first],
    message: expect.stringContaining('. It could perhaps not be read then; it is in these snapshots'),
  });
  // Nobody knows what a record holds that cannot be opened.
  rmSync(join(at.repo, 'snapshots', first));
  writeFileSync(join(at.repo, 'snapshots', first), 'damaged');
  rmSync(at.cache, { recursive: true });
  const error = await asked(at, unread);
  expect(error!.holders).toEqual([]);
  expect(error!.message).not.toContain('no other snapshot');
});
