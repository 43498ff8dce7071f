import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { place } from './run.js';

test('mirror makes a repository that opens with the same password, and says what it does', async () => {
  const its = place();
  const env = { CBR_PASSWORD: 'secret' };
  const mirror = join(its.root, 'mirror');
  await its.run(['init'], { env });
  writeFileSync(join(its.source, 'file'), 'content');
  await its.run(['snapshot', its.source], { env });

  const planned = await its.run(['mirror', '--to', mirror, '--dry-run']);
  expect(planned).toMatchObject({ code: 0, stderr: '' });
  expect(planned.stdout).toMatch(/^Would copy 6 objects \(.*\) to .*mirror; 0 objects there already\.\n$/);
  expect(existsSync(mirror)).toBe(false);
  const { code, summary } = await its.json(['mirror', '--to', mirror, '--no-progress']);
  expect(code).toBe(0);
  expect(summary).toMatchObject({
    command: 'mirror',
    target: mirror,
    copied: { objects: 6 },
    present: 0,
    waiting: 0,
    damaged: 0,
    lost: 0,
    targetTraffic: { write: { calls: 7 } },
  });
  const restored = join(its.root, 'restored');
  const restore = ['restore', `latest:${its.source}`, '--target', restored, '-r', mirror];
  expect(await its.run(restore, { env })).toMatchObject({ code: 0 });
  expect(existsSync(join(restored, 'file'))).toBe(true);

  rmSync(join(its.repo, 'snapshots'), { recursive: true });
  const lost = await its.json(['mirror', '--to', mirror, '--no-progress']);
  expect(lost.code).toBe(4);
  expect(lost.problems).toMatchObject([{ severity: 'error', code: 'lost' }]);
  expect(await its.run(['snapshots', '-r', mirror], { env })).toMatchObject({ code: 0 });
  await its.run(['snapshot', its.source, '-r', mirror], { env });
  const refused = await its.run(['mirror', '--to', mirror]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('was written to by something else than the mirror');
  expect(await its.run(['mirror', '--to', its.repo])).toMatchObject({ code: 2 });
});
