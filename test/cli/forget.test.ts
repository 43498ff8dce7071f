import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { calendarLines } from '../../dist/cli/calendar-picture.js';
import type { Decision, PolicySnapshot } from '../../dist/policy/index.js';
import { TimeZone } from '../../dist/policy/index.js';
import { place, type Run } from './run.js';
import { everything, left, objects, THREE, take, taken, ZONED } from './taken.js';

describe('by id', () => {
  test('several at once, all found before one is forgotten', async () => {
    const { its, ids } = await taken(...THREE, '2026-01-08T02:00');
    const names = ['latest', ids[0]!.slice(0, 8), 'latest~1', ids[0]!];
    const before = everything(its);
    const tried = await its.run(['forget', ...names, '--dry-run']);
    expect(tried).toMatchObject({ code: 0, stderr: '' });
    expect(tried.stdout.match(/^Would forget /gm)).toHaveLength(3);
    const wrong = await its.run(['forget', ...names, 'zzz']);
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong.stderr).toMatch(/'zzz' is no snapshot id/);
    expect(everything(its)).toEqual(before);
    const { code, stdout, stderr } = await its.run(['forget', ...names]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      new RegExp(
        `^Forgot ${ids[3]!.slice(0, 8)} \\(2026-01-08 02:00:00 \\+00:00, dove, ${its.source}\\)\nForgot .*\nForgot .*\nTheir space is free after a prune.*\n$`,
      ),
    );
    expect(await left(its)).toEqual([ids[1]]);
    expect(objects(its, 'forgotten')).toEqual([ids[0]!, ids[2]!, ids[3]!].sort());
    expect((await its.run(['check'])).code).toBe(0);
  });

  test('the answer for programs; -q says nothing', async () => {
    const { its, ids } = await taken(...THREE);
    const { summary, items } = await its.json(['forget', ids[0]!, '--dry-run']);
    expect(items).toEqual([]);
    expect(summary).toMatchObject({ command: 'forget', exitCode: 0, forget: [{ id: ids[0] }], dryRun: true });
    expect((await its.json(['forget', ids[0]!])).summary).toMatchObject({ forget: [{ id: ids[0] }] });
    expect(await its.run(['forget', ids[1]!, '-q'])).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await left(its)).toEqual([ids[2]]);
    expect(await its.run(['forget', ids[0]!])).toMatchObject({ code: 1, stdout: '' });
    // Of one snapshot it speaks as of one.
    const { stdout } = await its.run(['forget', ids[2]!]);
    expect(stdout).toContain('\nIts space is free after a prune; until then cbr unforget brings it back.\n');
  });
});

describe('by a policy', () => {
  test('a table with every reason, a picture, and a dry run that changes nothing', async () => {
    const { its, ids } = await taken(...THREE);
    const args = ['forget', '--keep-last', '1', '--keep-tag', 'x', ...ZONED];
    ids.push(await take(its, '2025-12-30T02:00', '--tag', 'x'));
    const before = everything(its);
    const { code, stdout, stderr } = await its.run([...args, '--dry-run']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const short = ids.map((id) => id.slice(0, 8));
    expect(stdout).toBe(
      [
        '        ID        Time                        Reasons',
        `keep    ${short[3]}  2025-12-30 02:00:00 +00:00  tag x`,
        `forget  ${short[0]}  2026-01-05 02:00:00 +00:00`,
        `forget  ${short[1]}  2026-01-06 02:00:00 +00:00`,
        `keep    ${short[2]}  2026-01-07 02:00:00 +00:00  last; newest`,
        '',
        '         1     6     11    16    21    26    31',
        '2025-12  ..... ..... ..... ..... ..... ....# .',
        '2026-01  ....- -#... ..... ..... ..... ..... .',
        '# kept   - forgotten   * some of both   . no snapshot',
        '',
        '2 kept, 2 would be forgotten.',
        '',
      ].join('\n'),
    );
    expect(everything(its)).toEqual(before);
    const done = await its.run(args);
    expect(done.stdout).toContain('\n2 kept, 2 forgotten.\nTheir space is free after a prune');
    expect(await left(its)).toEqual([ids[3], ids[2]]);
    const again = await its.run(args);
    expect(again.stdout).toMatch(/\n2 kept, 0 forgotten\.\n$/);
  });

  test('the answer for programs is the last line', async () => {
    const { its, ids } = await taken(...THREE);
    const { summary, stdout } = await its.json(['forget', '--keep-daily', '2', ...ZONED]);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(summary).toMatchObject({
      command: 'forget',
      exitCode: 0,
      keep: [
        { id: ids[1], reasons: ['daily 2026-01-06'] },
        { id: ids[2], reasons: ['daily 2026-01-07', 'newest'] },
      ],
      forget: [{ id: ids[0] }],
    });
    expect(summary).not.toHaveProperty('dryRun');
    expect(await left(its)).toEqual([ids[1], ids[2]]);
  });

  test('only those that are chosen, each group by itself; pinned ones stay', async () => {
    const { its, ids } = await taken(...THREE);
    const owl = [];
    for (const time of THREE) owl.push(await take(its, time.replace('T02', 'T03'), '--host', 'owl'));
    expect((await its.run(['pin', ids[0]!])).code).toBe(0);
    const chosen = await its.json(['forget', '--keep-last', '1', '--host', 'dove']);
    expect(chosen.summary).toMatchObject({ forget: [{ id: ids[1] }] });
    expect(await left(its)).toHaveLength(5);
    const all = await its.run(['forget', '--keep-last', '1', '--dry-run']);
    expect(all.stdout).toMatch(new RegExp(`^Host dove, paths ${its.source}:\n`));
    expect(all.stdout).toContain(`\n\nHost owl, paths ${its.source}:\n`);
    const { summary } = await its.json(['forget', '--keep-last', '1', '--group-by', 'none']);
    expect(summary.keep).toMatchObject([
      { id: ids[0], reasons: ['pinned'] },
      { id: owl[2], reasons: ['last', 'newest'] },
    ]);
  });

  test('says which snapshots were chosen when a tag is missing there, and when there are none', async () => {
    const { its } = await taken(THREE[0], THREE[1]);
    await take(its, THREE[2], '--host', 'owl', '--tag', 'x');
    const missing = await its.run(['forget', '--host', 'dove', '--keep-tag', 'x']);
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toMatch(/tag 'x', and there is none among those of host dove\n/);
    const chosen = ['--host', 'no\u001b[31m', '--path', '/srv', '--tag', 'y', '--tag', 'z'];
    for (const args of [chosen, [...chosen, '--dry-run']]) {
      const { code, stderr } = await its.run(['forget', ...args, '--keep-last', '1']);
      expect(code).toBe(0);
      expect(stderr).toMatch(
        /^cbr: there is no snapshot of host no\\x1b\[31m, path \/srv, tag y, tag z: .*\n/,
      );
    }
    const { summary, problems } = await its.json(['forget', ...chosen, '--keep-last', '1']);
    expect(problems).toMatchObject([{ severity: 'warning', about: 'repository', code: 'not-found' }]);
    expect(summary).toMatchObject({ exitCode: 0, warnings: 1, keep: [], forget: [] });
    expect(await left(its)).toHaveLength(3);
  });

  test('of a repository without snapshots there is nothing to warn of', async () => {
    const { its } = await taken();
    const { code, stdout, stderr } = await its.run(['forget', '--keep-last', '1']);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '0 kept, 0 forgotten.\n', stderr: '' });
  });

  test('what is dated in the future is kept and named, and the exit code is 0', async () => {
    const { its } = await taken('2026-01-05T02:00', '2999-01-01T00:00');
    const { code, stdout, stderr } = await its.run(['forget', '--keep-last', '1', ...ZONED]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^cbr: 1 snapshot is dated in the future, kept/);
    expect(stdout).toMatch(/keep .* 2999-01-01 00:00:00 \+00:00 {2}dated in the future\n/);
    // It would take the picture a thousand years ahead.
    expect(stdout).not.toContain('\n2999');
    expect(stdout).toContain('. no snapshot\n1 snapshot dated in the future: not shown here\n\n2 kept');
    await take(its, '2999-01-02T00:00', '--tag', 'later');
    const two = await its.run(['forget', '--keep-last', '1', ...ZONED]);
    expect(two.stdout).toContain('\n2 snapshots dated in the future: not shown here\n\n3 kept');
    const later = await its.run(['forget', '--keep-last', '1', '--tag', 'later', ...ZONED]);
    // Without a picture nothing is left out of it.
    expect(later.stdout).toMatch(/ dated in the future\n1 kept, 0 forgotten\.\n/);
    const { problems, summary } = await its.json(['forget', '--keep-last', '1', ...ZONED]);
    expect(problems).toMatchObject([{ severity: 'warning', code: 'future' }]);
    expect(summary).toMatchObject({ exitCode: 0, warnings: 1, forget: [] });
  });

  test('what was taken last is kept though the clock went back', async () => {
    const { its, ids } = await taken('2026-01-06T02:00', '2026-01-05T02:00');
    const { summary } = await its.json(['forget', '--keep-last', '1']);
    expect(summary).toMatchObject({
      keep: [{ id: ids[1], reasons: ['taken last'] }, { id: ids[0] }],
      forget: [],
    });
  });

  test('is refused while a snapshot cannot be opened', async () => {
    const { its, ids } = await taken(...THREE);
    rmSync(join(its.repo, 'snapshots', ids[1]!));
    writeFileSync(join(its.repo, 'snapshots', ids[1]!), 'no record');
    rmSync(its.cache, { recursive: true });
    const { code, stdout, stderr } = await its.run(['forget', '--keep-last', '1']);
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toMatch(/nobody can tell which snapshots are older or newer.*\n.*cbr check/);
    expect((await its.run(['forget', ids[0]!])).code).toBe(0);
    expect(objects(its, 'forgotten')).toEqual([ids[0]]);
  });

  test('round-robin anchors are stored by what is done, not by what is tried', async () => {
    const { its } = await taken(...THREE);
    const args = ['forget', '--round-robin', 'days=1,weeks=1,months=1,years=1', ...ZONED];
    await its.run([...args, '--dry-run']);
    expect(objects(its, 'policies')).toEqual([]);
    await its.run(args);
    const { summary } = await its.json(['policy', 'show']);
    expect(summary).toMatchObject({
      number: 1,
      rules: [],
      anchors: [{ group: ['host=dove', `paths=${its.source}`], date: '2026-01-05' }],
    });
    const { stdout } = await its.run(['policy', 'show']);
    expect(stdout).toMatch(
      new RegExp(
        `^Policy {3}none\nChanged {2}20.*@.*\nAnchor {3}2026-01-05 for host=dove paths=${its.source}\n$`,
      ),
    );
  });
});

describe('refused with an explanation', () => {
  const refusals: readonly (readonly [args: string, message: RegExp])[] = [
    ['forget abc --keep-last 1', /snapshots and a policy \(--keep-last\) exclude each other/],
    ['forget --keep-last 0', /the policy has no rule.*\nSay what to keep/],
    ['forget --timezone UTC', /the policy has no rule/],
    ['forget --keep-last 1 --keep-tag nightly', /tag 'nightly', and there is none/],
    ['forget --keep-daily -1', /--keep-daily.*'-1' is invalid/],
    ['forget --now 2026-01-01 --keep-last 1', /unknown option '--now'/],
    ['policy set', /the policy has no rule/],
    ['policy set --keep-daily 0', /the policy has no rule/],
    ['policy set --remove --keep-last 1', /--remove and --keep-last exclude each other/],
    ['policy set --dar-style diff=1', /incr is missing/],
    ['delete abc', /there is no command delete: did you mean forget/],
  ];

  test('exits with 2 and changes nothing', async () => {
    const { its } = await taken(THREE[0], THREE[1]);
    const before = everything(its);
    for (const [args, message] of refusals) {
      const { code, stdout, stderr }: Run = await its.run(args.split(' '));
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).toMatch(message);
      expect(stderr).toMatch(/^cbr: .+\n.+\n$/);
    }
    expect(everything(its)).toEqual(before);
  });

  test.each(['forget', 'unforget', 'policy set', 'policy show'])('%s --help has examples', async (name) => {
    const { code, stdout } = await place().run([...name.split(' '), '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`$ cbr ${name}`);
  });
});

describe('the picture', () => {
  const UTC = new TimeZone('UTC');

  const lines = (...days: readonly (readonly [date: string, isKept: boolean])[]): string[] => {
    const decisions: Decision<PolicySnapshot>[] = days.map(([date, isKept], i) => ({
      snapshot: { id: String(i), time: { seconds: Date.parse(date) / 1000, nanoseconds: 0 } },
      reasons: isKept ? ['because'] : [],
    }));
    return calendarLines(decisions, UTC);
  };

  test('a day of which some are kept; empty months in between', () => {
    expect(
      lines(
        ['2026-01-31', true],
        ['2026-02-28T01:00Z', true],
        ['2026-02-28T02:00Z', false],
        ['2026-07-01', false],
      ),
    ).toEqual([
      '         1     6     11    16    21    26    31',
      '2026-01  ..... ..... ..... ..... ..... ..... #',
      '2026-02  ..... ..... ..... ..... ..... ..*',
      '         (4 months without any)',
      '2026-07  -.... ..... ..... ..... ..... ..... .',
      '# kept   - forgotten   * some of both   . no snapshot',
    ]);
    expect(lines()).toEqual([]);
  });

  test('is no longer than a screen, however long the history', () => {
    const all: [string, boolean][] = [];
    for (let year = 1960; year <= 2026; year++) {
      for (let month = 1; month <= 12; month++) {
        all.push([`${year}-${String(month).padStart(2, '0')}-03`, month === 5], [`${year}-12-03`, true]);
      }
    }
    const picture = lines(...all);
    expect(picture.length).toBeLessThanOrEqual(40);
    const [first, title, ...rows] = picture;
    expect(first).toBe('before 2016: 728 kept, 616 forgotten');
    expect(title).toBe('         J F M A M J J A S O N D');
    expect(rows[0]).toBe('2016     - - - - # - - - - - - *');
    expect(rows[8]).toBe('2024     - - - - # - - - - - - *');
    expect(rows[10]).toBe('2025-01  ..-.. ..... ..... ..... ..... ..... .');
    expect(rows.at(-2)).toBe('2026-12  ..*.. ..... ..... ..... ..... ..... .');
  });
});
