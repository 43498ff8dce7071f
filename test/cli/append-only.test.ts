import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { plainPlace } from './run.js';

test('with --append-only, or the variable, snapshots are taken and nothing is forgotten', async () => {
  const its = await plainPlace();
  writeFileSync(join(its.source, 'file'), 'content');
  expect(await its.run(['snapshot', its.source, '--append-only'])).toMatchObject({ code: 0 });
  const env = { CBR_APPEND_ONLY: '1' };
  expect(await its.run(['snapshot', its.source], { env })).toMatchObject({ code: 0, stderr: '' });
  expect(readdirSync(join(its.repo, 'sessions'))).toHaveLength(2);
  expect((await its.run(['sessions'])).stdout).toBe('Nobody is writing.\n');
  for (const args of [
    ['forget', 'latest'],
    ['forget', '--keep-last', '1'],
    ['prune'],
    ['rewrite', '--all', '--exclude', 'x', '--forget'],
  ]) {
    const { code, stderr } = await its.run(args, { env });
    expect(code, args.join(' ')).toBe(1);
    expect(stderr).toContain('is opened for adding only');
  }
  expect(readdirSync(join(its.repo, 'forgotten'))).toEqual([]);
  expect(await its.run(['forget', '--keep-last', '1', '--dry-run'], { env })).toMatchObject({ code: 0 });
  expect(await its.run(['prune'])).toMatchObject({ code: 0 });
  expect(readdirSync(join(its.repo, 'sessions'))).toEqual([]);
  expect(await its.run(['snapshots'], { env: { CBR_APPEND_ONLY: 'perhaps' } })).toMatchObject({ code: 2 });
});
