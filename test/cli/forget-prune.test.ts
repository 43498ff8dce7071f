import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { everything, left, THREE, take, taken } from './taken.js';

describe('with --prune', () => {
  test('a dry run tells what the prune would do without what would be forgotten', async () => {
    const { its, ids } = await taken(THREE[0]);
    writeFileSync(join(its.source, 'file'), Buffer.alloc(300_000, 'another content'));
    ids.push(await take(its, THREE[1]));
    const before = everything(its);
    const { summary } = await its.json(['forget', ids[1]!, '--prune', '--dry-run']);
    expect(summary).toMatchObject({
      forget: [{ id: ids[1] }],
      dryRun: true,
      prune: { state: 'planned', snapshots: 1 },
    });
    expect((summary.prune as { packs: { removed: number } }).packs.removed).toBeGreaterThan(0);
    const { stdout } = await its.run(['forget', '--keep-last', '1', '--prune', '--dry-run']);
    expect(stdout).toMatch(
      /1 would be forgotten\.\nWould remove \d+ packs? and rewrite .* stored\.\n.* would stay, /,
    );
    expect(everything(its)).toEqual(before);
  });

  test('its limits are those of cbr prune, and mean nothing without it', async () => {
    const { its } = await taken(...THREE);
    const alone = await its.run(['forget', '--keep-last', '1', '--max-unused', '10%']);
    expect(alone.code).toBe(2);
    expect(alone.stderr).toMatch(/--max-unused says how to prune, and nothing is pruned without --prune/);
    expect(await left(its)).toHaveLength(3);
    const flags = ['--prune', '--wait', '--max-unused', '0', '--max-repack', '1GiB'];
    const { summary } = await its.json(['forget', '--keep-last', '1', ...flags]);
    expect(summary).toMatchObject({ exitCode: 0, prune: { state: 'swept', bytes: { unused: 0 } } });
  });

  test('what was forgotten is told also when the prune cannot be done', async () => {
    const { its, ids } = await taken(...THREE);
    // Another one, of which nothing was heard yet.
    writeFileSync(join(its.repo, 'leases', 'junk'), '');
    mkdirSync(join(its.repo, 'leases', 'prune'), { recursive: true });
    writeFileSync(join(its.repo, 'leases', 'prune', '1'), 'junk');
    const { code, summary } = await its.json(['forget', ids[0]!, '--prune']);
    expect(code).toBe(4);
    expect(summary).toMatchObject({ exitCode: 4, forget: [{ id: ids[0] }], error: { code: 'damaged' } });
    expect(await left(its)).toEqual([ids[1], ids[2]]);
  });
});
