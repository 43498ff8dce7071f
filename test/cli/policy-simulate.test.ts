import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Place, place, type Run } from './run.js';

const THREE = [
  { id: 'a', time: '2026-11-01T02:00', level: 'full', host: 'dove', paths: ['/etc'], tags: ['x'] },
  { id: 'b', time: '2026-11-02T02:00', level: 'incr', host: 'dove', paths: ['/etc'] },
  { id: 'c', time: '2026-11-03T02:00', level: 'incr', host: 'dove', paths: ['/etc'] },
];
const NOW = ['--now', '2026-11-03T12:00', '--timezone', 'UTC'];

/** The arguments that name a file with this content. */
function listed(its: Place, content: unknown): string[] {
  const file = join(its.root, 'list.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return ['policy', 'simulate', '--snapshots', file];
}

describe('of given snapshots', () => {
  test('a table with every reason', async () => {
    const its = place();
    const policy = ['--keep-last', '1', '--keep-weekly', '2', '--keep-tag', 'x'];
    const { code, stdout, stderr } = await its.run([...listed(its, THREE), ...NOW, ...policy]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(
      [
        '        ID  Time                        Reasons',
        'keep    a   2026-11-01 02:00:00 +00:00  tag x; weekly 2026-W44',
        'forget  b   2026-11-02 02:00:00 +00:00',
        'keep    c   2026-11-03 02:00:00 +00:00  last; weekly 2026-W45; newest',
        '2 kept, 1 forgotten.',
        '',
      ].join('\n'),
    );
    expect(await its.run([...listed(its, THREE), ...NOW, ...policy, '-q'])).toMatchObject({ stdout: '' });
  });

  test('the answer for programs is the last line, from a file and from standard input', async () => {
    const its = place();
    const args = [...listed(its, THREE), ...NOW, '--keep-daily', '2', '--json'];
    const { code, stdout } = await its.run(args);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    const answer = JSON.parse(lines[0]!) as object;
    expect(answer).toMatchObject({ type: 'summary', command: 'policy simulate', exitCode: 0 });
    expect(answer).toMatchObject({
      keep: [
        { id: 'b', reasons: ['daily 2026-11-02'] },
        { id: 'c', reasons: ['daily 2026-11-03', 'newest'] },
      ],
      forget: [{ id: 'a' }],
    });
    const piped = await its.shell(
      `cbr policy simulate --snapshots - ${NOW.join(' ')} --keep-daily 2 --json < list.json`,
    );
    expect(piped.code).toBe(0);
    const { keep, forget } = JSON.parse(piped.stdout) as Record<string, unknown>;
    expect(answer).toMatchObject({ keep, forget });
  });

  test('each group by itself', async () => {
    const its = place();
    const two = [...THREE, { id: 'd', time: '2026-10-01', host: 'owl', paths: ['/home', '/etc'] }];
    const kept = async (...args: string[]): Promise<unknown> => {
      const { summary } = await its.json([...listed(its, two), ...NOW, '--keep-last', '1', ...args]);
      return (summary.keep as { id: string }[]).map(({ id }) => id);
    };
    expect(await kept()).toEqual(['d', 'c']);
    expect(await kept('--group-by', 'none')).toEqual(['c']);
    expect(await kept('--group-by', 'tags')).toEqual(['a', 'c']);
    const { stdout } = await its.run([...listed(its, two), ...NOW, '--keep-last', '1']);
    expect(stdout).toMatch(/^Host owl, paths \/etc \/home:\n.*\nkeep +d .*\n\nHost dove, paths \/etc:\n/);
  });

  test('a time without an offset is in the zone, and so are the buckets', async () => {
    const its = place();
    // In New York 23:30 is 04:30 UTC of the day after.
    const list = [
      { id: 'utc', time: '2026-11-19T22:30Z' },
      { id: 'there', time: '2026-11-19T23:30' },
      { id: 'late', time: '2026-11-20T04:59:59Z' },
      { id: 'midnight', time: '2026-11-20' },
    ];
    const kept = async (zone: string, TZ: string): Promise<unknown> => {
      const args = ['--now', '2026-11-21', '--timezone', zone, '--keep-daily', '9'];
      return (await its.json([...listed(its, list), ...args], { env: { TZ } })).summary.keep;
    };
    const there = [
      { id: 'late', reasons: ['daily 2026-11-19'] },
      { id: 'midnight', reasons: ['daily 2026-11-20', 'newest'] },
    ];
    expect(await kept('America/New_York', 'UTC')).toEqual(there);
    expect(await kept('local', 'America/New_York')).toEqual(there);
    expect(await kept('UTC', 'America/New_York')).toEqual([
      { id: 'there', reasons: ['daily 2026-11-19'] },
      { id: 'late', reasons: ['daily 2026-11-20', 'newest'] },
    ]);
  });

  test('snapshots dated in the future are named, kept and not counted', async () => {
    const its = place();
    const list = [...THREE, { id: 'later\u001b[31m', time: '2026-11-03T12:00:01' }];
    const args = [...listed(its, list), ...NOW];
    const exact = 'days=0,weeks=0,months=0,years=0,mode=exact';
    for (const policy of [
      ['--keep-last', '2'],
      ['--keep-last', '2', '--round-robin', exact],
    ]) {
      const { code, stderr } = await its.run([...args, ...policy]);
      expect(code).toBe(0);
      expect(stderr).toMatch(/^cbr: 1 snapshot is dated in the future, kept .*: later\\x1b\[31m\n/);
      const { summary, problems } = await its.json([...args, ...policy]);
      expect(problems).toMatchObject([{ severity: 'warning', code: 'future' }]);
      expect(summary).toMatchObject({ exitCode: 0, warnings: 1 });
      expect((summary.keep as unknown[]).slice(-3)).toMatchObject([
        { id: 'b' },
        { id: 'c' },
        { id: 'later\u001b[31m', reasons: ['dated in the future'] },
      ]);
    }
  });

  test('of nothing', async () => {
    const its = place();
    const args = [...listed(its, []), ...NOW, '--keep-last', '1'];
    expect((await its.json(args)).summary).toMatchObject({ exitCode: 0, keep: [], forget: [] });
    expect(await its.run(args)).toMatchObject({ code: 0, stdout: '0 kept, 0 forgotten.\n' });
  });
});

test('a window for days and longer periods is a day long at least; one for hours may be shorter', async () => {
  const its = place();
  const args = [
    '--keep-within-hourly',
    '30m',
    '--keep-within-daily',
    '24h',
    '--keep-within-yearly',
    '1d0h1m',
  ];
  const { summary } = await its.json([...listed(its, THREE), ...NOW, ...args]);
  expect(summary).toMatchObject({ exitCode: 0 });
  expect((summary.keep as { reasons: string[] }[]).at(-1)!.reasons).toEqual([
    'hourly 2026-11-03 02:00 +00:00 within 30m',
    'daily 2026-11-03 within 24h',
    'yearly 2026 within 1d0h1m',
    'newest',
  ]);
});

test('the days of round-robin slots by number or name', async () => {
  const its = place();
  const kept = async (days: string): Promise<unknown> => {
    const slots = `days=0,weeks=1,months=0,years=0,${days}`;
    return (await its.json([...listed(its, THREE), ...NOW, '--round-robin', slots])).summary.keep;
  };
  expect(await kept('weekday=1,monthday=31,month=12')).toEqual(await kept('weekday=Monday'));
  expect(await kept('weekday=sunday')).toMatchObject([
    { id: 'a', reasons: ['round-robin week 2026-11-01'] },
    { id: 'c' },
  ]);
});

describe('night by night', () => {
  test('shows what is left', async () => {
    const its = place();
    const simulated = ['policy', 'simulate', '--every', '1d', '--for', '3y', '--timezone', 'Europe/Berlin'];
    const args = [...simulated, '--now', '2026-11-20T02:00', '--keep-daily', '2', '--keep-yearly', '9'];
    const { code, stdout, stderr } = await its.run(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^ID +Time +Reasons$/);
    expect(lines.slice(1, -1).map((line) => line.split('  ').slice(1).join('  '))).toEqual([
      '2023-12-31 02:00:00 +01:00  yearly 2023',
      '2024-12-31 02:00:00 +01:00  yearly 2024',
      '2025-12-31 02:00:00 +01:00  yearly 2025',
      '2026-11-19 02:00:00 +01:00  daily 2026-11-19',
      '2026-11-20 02:00:00 +01:00  daily 2026-11-20; yearly 2026; newest',
    ]);
    expect(lines.at(-1)).toBe('5 left of 1,097 snapshots after 1,097 nights.');
    const { summary } = await its.json(args);
    expect(summary).toMatchObject({ nights: 1097 });
    expect(summary.keep).toHaveLength(5);
    expect(summary.forget).toHaveLength(1092);
  });

  test('nights are counted back from now', async () => {
    const its = place();
    const taken = async (every: string, length: string, now: string): Promise<unknown> => {
      const args = ['--every', every, '--for', length, '--now', now, '--timezone', 'Europe/Berlin'];
      const { summary } = await its.json(['policy', 'simulate', ...args, '--keep-last', '99']);
      const ids = (summary.keep as { id: string }[]).map(({ id }) => id);
      expect(summary.nights).toBe(ids.length);
      return ids;
    };
    expect(await taken('1d', '12h', '2026-11-20T02:00')).toEqual(['2026-11-20T02:00:00+01:00']);
    expect(await taken('1d', '36h', '2026-11-20T02:00')).toEqual([
      '2026-11-19T02:00:00+01:00',
      '2026-11-20T02:00:00+01:00',
    ]);
    expect(await taken('1mo', '3mo', '2026-03-31')).toEqual([
      '2025-12-31T00:00:00+01:00',
      '2026-01-31T00:00:00+01:00',
      '2026-02-28T00:00:00+01:00',
      '2026-03-31T00:00:00+02:00',
    ]);
  });

  test('only what is a day apart is called a night', async () => {
    const its = place();
    const last = async (...args: string[]): Promise<unknown> => {
      const { stdout } = await its.run([
        'policy',
        'simulate',
        '--now',
        '2026-11-20',
        '--keep-last',
        '2',
        ...args,
      ]);
      return stdout.trimEnd().split('\n').at(-1);
    };
    const hourly = await last('--every', '6h', '--for', '2d');
    expect(hourly).toBe('2 left of 9 snapshots after 9 runs of the policy.');
    expect(await last('--every', '2d', '--for', '1d')).toBe(
      '1 left of 1 snapshot after 1 run of the policy.',
    );
    expect(await last('--every', '1d', '--for', '2d')).toBe('2 left of 3 snapshots after 3 nights.');
  });

  test('of given snapshots: from the oldest on, and now once', async () => {
    const its = place();
    const nights = async (now: string): Promise<unknown> => {
      const args = ['--now', now, '--timezone', 'UTC', '--every', '1d', '--keep-last', '1'];
      return (await its.json([...listed(its, THREE), ...args])).summary.nights;
    };
    expect(await nights('2026-11-03T02:00')).toBe(3);
    expect(await nights('2026-11-03T12:00')).toBe(3);
    expect(await nights('2026-11-04T01:00')).toBe(3);
    expect(await nights('2020-01-01')).toBe(1);
  });

  test('levels count: the first is full, the others incr', async () => {
    const { summary } = await place().json(
      'policy simulate --every 1d --for 30d --now 2026-11-20 --dar-style diff=9,incr=2'.split(' '),
    );
    expect((summary.keep as { reasons: string[] }[]).map(({ reasons }) => reasons[0])).toEqual([
      'dar-style full',
      'dar-style incr within 2d',
      'dar-style incr within 2d',
      'dar-style incr within 2d',
    ]);
  });
});

describe('usage errors exit with 2 and say what, where, and what to do', () => {
  async function refused(run: Promise<Run>, message: RegExp): Promise<void> {
    const { code, stdout, stderr } = await run;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^cbr: .+\n.+\n$/);
    expect(stderr).not.toMatch(/\n {4}at /);
  }

  const flags: readonly (readonly [args: string, message: RegExp])[] = [
    ['', /the policy has no rule.*\nSay what to keep/],
    ['--keep-daily 0 --keep-last 0', /the policy has no rule/],
    ['--keep-tag nightly', /tag 'nightly', and there is none/],
    ['--keep-id z', /snapshot 'z', and there is none/],
    ['--keep-daily -1', /--keep-daily.*'-1' is invalid.*from 0/],
    ['--keep-last many', /--keep-last.*from 0/],
    ['--keep-within 5', /--keep-within.*a duration/i],
    ['--keep-within 0d', /--keep-within.*a duration/i],
    ['--keep-within-weekly -3d', /--keep-within-weekly.*a duration/i],
    ['--keep-within 2y5m7d3h', /--keep-within.* m is minutes; months are written mo\. .*1d0h15m/],
    ['--keep-within-yearly 1y6m', /m is minutes; months are written mo\./],
    ['--keep-within 1d1y1h', /in this order, each at most once: y mo w d h m s/],
    ...['daily', 'weekly', 'monthly', 'quarterly', 'yearly'].map((period): [string, RegExp] => [
      `--keep-within-${period} 6m`,
      /a day or longer is expected\. m is minutes; months are written mo\./,
    ]),
    ['--keep-within-daily 23h59m59s', /a day or longer is expected/],
    ['--every 1d6m --keep-last 1', /m is minutes/],
    ['--dar-style diff=30', /--dar-style.*incr is missing/],
    ['--dar-style diff=30,incr=-1', /incr=-1.*from 0/],
    ['--dar-style diff=30,incr=1,full=ever', /full=ever/],
    ['--dar-style diff=30,diff=1', /diff is given twice/],
    ['--round-robin days=6', /All four .*: weeks, months and years are missing; write weeks=0/],
    ['--round-robin days=6,years=1', /: weeks and months are missing; write weeks=0/],
    ['--round-robin days=6,weeks=5,months=6', /: years is missing; write years=0/],
    ['--round-robin days=6,anchor=2026-02-30', /'2026-02-30' is no date/],
    ['--round-robin days=6,weekday=sun', /weekday=sun: 1 \(monday\) to 7 \(sunday\) is expected/],
    ['--round-robin days=6,weeks=5,months=6,years=-1', /years=-1.*from 0/],
    ['--round-robin days=6,weeks=5,months=6,years=1,anchor=2026-02-30', /'2026-02-30' is no date/],
    ['--round-robin days=6,weeks=5,months=6,years=1,weekday=8', /weekday=8: 1 \(monday\) to 7/],
    ...(
      [
        ['weekday=0', /weekday=0: 1 \(monday\) to 7 \(sunday\) is expected/],
        ['month=december', /month=december: 1 \(January\) to 12 \(December\) is expected/],
        ['month=13', /month=13: 1 \(January\) to 12/],
        ['monthday=0', /monthday=0: 1 to 31 is expected/],
        ['monthday=32', /monthday=32: 1 to 31 is expected/],
        ['monthday=1.5', /monthday=1\.5: 1 to 31 is expected/],
      ] as const
    ).map(([day, message]): [string, RegExp] => [
      `--round-robin days=6,weeks=5,months=6,years=1,${day}`,
      message,
    ]),
    ['--round-robin days=6,weeks=5,months=6,years=1,anchor=oldest,month=1', /exclude each other/],
    ['--round-robin days=6,weeks=5,months=6,years=1,mode=near', /exact or nearest/],
    ['--round-robin dais=6', /WORD=VALUE is expected/],
    ['--keep-last 1 --group-by host,user', /host, paths, job, tags/],
    ['--keep-last 1 --timezone Mars/Olympus', /there is no time zone 'Mars\/Olympus'/],
    ['--keep-last 1 --now yesterday', /--now 'yesterday' is no time/],
    ['--keep-last 1 --now 2026-02-30', /--now '2026-02-30' is no time/],
    ['--keep-last 1 --for 3y', /exclude each other/],
    ['--keep-last 1 --every 1s', /applied more than 50000 times/],
  ];

  test.each(flags)('%s', async (args, message) => {
    const its = place();
    await refused(its.run([...listed(its, THREE), ...args.split(' ').filter(Boolean)]), message);
  });

  const files: readonly (readonly [content: unknown, message: RegExp])[] = [
    ['[{"id": "a",]', /list\.json is no JSON: .*position 12/],
    [{ id: 'a' }, /is no JSON array/],
    [[1], /snapshot 1 is no object/],
    [[{ time: '2026-01-01' }], /snapshot 1 has no id/],
    [[{ id: 5, time: '2026-01-01' }], /snapshot 1 has an id that is no text/],
    [[THREE[0], { id: 'b' }], /snapshot 2 has no time/],
    [[{ id: 'a', time: '2026-02-30' }], /snapshot 1 has the time '2026-02-30'/],
    [[{ id: 'a', time: 5 }], /snapshot 1 has a time that is no text/],
    [[{ ...THREE[0], level: 'half' }], /another level than full, diff or incr/],
    [[{ ...THREE[0], tags: 'x' }], /has tags that are no list of texts/],
    [[THREE[0], THREE[0]], /snapshot 2 has the same id as one before, 'a'/],
  ];

  test.each(files)('%j', async (content, message) => {
    const its = place();
    await refused(its.run([...listed(its, content), '--keep-last', '1', ...NOW]), message);
  });

  test('no file, and nothing to simulate', async () => {
    const its = place();
    const run = (args: string): Promise<Run> =>
      its.run(`policy simulate --keep-last 1 ${args}`.trim().split(' '));
    await refused(run('--snapshots absent.json'), /cannot read absent\.json: ENOENT/);
    await refused(run(''), /there is nothing to simulate/);
    await refused(run('--every 1d'), /there is nothing to simulate/);
  });
});
