import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DISC_BYTES, discPlace, extracted } from './disc-place.js';
import { messages } from './on-discs.js';

/** `cbr check` where index segments lie that were written for discs. */

/** Two snapshots, and discs of the second one. */
async function stocked() {
  const it = await discPlace();
  const first = await it.take(1, 10);
  const second = await it.take(2, 10);
  const made = await it.build('--media', String(DISC_BYTES), '--snapshot', second);
  expect(made.code).toBe(0);
  const taken = it.images().map((image, i) => extracted(image, join(it.its.root, `disc ${i}`)));
  return { ...it, first, second, taken };
}

test('a segment of a disc among those of a repository does not hide a snapshot that vanished', async () => {
  const { its, first, second, taken } = await stocked();
  cpSync(join(taken.at(-1)!, 'index'), join(its.repo, 'index'), { recursive: true });
  const sound = await its.json(['check']);
  expect({ code: sound.code, problems: sound.problems }).toEqual({ code: 0, problems: [] });

  rmSync(join(its.repo, 'snapshots', first));
  const { code, problems } = await its.json(['check']);
  expect(code).toBe(4);
  expect(messages(problems)).toContain(
    `vanished without being forgotten: snapshot ${second.slice(0, 8)} saw it`,
  );
});

test('segments that are absent beside those of a disc are counted', async () => {
  const { its, taken } = await stocked();
  const own = readdirSync(join(its.repo, 'index'));
  cpSync(join(taken.at(-1)!, 'index'), join(its.repo, 'index'), { recursive: true });
  rmSync(join(its.repo, 'snapshots'), { recursive: true });
  cpSync(join(taken.at(-1)!, 'snapshots'), join(its.repo, 'snapshots'), { recursive: true });
  for (const name of own) rmSync(join(its.repo, 'index', name));
  const { problems } = await its.json(['check']);
  expect(messages(problems)).toMatch(/1 index segment is not here, though snapshots wrote them/);
});

test('discs in one folder, and images, are sound: what they were not made for is counted', async () => {
  const { its, out, taken } = await stocked();
  const together = join(its.root, 'together');
  for (const folder of taken) cpSync(folder, together, { recursive: true });
  for (const place of [together, `disc:${out}`]) {
    const { code, problems } = await its.json(['check', '--read-data', '-r', place]);
    expect(code, place).toBe(0);
    expect(
      problems.map(({ severity }) => severity),
      place,
    ).toEqual(problems.map(() => 'note'));
    expect(messages(problems), place).toMatch(
      /1 snapshot is not here, though others saw them and nobody forgot/,
    );
  }
  // Without the label it is a repository as any other.
  rmSync(join(together, 'disc.json'));
  expect((await its.json(['check', '-r', together])).code).toBe(4);
});
