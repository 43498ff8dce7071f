import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createBackend, parseLocation } from '../../dist/backends/index.js';
import { scratchFolders } from '../backends/scratch.js';
import { newBucket, storeClient } from '../servers/store-servers.mjs';

const { moto } = inject('stores');
const newFolder = scratchFolders();

test('only content gets the storage class, and everything is encrypted by the store', async () => {
  process.env.AWS_ACCESS_KEY_ID = moto.owner.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = moto.owner.secretAccessKey;
  const bucket = await newBucket(moto);
  const location = parseLocation(`s3:${moto.endpoint}/${bucket}/a?storage-class=STANDARD_IA&sse=AES256`);
  const backend = await createBackend(location, { stagingFolder: await newFolder() });
  const client = storeClient(moto);
  onTestFinished(async () => {
    client.destroy();
    await backend.close();
  });
  const bytes = Buffer.from('bytes');
  await backend.write('packs', 'aa00', bytes, { isCold: true });
  await backend.write('packs', 'bb00', bytes, { isCold: false });
  await backend.write('index', 'cc00', bytes);
  const headOf = async (key: string) => {
    const { StorageClass, ServerSideEncryption } = await client.send(
      new HeadObjectCommand({ Bucket: bucket, Key: `a/${key}` }),
    );
    return [StorageClass ?? 'STANDARD', ServerSideEncryption];
  };
  expect(await headOf('packs/aa/aa00')).toEqual(['STANDARD_IA', 'AES256']);
  expect(await headOf('packs/bb/bb00')).toEqual(['STANDARD', 'AES256']);
  expect(await headOf('index/cc00')).toEqual(['STANDARD', 'AES256']);
});
