import { mkdir } from 'node:fs/promises';
import { CreateBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { BackendError, CbrError } from '../../core/index.js';
import { type Backend, OBJECT_KINDS } from '../backend.js';
import { withRetry } from '../retry.js';
import type { StoreOptions } from '../store-options.js';
import { S3Backend } from './s3-backend.js';
import { s3Client } from './s3-client.js';
import { oneLine } from './s3-errors.js';
import type { S3Location } from './s3-location.js';
import { S3Requests } from './s3-request.js';

/** Requests at the same time; see bench/S3.md for what fewer and more did. */
const CONNECTIONS = 16;

/** A store that comes back within this is waited for. */
const RETRY_SECONDS = 120;
/** Until its first answer it is waited for less: a location that is wrong is told soon. */
const FIRST_RETRY_SECONDS = 10;

export interface S3Settings {
  readonly stagingFolder: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Told when a request has failed and will be repeated. */
  readonly report?: (message: string) => void;
  /** For tests: when a request of which nothing moves is given up, in milliseconds. */
  readonly stallMs?: number;
}

/** The repository at the location; asks nothing of the store yet. Rejects with `usage` as `s3Client`. */
export async function openS3Backend(
  location: S3Location,
  options: StoreOptions,
  settings: S3Settings,
): Promise<Backend> {
  const requests = await requestsOf(location, options, settings);
  // Who only reads needs none; who writes is told by what is staged there.
  await mkdir(settings.stagingFolder, { recursive: true, mode: 0o700 }).catch(() => undefined);
  const { connections = CONNECTIONS, retryFor = RETRY_SECONDS } = options;
  const medium = new S3Backend(requests, {
    ...options,
    concurrency: connections,
    stagingFolder: settings.stagingFolder,
    ...(settings.now === undefined ? {} : { now: settings.now }),
  });
  return withRetry(medium, {
    attempts: Number.POSITIVE_INFINITY,
    limitMs: retryFor * 1000,
    firstLimitMs: Math.min(retryFor, FIRST_RETRY_SECONDS) * 1000,
    ...(settings.report === undefined ? {} : { report: settings.report }),
  });
}

/**
 * Rejects with 'repository-exists' when there is one, with 'not-a-repository' when the prefix holds anything else, BackendError
 * when the store cannot be asked. A bucket that does not exist is made by `makeBucket`.
 */
export async function checkNewS3Backend(
  location: S3Location,
  options: StoreOptions,
  settings: S3Settings,
): Promise<void> {
  await usingRequests(location, options, settings, async (requests) => {
    const { bucket, prefix, text } = location;
    const page = await requests
      .run(`cannot look at ${text}`, {}, ({ signal }) =>
        requests.client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1000 }), {
          abortSignal: signal,
        }),
      )
      .catch((error: unknown) => {
        if (isNoBucket(error)) return undefined;
        throw error;
      });
    const found = (page?.Contents ?? []).map(({ Key = '' }) => Key.slice(prefix.length));
    if (found.some((key) => key.startsWith('config/'))) {
      throw new CbrError('repository-exists', `there is a repository at ${text} already`, {
        hint: 'use it, or choose another prefix for the new one',
      });
    }
    const kinds: readonly string[] = OBJECT_KINDS.filter((kind) => kind !== 'keys' && kind !== 'parity');
    // Keys alone are what an init leaves that was killed: they open nothing, and the new config knows its own.
    const strange = found.filter((key) => !/^(keys|parity)\//.test(key));
    if (strange.length === 0) return;
    const what = strange.some((key) => kinds.includes(key.split('/')[0]!))
      ? 'objects but no config'
      : 'other things';
    throw new CbrError(
      'not-a-repository',
      `${text} is not a repository: it holds ${what} (${oneLine(strange[0]!, 200)})`,
      {
        hint: 'name a prefix of its own behind the bucket',
      },
    );
  });
}

/** Makes the bucket when there is none; true when it did. */
export async function makeBucket(
  location: S3Location,
  options: StoreOptions,
  settings: S3Settings,
): Promise<boolean> {
  return usingRequests(location, options, settings, async (requests) => {
    const { bucket, text } = location;
    try {
      await requests.run(`cannot look at ${text}`, {}, ({ signal }) =>
        requests.client.send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }), {
          abortSignal: signal,
        }),
      );
      return false;
    } catch (error) {
      if (!isNoBucket(error)) throw error;
    }
    await requests.run(`cannot make the bucket ${bucket}`, {}, ({ signal }) =>
      requests.client.send(new CreateBucketCommand({ Bucket: bucket }), { abortSignal: signal }),
    );
    return true;
  });
}

function isNoBucket(error: unknown): boolean {
  return (
    error instanceof BackendError && (error.cause as { name?: unknown } | undefined)?.name === 'NoSuchBucket'
  );
}

async function requestsOf(
  location: S3Location,
  options: StoreOptions,
  settings: S3Settings,
): Promise<S3Requests> {
  const { connections = CONNECTIONS } = options;
  return new S3Requests(
    await s3Client(location, options, connections),
    location,
    connections,
    settings.stallMs,
  );
}

async function usingRequests<T>(
  location: S3Location,
  options: StoreOptions,
  settings: S3Settings,
  use: (requests: S3Requests) => Promise<T>,
): Promise<T> {
  const requests = await requestsOf(location, options, settings);
  try {
    return await use(requests);
  } finally {
    requests.client.destroy();
  }
}
