import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import {
  newBucket,
  newUser,
  type StoreKey,
  type StoreServer,
  storeClient,
} from '../servers/store-servers.mjs';

const { gateway, moto } = inject('stores');

function clientOf(server: StoreServer, key?: StoreKey) {
  const client = storeClient(server, key);
  onTestFinished(() => client.destroy());
  return client;
}

describe.each([gateway, moto])('$name', (server) => {
  test('keeps an object, lists it, and makes one name once', async () => {
    const client = clientOf(server);
    const Bucket = await newBucket(server);
    const put = () =>
      client.send(new PutObjectCommand({ Bucket, Key: 'folder/name', Body: 'bytes', IfNoneMatch: '*' }));
    await put();
    const { Contents } = await client.send(new ListObjectsV2Command({ Bucket }));
    expect(Contents?.map(({ Key, Size }) => [Key, Size])).toEqual([['folder/name', 5]]);
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'folder/name' }));
    expect(await Body?.transformToString()).toBe('bytes');
    await expect(put()).rejects.toMatchObject({ $metadata: { httpStatusCode: 412 } });
  });
});

test('the gateway refuses keys that it does not know, and users in the buckets of others', async () => {
  const Bucket = await newBucket(gateway);
  const list = (key: StoreKey) => clientOf(gateway, key).send(new ListObjectsV2Command({ Bucket }));
  const user = await newUser(gateway);
  await expect(list(user)).rejects.toMatchObject({ name: 'AccessDenied' });
  await expect(list({ ...user, secretAccessKey: 'guessed' })).rejects.toMatchObject({
    name: 'SignatureDoesNotMatch',
  });
  const own = await newBucket(gateway, user);
  const { KeyCount } = await clientOf(gateway, user).send(new ListObjectsV2Command({ Bucket: own }));
  expect(KeyCount).toBe(0);
});
