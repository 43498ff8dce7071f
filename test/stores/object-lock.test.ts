import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DeleteObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectLockConfigurationCommand,
} from '@aws-sdk/client-s3';
import { expect, onTestFinished, test } from 'vitest';
import { place } from '../cli/run.js';
import { newBucket, storeClient } from '../servers/store-servers.mjs';
import { randomContent } from '../snapshot/random-content.js';
import { credentials, moto } from './s3-subject.js';

test('a bucket that locks what is new: doctor says what it means, and a prune does what it says', async () => {
  const its = place();
  const client = storeClient(moto);
  onTestFinished(() => client.destroy());
  const locking = () => newBucket(moto, moto.owner, { objectLock: true });
  const envOf = (bucket: string) => ({
    CBR_REPO: `s3:${moto.endpoint}/${bucket}/r`,
    ...credentials(moto.owner),
  });
  const able = await its.run(['doctor'], { env: envOf(await locking()) });
  expect(able.stdout).toContain('Objects can be locked, and are not by default.');

  const Bucket = await locking();
  const env = envOf(Bucket);
  const run = (...args: string[]) => its.run(args, { env });
  await client.send(
    new PutObjectLockConfigurationCommand({
      Bucket,
      ObjectLockConfiguration: {
        ObjectLockEnabled: 'Enabled',
        Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 1 } },
      },
    }),
  );
  const init = await run('init', '--no-encryption');
  expect(init).toMatchObject({ code: 0 });
  const meaning =
    'New objects are locked for 1 day (compliance): until then what a prune removes stays, and is paid for.';
  expect(init.stderr).toContain(meaning);
  const doctor = await its.json(['doctor'], { env });
  expect(doctor.items).toContainEqual(
    expect.objectContaining({ thing: 'object-lock', severity: 'warning', message: meaning }),
  );

  writeFileSync(join(its.source, 'old'), randomContent(1, 300_000));
  expect(await run('snapshot', its.source)).toMatchObject({ code: 0 });
  const list = new ListObjectsV2Command({ Bucket, Prefix: 'r/packs/' });
  const before = ((await client.send(list)).Contents ?? []).map(({ Key }) => Key);
  rmSync(join(its.source, 'old'));
  writeFileSync(join(its.source, 'new'), randomContent(2, 300_000));
  expect(await run('snapshot', its.source)).toMatchObject({ code: 0, stderr: '' });
  expect(await run('forget', '--keep-last', '1')).toMatchObject({ code: 0 });
  expect(await run('prune', '--max-unused', '0')).toMatchObject({ code: 0 });
  expect(await run('check', '--read-data')).toMatchObject({ code: 0 });

  // Gone for cbr, and there all the same: nobody can remove it before its time.
  const after = new Set(((await client.send(list)).Contents ?? []).map(({ Key }) => Key));
  const [pruned] = before.filter((key) => !after.has(key));
  expect(pruned).toBeDefined();
  const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: pruned }));
  expect(Versions).toMatchObject([{ Key: pruned }]);
  const removal = new DeleteObjectCommand({ Bucket, Key: pruned, VersionId: Versions[0]!.VersionId });
  await expect(client.send(removal)).rejects.toMatchObject({ name: 'AccessDenied' });
}, 120_000);
