import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type Place, place } from '../cli/run.js';
import { type StoreProxy, startStoreProxy } from '../servers/store-proxy.mjs';
import { newBucket } from '../servers/store-servers.mjs';
import { randomContent } from '../snapshot/random-content.js';
import { credentials, moto } from './s3-subject.js';

/** The program on a real server that does not get to see that a name is to be written once. */

const HOUR_MS = 3_600_000;

let proxy: StoreProxy;
beforeAll(async () => {
  proxy = await startStoreProxy(moto.endpoint, { withoutHeaders: ['if-none-match'] });
  return () => proxy.close();
});

function runner(its: Place, location: string) {
  const env = {
    ...credentials(moto.owner),
    AWS_REGION: 'us-east-1',
    CBR_REPO: location,
    CBR_PASSWORD: 'secret',
  };
  return {
    run: (...args: string[]) => its.run(args, { env }),
    json: (...args: string[]) => its.json(args, { env }),
  };
}

test('it is recognised, and a prune waits', { timeout: 300_000 }, async () => {
  const its = place();
  const { run, json } = runner(its, `s3:${proxy.endpoint}/${await newBucket(moto)}/r`);
  const made = await run('init');
  expect(made).toMatchObject({ code: 0 });
  expect(made.stderr).toContain('A second write of a name silently replaces the first.');
  expect(made.stdout).toContain('Its store overwrites silently');
  const doctor = await json('doctor');
  expect(doctor.summary).toMatchObject({ exitCode: 0, config: 1, createOnly: false, waitingPeriod: 86_400 });
  expect(doctor.items).toContainEqual(expect.objectContaining({ thing: 'create-only', state: 'missing' }));
  // Another machine may write a config anew there: none is remembered.
  const caches = readdirSync(its.cache, { recursive: true, encoding: 'utf8' });
  expect(caches.filter((path) => basename(path) === 'opening')).toEqual([]);
  const ending = await run('doctor', '--end-waiting');
  expect(ending.code).toBe(4);
  expect(ending.stdout).toContain(
    '--end-waiting changed nothing: from here the store was not seen to write a name once.',
  );

  mkdirSync(its.source, { recursive: true });
  writeFileSync(join(its.source, 'old'), randomContent(1, 200_000));
  const { summary: first } = await json('snapshot', its.source);
  rmSync(join(its.source, 'old'));
  writeFileSync(join(its.source, 'new'), randomContent(2, 200_000));
  expect(await run('snapshot', its.source)).toMatchObject({ code: 0 });
  expect(await run('forget', first.snapshot as string)).toMatchObject({ code: 0 });
  const waiting = await run('prune', '--max-unused', '0');
  expect(waiting).toMatchObject({ code: 0 });
  expect(waiting.stdout).toMatch(
    /^Nothing was removed yet\.\n\d+ packs? \(.*\) can go at the earliest \d{4}-\d\d-\d\d /,
  );
  expect((await run('prune', '--status')).stdout).toContain('The store overwrites silently');

  proxy.settings.clockShift = 25 * HOUR_MS;
  const swept = await json('prune', '--max-unused', '0');
  proxy.settings.clockShift = 0;
  expect(swept.summary).toMatchObject({ state: 'swept', bytes: { freed: expect.any(Number) } });
  expect((swept.summary.bytes as { freed: number }).freed).toBeGreaterThan(200_000);
  expect(await run('restore', 'latest', '--target', join(its.root, 'target'))).toMatchObject({ code: 0 });
  expect(await run('check', '--read-data')).toMatchObject({ code: 0 });
});

test('one that begins to overwrite is noticed by the next prune, which changes nothing', {
  timeout: 300_000,
}, async () => {
  const its = place();
  const { run, json } = runner(its, `s3:${proxy.endpoint}/${await newBucket(moto)}/r`);
  proxy.settings.withoutHeaders = [];
  expect(await run('init')).toMatchObject({ code: 0, stderr: expect.not.stringContaining('silently') });
  writeFileSync(join(its.source, 'old'), randomContent(1, 200_000));
  const { summary: first } = await json('snapshot', its.source);
  writeFileSync(join(its.source, 'old'), randomContent(2, 200_000));
  expect(await run('snapshot', its.source)).toMatchObject({ code: 0 });
  expect(await run('forget', first.snapshot as string)).toMatchObject({ code: 0 });

  proxy.settings.withoutHeaders = ['if-none-match'];
  const objects = async (): Promise<number> => Number((await json('scrub')).summary.objects);
  const before = await objects();
  const refused = await run('prune', '--max-unused', '0');
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toContain('silently overwrites what is there, and did not when it was tried before');
  expect(refused.stderr).toContain('run cbr doctor');
  expect(await objects()).toBe(before);
  expect((await json('doctor')).summary).toMatchObject({ createOnly: false, waitingPeriod: 86_400 });
  const waiting = await run('prune', '--max-unused', '0');
  expect(waiting).toMatchObject({ code: 0, stdout: expect.stringContaining('can go at the earliest') });
});
