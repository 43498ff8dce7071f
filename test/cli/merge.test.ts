import { mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Place, plainPlace } from './run.js';
import { everything, left, THREE, take } from './taken.js';

/** An old snapshot and a new one: `both` differs and was modified last in the old one, `odd` is a folder in the old one only. */
async function two(): Promise<{ its: Place; ids: [string, string] }> {
  const its = await plainPlace();
  const file = (name: string, text: string, seconds: number): void => {
    writeFileSync(join(its.source, name), text);
    utimesSync(join(its.source, name), seconds, seconds);
  };
  mkdirSync(join(its.source, 'deep/er'), { recursive: true });
  mkdirSync(join(its.source, 'odd'));
  file('both', 'old', 2000);
  file('deep/er/gone', 'kept by the merge', 1000);
  file('deep/er/same', 'same', 1000);
  file('odd/inside', 'lost', 1000);
  const ids = [await take(its, THREE[0], '--tag', 'old')];
  file('both', 'new!', 1000);
  rmSync(join(its.source, 'deep/er/gone'));
  rmSync(join(its.source, 'odd'), { recursive: true });
  symlinkSync('nowhere', join(its.source, 'odd'));
  file('deep/er/added', 'added', 1000);
  ids.push(await take(its, THREE[1], '--tag', 'new'));
  return { its, ids: ids as [string, string] };
}

async function contentOf(its: Place, snapshot: unknown, name: string): Promise<string> {
  const target = join(its.root, `target ${Math.random()}`);
  const { code, stderr } = await its.run(['restore', `${snapshot}:${its.source}`, '--target', target]);
  expect(code, stderr).toBe(0);
  return readFileSync(join(target, name), 'utf8');
}

test('the union of two: folders are united, the newest wins, and what is not the same is told', async () => {
  const { its, ids } = await two();
  const { summary, problems, items } = await its.json(['merge', ...ids, '-v']);
  expect(summary).toMatchObject({ exitCode: 0, state: 'new', from: ids, forgotten: [] });
  expect(summary).toMatchObject({ files: 5, folders: 3, different: 2, conflicts: 1 });
  expect(items).toMatchObject([{ action: 'differs', path: join(its.source, 'both') }]);
  expect(problems).toMatchObject([
    { severity: 'note', path: join(its.source, 'odd'), message: expect.stringContaining(ids[1].slice(0, 8)) },
  ]);
  const merged = summary.snapshot as string;
  const paths = (await its.json(['ls', '-R', `${merged}:${its.source}`])).items.map(({ path }) =>
    (path as string).slice(its.source.length + 1),
  );
  expect(paths).toEqual(['both', 'deep', 'deep/er', 'deep/er/added', 'deep/er/gone', 'deep/er/same', 'odd']);
  expect(await contentOf(its, merged, 'both')).toBe('new!');
  expect(await contentOf(its, merged, 'deep/er/gone')).toBe('kept by the merge');
  const listed = (await its.json(['snapshots'])).items.find(({ snapshot }) => snapshot === merged);
  expect(listed).toMatchObject({
    time: '2026-01-06T02:00:00+00:00',
    host: 'dove',
    tags: ['new', 'old'],
    paths: [its.source],
    rewrittenFrom: ids,
    files: 5,
    folders: 3,
    level: 'incr',
  });
  expect(await its.run(['check', '--read-data'])).toMatchObject({ code: 0 });
  // Again it makes no second one, and the old ones are forgotten when that is asked for.
  const again = await its.json(['merge', ...ids, '--forget']);
  expect(again.summary).toMatchObject({ state: 'there', snapshot: merged, forgotten: ids });
  expect(await left(its)).toEqual([merged]);
  await its.run(['prune', '--max-unused', '0']);
  expect(await its.run(['check', '--read-data'])).toMatchObject({ code: 0 });
  expect(await contentOf(its, merged, 'deep/er/gone')).toBe('kept by the merge');
});

test('who wins can be chosen', async () => {
  const { its, ids } = await two();
  const first = (await its.json(['merge', ...ids, '--prefer', 'first'])).summary;
  expect(await contentOf(its, first.snapshot, 'both')).toBe('old');
  expect(await contentOf(its, first.snapshot, 'odd/inside')).toBe('lost');
  const turned = (await its.json(['merge', ids[1], ids[0], '--prefer', 'first'])).summary;
  expect(await contentOf(its, turned.snapshot, 'both')).toBe('new!');
  const modified = (await its.json(['merge', ids[1], ids[0], '--prefer', 'modified'])).summary;
  expect(await contentOf(its, modified.snapshot, 'both')).toBe('old');
  const named = (await its.json(['merge', ...ids, '--new-host', 'other', '--new-time', '2020-01-01']))
    .summary;
  const { items } = await its.json(['snapshots', '--host', 'other']);
  expect(items).toMatchObject([{ snapshot: named.snapshot, time: '2020-01-01T00:00:00+00:00' }]);
});

test('sources of several machines come together', async () => {
  const { its, ids } = await two();
  const other = join(its.root, 'other');
  mkdirSync(other);
  writeFileSync(join(other, 'file'), 'there');
  const there = (await its.json(['snapshot', other, '--host', 'owl', '--time', THREE[2]])).summary
    .snapshot as string;
  const { summary } = await its.json(['merge', ids[0], there]);
  expect(summary).toMatchObject({ state: 'new', different: 0, conflicts: 0, files: 5, folders: 5 });
  const { items } = await its.json(['snapshots', '--host', 'owl']);
  const merged = items.find(({ snapshot }) => snapshot === summary.snapshot);
  expect(merged).toMatchObject({ paths: [other, its.source].sort() });
});

test('nothing is made when one has it all, by a dry run, and of a single one', async () => {
  const { its, ids } = await two();
  const before = everything(its);
  const dry = await its.run(['merge', ...ids, '--dry-run', '--forget']);
  expect(dry).toMatchObject({ code: 0 });
  expect(dry.stdout).toContain('2 snapshots would become one of 8 entries');
  expect(dry.stdout).toMatch(/differs +.*\/both\n/);
  expect(everything(its)).toEqual(before);
  for (const args of [[ids[0]], [ids[0], ids[0].slice(0, 8)]]) {
    const alone = await its.run(['merge', ...args]);
    expect(alone).toMatchObject({ code: 2, stdout: '' });
    expect(alone.stderr).toContain('two snapshots or more');
  }
  const later = await take(its, THREE[2]);
  const between = everything(its);
  const whole = await its.json(['merge', later, ids[1]]);
  expect(whole.summary).toMatchObject({ exitCode: 0, state: 'unchanged' });
  expect((await its.run(['merge', later, ids[1]])).stdout).toContain('has all that the others have');
  const { stdout } = await its.run(['merge', later, ids[1], '--forget']);
  expect(stdout).toMatch(/has all that the others have: nothing was made, and nothing was forgotten/);
  expect(everything(its)).toEqual(between);
});
