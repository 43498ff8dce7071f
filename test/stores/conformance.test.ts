import { basename } from 'node:path';
import { inject } from 'vitest';
import { type Backend, createBackend, parseLocation } from '../../dist/backends/index.js';
import { conformance } from '../backends/conformance.js';
import { newBucket, type StoreServer } from '../servers/store-servers.mjs';

const { gateway, moto } = inject('stores');

for (const server of [gateway, moto]) {
  const bucket = newBucket(server);
  conformance(`S3, ${server.name}`, (folder) => openStore(server, bucket, folder));
}

/** A repository's place of its own for each test. */
async function openStore(server: StoreServer, bucket: Promise<string>, folder: string): Promise<Backend> {
  process.env.AWS_ACCESS_KEY_ID = server.owner.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = server.owner.secretAccessKey;
  const location = parseLocation(`s3:${server.endpoint}/${await bucket}/${basename(folder)}`);
  return createBackend(location, { stagingFolder: `${folder}/staging` });
}
