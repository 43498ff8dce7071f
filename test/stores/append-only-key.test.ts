import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { expect, onTestFinished, test } from 'vitest';
import { place } from '../cli/run.js';
import { newBucket, newUser, type StoreKey, storeClient } from '../servers/store-servers.mjs';
import { credentials, gateway } from './s3-subject.js';

/** The policy of docs/s3.md, for a store that has no condition against overwriting. */
function policyOf(bucket: string, userId: string): string {
  const Principal = { AWS: [`arn:aws:iam:::user/${userId}`] };
  const keys = (folder: string): string => `arn:aws:s3:::${bucket}/cbr/${folder}*`;
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      // What a user stores is the user's: the owner of the bucket may read it only because this says so.
      {
        Effect: 'Allow',
        Principal: { AWS: ['arn:aws:iam:::user/owner'] },
        Action: ['s3:*'],
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      },
      { Effect: 'Allow', Principal, Action: ['s3:ListBucket'], Resource: [`arn:aws:s3:::${bucket}`] },
      { Effect: 'Allow', Principal, Action: ['s3:GetObject'], Resource: [keys('')] },
      {
        Effect: 'Allow',
        Principal,
        Action: ['s3:PutObject'],
        Resource: ['packs/', 'index/', 'snapshots/', 'sessions/'].map(keys),
      },
    ],
  });
}

test('a thief with a key that may only add takes nothing away that the owner cannot bring back', async () => {
  const its = place();
  const bucket = await newBucket(gateway);
  const repo = `s3:${gateway.endpoint}/${bucket}/cbr`;
  const user = await newUser(gateway);
  const clientOf = (key: StoreKey) => {
    const client = storeClient(gateway, key);
    onTestFinished(() => client.destroy());
    return client;
  };
  const owner = clientOf(gateway.owner);
  await owner.send(
    new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }),
  );
  await owner.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: policyOf(bucket, user.userId) }));
  const env = (key: StoreKey) => ({ CBR_REPO: repo, CBR_PASSWORD: 'secret', ...credentials(key) });
  const asOwner = (args: string[]) => its.run(args, { env: env(gateway.owner) });
  const asMachine = (args: string[]) => its.run(args, { env: { ...env(user), CBR_APPEND_ONLY: '1' } });

  // The machine does its work.
  // Where there are versions, this gateway does not keep a name from being written twice: it is recognised.
  expect(await asOwner(['init'])).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('A second write of a name silently replaces the first.'),
  });
  writeFileSync(join(its.source, 'file'), 'content');
  expect(await asMachine(['snapshot', its.source])).toMatchObject({ code: 0, stderr: '' });
  writeFileSync(join(its.source, 'file'), 'later');
  // Also without a word about it: the store refuses to clear up, and that stops nothing.
  expect(await its.run(['snapshot', its.source], { env: env(user) })).toMatchObject({ code: 0, stderr: '' });
  const restored = join(its.root, 'restored');
  const restore = ['restore', `latest:${its.source}`, '--target', restored];
  expect(await asMachine(restore)).toMatchObject({ code: 0 });
  expect(readFileSync(join(restored, 'file'), 'utf8')).toBe('later');

  // The thief can delete nothing, and forget nothing.
  const thief = clientOf(user);
  const listed = await thief.send(new ListObjectsV2Command({ Bucket: bucket }));
  const names = (listed.Contents ?? []).map(({ Key = '' }) => Key);
  const pack = names.find((key) => key.startsWith('cbr/packs/'))!;
  const snapshot = names.find((key) => key.startsWith('cbr/snapshots/'))!;
  const denied = { name: 'AccessDenied' };
  for (const Key of names) {
    await expect(thief.send(new DeleteObjectCommand({ Bucket: bucket, Key }))).rejects.toMatchObject(denied);
  }
  const many = { Objects: names.map((Key) => ({ Key })) };
  const deletion = await thief.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: many })).then(
    ({ Errors = [] }) => Errors.map(({ Code }) => Code),
    (error: Error) => [error.name],
  );
  expect(new Set(deletion)).toEqual(new Set(['AccessDenied']));
  await expect(thief.send(new DeleteBucketCommand({ Bucket: bucket }))).rejects.toMatchObject(denied);
  const forgotten = snapshot.replace('snapshots', 'forgotten');
  for (const Key of [forgotten, 'cbr/config/2', 'cbr/leases/prune/9', 'cbr/marks/9', 'elsewhere']) {
    const put = new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' });
    await expect(thief.send(put), Key).rejects.toMatchObject(denied);
  }

  // He can put other bytes over what is there: the old ones are an older version, which he cannot remove.
  for (const Key of [pack, snapshot]) {
    await thief.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'ransom' }));
  }
  expect(await asOwner(['scrub'])).toMatchObject({ code: 4 });
  const { Versions = [] } = await owner.send(new ListObjectVersionsCommand({ Bucket: bucket }));
  const old = Versions.find(({ Key, IsLatest }) => Key === pack && IsLatest !== true)!;
  const removal = { Bucket: bucket, Key: pack, VersionId: old.VersionId };
  await expect(thief.send(new DeleteObjectCommand(removal))).rejects.toMatchObject(denied);

  // The owner removes the versions that came last, of names that were only ever to be written once.
  for (const { Key, VersionId, IsLatest } of Versions) {
    const isOver = IsLatest === true && (Key === pack || Key === snapshot);
    if (isOver) await owner.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }));
  }
  expect(await asOwner(['scrub'])).toMatchObject({ code: 0 });
  expect(await asOwner(['check', '--read-data'])).toMatchObject({ code: 0 });
  expect(await asOwner(['prune'])).toMatchObject({ code: 0 });
  const left = await owner.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'cbr/sessions/' }));
  expect(left.KeyCount).toBe(0);
}, 180_000);
