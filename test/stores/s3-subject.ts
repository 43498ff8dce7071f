import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { inject } from 'vitest';
import {
  type Backend,
  createBackend,
  parseLocation,
  type RetryOptions,
  type StoreOptions,
  withRetry,
} from '../../dist/backends/index.js';
import { S3Backend } from '../../dist/backends/s3/s3-backend.js';
import { s3Client } from '../../dist/backends/s3/s3-client.js';
import { S3Requests } from '../../dist/backends/s3/s3-request.js';
import type { PartSizes } from '../../dist/backends/s3/s3-upload.js';
import { newBucket, type StoreKey, type StoreServer } from '../servers/store-servers.mjs';

/** Repositories in the servers that this project starts. */

export const { gateway, moto } = inject('stores');

/** What the chain of the SDK finds credentials by. */
export function credentials({ accessKeyId, secretAccessKey }: StoreKey): Record<string, string> {
  return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
}

/** For what this process itself asks of a server. */
export function useOwner(server: StoreServer): void {
  Object.assign(process.env, credentials(server.owner));
}

/** Gives each folder of a test a prefix of its own in one bucket. */
export function prefixes(server: StoreServer): (folder: string, endpoint?: string) => Promise<string> {
  let bucket: Promise<string> | undefined;
  return async (folder, endpoint = server.endpoint) => {
    bucket ??= newBucket(server);
    return `s3:${endpoint}/${await bucket}/${basename(folder)}`;
  };
}

/** The backend that the program has, for each folder of a test. */
export function backends(server: StoreServer): (folder: string) => Promise<Backend> {
  const locationOf = prefixes(server);
  return async (folder) => {
    useOwner(server);
    const stagingFolder = join(folder, 'staged');
    return createBackend(parseLocation(await locationOf(folder)), { stagingFolder });
  };
}

interface HastyOptions extends RetryOptions {
  readonly stallMs?: number;
  readonly connections?: number;
  readonly limits?: Pick<StoreOptions, 'limitUpload' | 'limitDownload'>;
  readonly storageClass?: string;
  readonly partSizes?: PartSizes;
}

/** As the program has it, but silent requests are given up soon, and failed ones repeated soon. */
export async function hastyBackend(
  location: string,
  stagingFolder: string,
  { stallMs = 700, connections = 16, limits = {}, storageClass, partSizes, ...retry }: HastyOptions = {},
): Promise<Backend> {
  const parsed = parseLocation(location);
  if (parsed.kind !== 's3') throw new Error(`${location} is not in a store`);
  mkdirSync(stagingFolder, { recursive: true });
  const requests = new S3Requests(await s3Client(parsed, {}, connections), parsed, connections, stallMs);
  const medium = new S3Backend(requests, {
    ...limits,
    concurrency: connections,
    stagingFolder,
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(partSizes === undefined ? {} : { partSizes }),
  });
  return withRetry(medium, {
    attempts: Number.POSITIVE_INFINITY,
    limitMs: 60_000,
    firstPauseMs: 10,
    longestPauseMs: 200,
    ...retry,
  });
}
