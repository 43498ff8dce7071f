import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { changeStoredPolicies, openRepository, type PoliciesRecord } from '../../dist/repo/index.js';
import type { Place, RunOptions } from './run.js';
import { left, objects, THREE, taken, ZONED } from './taken.js';

type PolicyRule = PoliciesRecord['rules'][number];

/** Stores a policy as an earlier version would have, whatever its values are. */
async function storeRules(its: Place, rules: readonly PolicyRule[]): Promise<void> {
  const repository = await openRepository({
    location: its.repo,
    password: () => Promise.reject(new Error('not encrypted')),
    cacheRoot: join(its.root, 'library'),
    portable: false,
    host: 'here',
    now: () => Date.now(),
    report: () => undefined,
  });
  try {
    await changeStoredPolicies(repository, () => ({ rules, anchors: [] }), 'me', 1);
  } finally {
    await repository.close();
  }
}

describe('a stored policy', () => {
  test('is used where no other is given, and can be shown, replaced and removed', async () => {
    const { its, ids } = await taken(...THREE);
    const none = await its.run(['forget']);
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toMatch(/no policy is stored.*\n.*cbr policy set/);
    expect(await its.run(['policy', 'show'])).toMatchObject({ code: 0, stdout: 'No policy is stored.\n' });
    const first = ['--keep-last', '5', '--keep-last', '2', '--keep-tag', "it's two", '--keep-tag', 'x'];
    const set = await its.run(['policy', 'set', ...first, ...ZONED]);
    const text = `--keep-last 2 --keep-tag 'it'\\''s two' --keep-tag x --timezone UTC`;
    expect(set).toMatchObject({ code: 0, stdout: `Stored: ${text}\n` });
    expect((await its.run(['policy', 'show'])).stdout).toContain(`Policy   ${text}\n`);
    const { summary } = await its.json(['policy', 'set', '--keep-last', '2', ...ZONED]);
    const rules = [
      { name: 'keep-last', value: '2' },
      { name: 'timezone', value: 'UTC' },
    ];
    expect(summary).toMatchObject({ number: 2, rules });
    expect((await its.json(['policy', 'show'])).summary).toMatchObject({ number: 2, rules, anchors: [] });
    expect((await its.json(['forget'])).summary).toMatchObject({ forget: [{ id: ids[0] }] });
    // What is given counts alone.
    expect((await its.json(['forget', '--keep-last', '9'])).summary).toMatchObject({ forget: [] });
    expect((await its.run(['policy', 'set', '--remove'])).stdout).toBe('No policy is stored any more.\n');
    expect((await its.run(['forget'])).code).toBe(2);
    expect(objects(its, 'policies')).toEqual(['1', '2', '3']);
  });

  test('has the zone of the machine that stored it; the word local is that of each machine', async () => {
    // In Berlin the second lies on the next day.
    const { its } = await taken('2026-01-05T22:30Z', '2026-01-05T23:30Z', '2026-01-07T02:00Z');
    const [east, west] = [{ env: { TZ: 'Europe/Berlin' } }, { env: { TZ: 'America/New_York' } }];
    const kept = async (options: RunOptions): Promise<number> => {
      const { summary } = await its.json(['forget', '--dry-run'], options);
      return (summary.keep as unknown[]).length;
    };
    const set = ['policy', 'set', '--keep-daily', '9'];
    expect((await its.run(set, east)).stdout).toBe('Stored: --keep-daily 9 --timezone Europe/Berlin\n');
    expect([await kept(east), await kept(west)]).toEqual([3, 3]);
    const local = await its.run([...set, '--timezone', 'local'], east);
    expect(local.stdout).toBe('Stored: --keep-daily 9 --timezone local\n');
    expect([await kept(east), await kept(west)]).toEqual([3, 2]);
    await storeRules(its, [{ name: 'keep-daily', value: '9' }]);
    expect([await kept(east), await kept(west)]).toEqual([3, 2]);
  });

  test('with a tag or an id that no snapshot has is stored with a warning', async () => {
    const { its, ids } = await taken(THREE[0]);
    await its.run(['snapshot', its.source, '--tag', 'x']);
    const good = await its.run(['policy', 'set', '--keep-tag', 'x', '--keep-id', ids[0]!.slice(0, 12)]);
    expect(good).toMatchObject({ code: 0, stderr: '' });
    const args = ['policy', 'set', '--keep-tag', 'x', '--keep-tag', 'no\u001b[31m', '--keep-id', 'zzz'];
    const { code, stderr, stdout } = await its.run(args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Stored: --keep-tag x --keep-tag /);
    expect(stderr).toMatch(
      /^cbr: the policy keeps snapshots with the tag 'no\\x1b\[31m', and there is none: cbr forget will refuse it\n {2}Correct.*\ncbr: the policy keeps the snapshot 'zzz', and there is none: .*\n.*\n$/,
    );
    const { summary, problems } = await its.json(args);
    expect(summary).toMatchObject({ exitCode: 0, warnings: 2, number: 3 });
    expect(problems).toMatchObject([{ severity: 'warning', code: 'refused' }, { code: 'refused' }]);
    const refused = await its.run(['forget']);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(
      /^cbr: the policy keeps snapshots with the tag 'no\\x1b\[31m', and there is none\n/,
    );
    expect(await left(its)).toHaveLength(2);
  });

  test('with a value that is refused now forgets nothing, can be shown, and is stored again', async () => {
    const { its, ids } = await taken(...THREE);
    for (const [name, value] of [
      ['keep-within-daily', '6m'],
      ['keep-within', '1y6m'],
    ] as const) {
      await storeRules(its, [{ name, value }]);
      expect((await its.run(['policy', 'show'])).stdout).toContain(`Policy   --${name} ${value}\n`);
      const { code, stdout, stderr } = await its.run(['forget']);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/policies\/\d: the stored policy is not understood: .*m is minutes; months are/);
      expect(stderr).toMatch(/\nStore it again as it is meant: cbr policy set/);
      expect(await left(its)).toEqual(ids);
      expect((await its.run(['policy', 'set', '--keep-last', '9'])).code).toBe(0);
      expect((await its.json(['forget'])).summary).toMatchObject({ forget: [] });
    }
  });

  test('that cannot be opened is not replaced by an older one, but by a new one', async () => {
    const { its } = await taken(THREE[0]);
    await its.run(['policy', 'set', '--keep-last', '1']);
    writeFileSync(join(its.repo, 'policies/2'), 'no record');
    for (const args of [['forget'], ['policy', 'show']]) {
      const { code, stderr } = await its.run(args);
      expect(code).toBe(4);
      expect(stderr).toMatch(/policies\/2: cannot be opened/);
    }
    expect((await its.run(['forget', '--keep-last', '1'])).code).toBe(0);
    expect((await its.run(['policy', 'set', '--keep-last', '3'])).code).toBe(0);
    expect((await its.json(['policy', 'show'])).summary).toMatchObject({ number: 3 });
  });
});
