import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type StoreProxy, startStoreProxy } from '../servers/store-proxy.mjs';
import { randomContent } from '../snapshot/random-content.js';
import { isSoak } from '../snapshot/scratch-repository.js';
import { gateway, prefixes } from './s3-subject.js';
import { type StoreProgram, storeProgram } from './store-program.js';

/** A store that does not come back within so many seconds is lost. */
const LIMIT = 3;
/** What else a command does, on a slow machine. */
const SLACK_MS = 40_000;
const SMALL = ['--no-encryption', '--pack-size', '1MiB', '--block-size', '256KiB'];

const locationOf = prefixes(gateway);
let number = 0;

/** A repository with one snapshot, behind a proxy; the source has changed since. */
async function prepared(): Promise<{ its: StoreProgram; proxy: StoreProxy }> {
  const proxy = await startStoreProxy(gateway.endpoint);
  onTestFinished(() => proxy.close());
  const its = storeProgram(await locationOf(`down-${++number}`, proxy.endpoint));
  await its.succeed(['init', ...SMALL]);
  writeFileSync(join(its.source, 'old'), randomContent(1, 100_000));
  await its.succeed(['snapshot', its.source]);
  writeFileSync(join(its.source, 'new'), randomContent(2, 5_000_000));
  return { its, proxy };
}

/** Does something at the first request that writes a pack. */
function atFirstPack(proxy: StoreProxy, action: () => Promise<void>): void {
  let isFirst = true;
  proxy.settings.onRequest = ({ operation, path }) => {
    if (!isFirst || operation !== 'PutObject' || !path.includes('/packs/')) return;
    isFirst = false;
    action();
  };
}

function expectClearError(
  { code, stderr }: { code: number | null; stderr: string },
  proxy: StoreProxy,
): void {
  expect(code, stderr).toBe(1);
  expect(stderr).toContain(`s3:${proxy.endpoint}/`);
  expect(stderr).toContain('nobody answers there');
  // What to do.
  expect(stderr).toContain('run the command again');
  expect(stderr).not.toMatch(/^\s+at /m);
}

test('down from the start: a clear error within the limit', { timeout: 600_000 }, async () => {
  const { its, proxy } = await prepared();
  await proxy.goDown();
  for (const args of [['snapshots'], ['snapshot', its.source]]) {
    const begun = performance.now();
    const ended = await its.run(args, { env: { CBR_RETRY_FOR: String(LIMIT) } });
    expectClearError(ended, proxy);
    expect(performance.now() - begun).toBeLessThan(LIMIT * 1000 + SLACK_MS);
  }
});

test('down for good in the middle of a snapshot: a clear error within the limit, and the next one succeeds', {
  timeout: 600_000,
}, async () => {
  const { its, proxy } = await prepared();
  atFirstPack(proxy, () => proxy.goDown());
  const begun = performance.now();
  const ended = await its.run(['snapshot', its.source], { env: { CBR_RETRY_FOR: String(LIMIT) } });
  expectClearError(ended, proxy);
  expect(performance.now() - begun).toBeLessThan(2 * LIMIT * 1000 + SLACK_MS);
  await proxy.comeBack();
  await its.succeed(['snapshot', its.source]);
  await its.succeed(['check', '--read-data']);
  expect((await its.succeed(['snapshots', '--json'])).stdout.match(/"type":"item"/g)).toHaveLength(2);
});

test('down for a moment: nobody notices', { timeout: 600_000 }, async () => {
  const { its, proxy } = await prepared();
  atFirstPack(proxy, async () => {
    await proxy.goDown();
    await setTimeout(1500);
    await proxy.comeBack();
  });
  const { stderr } = await its.succeed(['snapshot', its.source]);
  expect(stderr).toBe('');
  await its.succeed(['check', '--read-data']);
});

// Its limit for a silent request is a minute.
if (isSoak) {
  test('silent for good: a clear error', async () => {
    const { its, proxy } = await prepared();
    proxy.settings.faults = () => ({ kind: 'silence' });
    const { code, stderr } = await its.run(['snapshots'], { env: { CBR_RETRY_FOR: String(LIMIT) } });
    expect(code).toBe(1);
    expect(stderr).toContain('silent');
  });
}
