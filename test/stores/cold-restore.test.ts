import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ListObjectsV2Command, RestoreObjectCommand } from '@aws-sdk/client-s3';
import { expect, onTestFinished, test } from 'vitest';
import { place } from '../cli/run.js';
import { newBucket, storeClient } from '../servers/store-servers.mjs';
import { randomContent } from '../snapshot/random-content.js';
import { credentials, moto } from './s3-subject.js';

test('content in a cold class is read after the store was told to bring it back, and until then the error says so', async () => {
  const its = place();
  const Bucket = await newBucket(moto);
  const env = {
    CBR_REPO: `s3:${moto.endpoint}/${Bucket}/r?storage-class=GLACIER`,
    ...credentials(moto.owner),
  };
  const run = (...args: string[]) => its.run(args, { env });
  const content = randomContent(1, 300_000);
  expect(await run('init', '--no-encryption')).toMatchObject({ code: 0 });
  writeFileSync(join(its.source, 'file'), content);
  expect(await run('snapshot', its.source)).toMatchObject({ code: 0 });
  // Packs with content are cold, and nothing else is: whatever needs no content goes on.
  writeFileSync(join(its.source, 'more'), 'more');
  expect(await run('snapshot', its.source)).toMatchObject({ code: 0, stderr: '' });
  for (const command of ['snapshots', 'check'])
    expect(await run(command), command).toMatchObject({ code: 0 });
  expect((await run('ls', `latest:${its.source}`)).stdout).toContain('file');

  const target = (name: string) => join(its.root, name);
  const refused = await run('restore', `latest:${its.source}`, '--target', target('refused'));
  expect(refused.code).toBeGreaterThan(0);
  expect(refused.stderr).toContain(
    'in a cold storage class, from which the store must bring it back first (RestoreObject)',
  );

  const client = storeClient(moto);
  onTestFinished(() => client.destroy());
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
  const cold = Contents.filter(({ StorageClass }) => StorageClass === 'GLACIER');
  expect(cold.length).toBeGreaterThan(0);
  for (const { Key } of cold) {
    expect(Key).toMatch(/^r\/packs\//);
    await client.send(new RestoreObjectCommand({ Bucket, Key, RestoreRequest: { Days: 1 } }));
  }
  const restored = await run('restore', `latest:${its.source}`, '--target', target('restored'));
  expect(restored).toMatchObject({ code: 0, stderr: '' });
  expect(content.equals(readFileSync(join(target('restored'), 'file')))).toBe(true);
}, 120_000);
