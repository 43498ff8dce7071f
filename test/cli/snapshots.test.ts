import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { textWidth } from '../../dist/cli/text-width.js';
import { type Place, plainPlace } from './run.js';
import { onTerminal } from './terminal.js';

/** Which snapshots `cbr snapshots` lists, and how. */

interface Listed {
  readonly its: Place;
  readonly ids: readonly string[];
}

async function listed(): Promise<Listed> {
  const its = await plainPlace();
  writeFileSync(join(its.source, 'file'), 'content');
  const other = join(its.root, 'other');
  mkdirSync(other);
  const wishes = [
    [its.source, '--host', 'dove', '--time', '2024-01-01', '--job', 'nightly', '--tag', 'x'],
    [its.source, '--host', 'dove', '--time', '2024-01-02', '--level', 'incr'],
    [other, '--host', 'dove', '--time', '2024-01-03T00:00:00.5', '--job', 'nightly'],
    [its.source, '--host', 'owl', '--time', '2024-01-04', '--level', 'full', '--tag', 'x'],
  ];
  const ids: string[] = [];
  for (const wish of wishes) ids.push((await its.json(['snapshot', ...wish])).summary.snapshot as string);
  return { its, ids };
}

const positions = async ({ its, ids }: Listed, ...args: string[]): Promise<number[]> =>
  (await its.json(['snapshots', ...args])).items.map(({ snapshot }) => ids.indexOf(snapshot as string));

test('by time, job, level, and the last ones', async () => {
  const all = await listed();
  // What is after a time and what is before it are all, and nothing twice.
  expect(await positions(all, '--before', '2024-01-03')).toEqual([0, 1]);
  expect(await positions(all, '--after', '2024-01-03')).toEqual([2, 3]);
  expect(await positions(all, '--after', '2024-01-02', '--before', '2024-01-04')).toEqual([1, 2]);
  expect(await positions(all, '--job', 'nightly', '--host', 'dove')).toEqual([0, 2]);
  expect(await positions(all, '--level', 'incr')).toEqual([1]);
  expect(await positions(all, '--last', '2')).toEqual([2, 3]);
});

test('in groups, the last ones of each', async () => {
  const all = await listed();
  const { its, ids } = all;
  const { items, summary } = await its.json(['snapshots', '--group-by', 'host,paths', '--last', '1']);
  expect(items.map(({ snapshot, group }) => [ids.indexOf(snapshot as string), group])).toEqual([
    [1, { host: 'dove', paths: [its.source] }],
    [2, { host: 'dove', paths: [join(its.root, 'other')] }],
    [3, { host: 'owl', paths: [its.source] }],
  ]);
  expect(summary).toMatchObject({ snapshots: 3, groups: 3 });
  const { stdout } = await its.run(['snapshots', '--group-by', 'tags']);
  expect(stdout).toMatch(/^Tags x:\nID .*\n.*\n.*\n\nTags -:\nID .*\n.*\n.*\n\n4 in all\n$/);
});

test.each(['--last=0', '--level=half', '--group-by=size', '--before=soon'])(
  '%s is refused',
  async (option) => {
    const its = await plainPlace();
    expect((await its.run(['snapshots', option])).code).toBe(2);
  },
);

test('on a terminal of 20 columns, and what strangers wrote', async () => {
  const its = await plainPlace();
  const evil = 'e\u001b[31m\u0007vil';
  const args = ['--host', evil, '--tag', evil, '--job', evil, '--time', '2024-01-01'];
  expect((await its.run(['snapshot', its.source, ...args])).code).toBe(0);
  for (const more of [[], ['--group-by', 'host,paths,job,tags']]) {
    const narrow = await onTerminal(its, ['snapshots', ...more], [], 20);
    expect(narrow.code).toBe(0);
    const lines = narrow.screen.trimEnd().split('\r\n');
    expect(lines.filter((line) => textWidth(line) > 20)).toEqual([]);
    expect(lines.join()).toContain('2024-01-01');
    const { stdout } = await its.run(['snapshots', ...more]);
    expect(stdout).toContain('e\\x1b[31m\\x07vil');
    for (const control of ['\u0007', '\u001b']) expect(stdout + narrow.screen).not.toContain(control);
  }
  const { items } = await its.json(['snapshots', '--group-by', 'job', '--job', evil]);
  expect(items).toMatchObject([{ host: evil, tags: [evil], job: evil, group: { job: evil } }]);
});
