import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Place, place, plainPlace } from './run.js';
import { take, taken } from './taken.js';

/** What `--at` chooses, asked of the built program; which snapshot that is: test/snapshot/select-at.test.ts. */

/** The id of the snapshot that `ls` shows, or its exit code. */
async function shown(its: Place, ...args: readonly string[]): Promise<unknown> {
  const { summary } = await its.json(['ls', ...args]);
  return summary.snapshot ?? summary.exitCode;
}

test('a date begins in the zone of the user; nothing older is made up', async () => {
  const { its, ids } = await taken('2024-01-05T00:00-05:00', '2024-01-06T00:00-05:00');
  const at = (date: string, TZ: string) => its.json(['ls', '--at', date], { env: { TZ } });
  expect((await at('2024-01-06', 'America/New_York')).summary.snapshot).toBe(ids[1]);
  expect((await at('2024-01-06', 'UTC')).summary.snapshot).toBe(ids[0]);
  const { code, summary } = await at('2024-01-05', 'UTC');
  expect(code).toBe(1);
  const oldest = `the oldest is ${ids[0]!.slice(0, 12)} (2024-01-05 00:00:00 -05:00, dove, `;
  expect(summary.error).toMatchObject({
    code: 'not-found',
    message: expect.stringContaining(`no snapshot at or before 2024-01-05 00:00:00 +00:00; ${oldest}`),
  });
});

describe('what a time can stand with', () => {
  test('latest~N, a path; never an id', async () => {
    const { its, ids } = await taken('2024-01-05T02:00', '2024-01-06T02:00');
    const at = ['--at', '2024-01-06 12:00'];
    expect(await shown(its, 'latest~1', ...at)).toBe(ids[0]);
    expect(await shown(its, `latest:${its.source}/file`, ...at)).toBe(ids[1]);
    const refused = await its.json(['ls', ids[0]!, ...at]);
    expect(refused).toMatchObject({ code: 2, summary: { error: { code: 'usage' } } });
    expect(await its.json(['ls'])).toMatchObject({ code: 2, summary: { error: { code: 'usage' } } });
  });

  test('a time as it stands in lists leads back, whatever fraction was left out', async () => {
    const { its, ids } = await taken('2024-01-08T02:00:09.25', '2024-01-08T02:00:09.75');
    expect(await shown(its, '--at', '2024-01-08 02:00:09')).toBe(ids[1]);
    expect(await shown(its, '--at', '2024-01-08 02:00:09.5')).toBe(ids[0]);
    expect(await shown(its, '--at', 'now')).toBe(ids[1]);
  });

  test('restore takes that one', async () => {
    const { its } = await taken('2024-01-05T02:00', '2024-01-07T02:00');
    const target = join(its.root, 'out');
    const args = ['restore', '--at', '2024-01-06', `:${its.source}`, '--target', target];
    expect((await its.run(args)).code).toBe(0);
    expect(readFileSync(join(target, 'file'), 'utf8')).toBe('content');
  });

  test('pins and forgets what it means; a policy has no use for it', async () => {
    const { its, ids } = await taken('2024-01-05T02:00', '2024-01-06T02:00');
    const pinned = await its.json(['pin', '--at', '2024-01-06']);
    expect(pinned.items).toMatchObject([{ snapshot: ids[0], pinned: true }]);
    const refused = await its.json(['forget', '--at', '2024-01-06', '--keep-daily', '1']);
    expect(refused).toMatchObject({ code: 2, summary: { error: { code: 'usage' } } });
    const forgotten = await its.json(['forget', 'latest', '--at', '2024-01-06 03:00']);
    expect(forgotten.summary.forget).toEqual([{ id: ids[1] }]);
    expect(await its.json(['pin'])).toMatchObject({ code: 2, summary: { error: { code: 'usage' } } });
  });
});

test('where no snapshot has all of a folder, what is shown of it is told to be a part', async () => {
  const its = await plainPlace();
  mkdirSync(join(its.source, 'a'));
  const whole = await take(its, '2024-01-05T02:00');
  const args = ['--host', 'dove', '--time', '2024-01-06T02:00'];
  const part = await its.json(['snapshot', join(its.source, 'a'), ...args]);
  const latest = await its.json(['ls', `latest:${its.source}`]);
  expect(latest).toMatchObject({ code: 0, problems: [], summary: { snapshot: whole } });
  const { code, problems } = await its.json(['ls', `${part.summary.snapshot}:${its.source}`]);
  const message = expect.stringContaining(`of ${its.source} it holds ${its.source}/a only`);
  expect({ code, problems }).toMatchObject({
    code: 0,
    problems: [{ severity: 'note', code: 'parts', message }],
  });
  const { stderr } = await its.run(['stats', `latest:${its.source}`]);
  expect(stderr).toMatch(/no path can follow here/i);
  expect(stderr).not.toContain('latest:latest');
});

test.each([
  ['2099-01-01', '2099-01-01 00:00:00 +00:00 is in the future'],
  ['the day before', 'A time is expected: 2026-11-20'],
  ['', 'A time is expected: 2026-11-20'],
  ['\u001b[31m', 'A time is expected: 2026-11-20'],
])('--at %j is refused, before a repository is opened', async (time, reason) => {
  const { code, stdout, stderr } = await place().run(['ls', '--at', time]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(reason);
  expect(stderr).not.toContain('\u001b');
});
