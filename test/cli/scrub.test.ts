import { chmodSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { plainPlace } from './run.js';

test('scrub says what is damaged and what to do, and needs no password', async () => {
  const its = await plainPlace();
  writeFileSync(join(its.source, 'file'), 'content');
  await its.run(['snapshot', its.source]);
  const whole = await its.run(['scrub']);
  expect(whole).toMatchObject({ code: 0, stderr: '' });
  expect(whole.stdout).toMatch(/^Read \d+ objects, .*\nEach of them is as it was written\.\n$/);

  const packs = readdirSync(join(its.repo, 'packs'), { recursive: true, encoding: 'utf8' });
  const pack = packs.filter((path) => path.includes('/'))[0]!;
  chmodSync(join(its.repo, 'packs', pack), 0o600);
  truncateSync(join(its.repo, 'packs', pack), 100);
  writeFileSync(join(its.repo, 'snapshots/notes.txt'), 'of somebody');
  const { code, problems, summary } = await its.json(['scrub', '--no-progress']);
  expect(code).toBe(4);
  expect(problems).toMatchObject([
    { severity: 'warning', code: 'stranger', object: 'snapshots/notes.txt' },
    { severity: 'error', code: 'damaged', object: `packs/${pack}`, hint: expect.stringContaining('mirror') },
  ]);
  expect(summary).toMatchObject({ command: 'scrub', damaged: 1, strangers: 1, gone: 0, exitCode: 4 });
});
