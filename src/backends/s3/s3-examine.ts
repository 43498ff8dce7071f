import { createHash, randomBytes } from 'node:crypto';
import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  HeadBucketCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { CallOptions } from '../backend.js';
import type { ObjectLock, StoreFacts } from '../store-facts.js';
import { codeOf, statusOf } from './s3-errors.js';
import type { S3Requests } from './s3-request.js';

/** What a store says of itself; what it does not tell, or does not let this key ask, is `unknown`. Rejects when it cannot be reached. */
export async function examineStore(
  requests: S3Requests,
  now: (() => number) | undefined,
  options: CallOptions,
): Promise<StoreFacts> {
  const asking = [
    now === undefined ? undefined : clockSkew(requests, now, options),
    versioning(requests, options),
    objectLock(requests, options),
    checksum(requests, options),
  ] as const;
  // All have ended when this does, whatever becomes of one: the last one writes.
  await Promise.allSettled(asking);
  const [clockSkewSeconds, versioned, locks, digests] = await Promise.all(asking);
  return { clockSkewSeconds, versioning: versioned, objectLock: locks, checksum: digests };
}

async function clockSkew(
  requests: S3Requests,
  now: () => number,
  options: CallOptions,
): Promise<number | undefined> {
  const command = new HeadBucketCommand({ Bucket: requests.location.bucket });
  let date: string | undefined;
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      date = (result.response as { headers?: Record<string, string> } | undefined)?.headers?.date;
      return result;
    },
    { step: 'deserialize', name: 'dateOfAnswer' },
  );
  const before = now();
  await requests.run(`cannot look at ${requests.location.text}`, options, ({ signal }) =>
    requests.client.send(command, { abortSignal: signal }),
  );
  const told = Date.parse(date ?? '');
  if (Number.isNaN(told)) return undefined;
  // It tells whole seconds, of some moment between question and answer.
  const skew = Math.round((told + 500 - (before + now()) / 2) / 1000);
  return Math.abs(skew) <= 1 ? 0 : skew;
}

async function versioning(requests: S3Requests, options: CallOptions): Promise<StoreFacts['versioning']> {
  const command = new GetBucketVersioningCommand({ Bucket: requests.location.bucket });
  return asked(async () => {
    const { Status } = await requests.run('cannot ask for versioning', options, ({ signal }) =>
      requests.client.send(command, { abortSignal: signal }),
    );
    return Status === 'Enabled' ? 'on' : Status === 'Suspended' ? 'suspended' : 'off';
  }, 'unknown');
}

async function objectLock(requests: S3Requests, options: CallOptions): Promise<ObjectLock> {
  const command = new GetObjectLockConfigurationCommand({ Bucket: requests.location.bucket });
  return asked<ObjectLock>(
    async () => {
      try {
        const { ObjectLockConfiguration: found } = await requests.run(
          'cannot ask for locks',
          options,
          ({ signal }) => requests.client.send(command, { abortSignal: signal }),
        );
        if (found?.ObjectLockEnabled !== 'Enabled') return { state: 'off' };
        const { Mode, Days, Years } = found.Rule?.DefaultRetention ?? {};
        const days = Days ?? (Years === undefined ? undefined : 365 * Years);
        return {
          state: 'on',
          ...(Mode === undefined ? {} : { mode: Mode === 'COMPLIANCE' ? 'compliance' : 'governance' }),
          ...(days === undefined ? {} : { days }),
        };
      } catch (error) {
        if (codeOf((error as Error).cause) === 'ObjectLockConfigurationNotFoundError')
          return { state: 'off' };
        throw error;
      }
    },
    { state: 'unknown' },
  );
}

/** Whether it stores a body whose digest is not the one that was announced. */
async function checksum(requests: S3Requests, options: CallOptions): Promise<StoreFacts['checksum']> {
  const { bucket, prefix } = requests.location;
  const body = randomBytes(64);
  const wrong = (algorithm: string): Buffer => createHash(algorithm).update('other bytes').digest();
  const right = createHash('md5').update(body).digest();
  const attempt = async (digest: 'sha256' | 'signed' | 'md5'): Promise<boolean> => {
    const Key = `${prefix}parity/probe-${randomBytes(16).toString('hex')}`;
    const command = new PutObjectCommand({
      Bucket: bucket,
      Key,
      Body: body,
      IfNoneMatch: '*',
      ...(digest === 'sha256'
        ? { ChecksumAlgorithm: 'SHA256', ChecksumSHA256: wrong('sha256').toString('base64') }
        : // A right one beside the wrong signature: a bucket that locks refuses what has none at all.
          { ContentMD5: (digest === 'md5' ? wrong('md5') : right).toString('base64') }),
    });
    if (digest === 'signed') {
      command.middlewareStack.add(
        (next) => (args) => {
          const { headers } = args.request as { headers: Record<string, string> };
          headers['x-amz-content-sha256'] = wrong('sha256').toString('hex');
          return next(args);
        },
        { step: 'build', name: 'declareWrongDigest' },
      );
    }
    try {
      await requests.run('cannot try checksums', options, ({ signal }) =>
        requests.client.send(command, { abortSignal: signal }),
      );
    } catch (error) {
      if (statusOf((error as Error).cause) === 400) return true;
      throw error;
    }
    // A key that may not remove leaves it: the next prune takes it away.
    await requests
      .run('cannot remove what was tried', options, ({ signal }) =>
        requests.client.send(new DeleteObjectCommand({ Bucket: bucket, Key }), { abortSignal: signal }),
      )
      .catch(() => undefined);
    return false;
  };
  return asked(async () => {
    if ((await attempt('signed')) || (await attempt('sha256'))) return 'sha256';
    return (await attempt('md5')) ? 'md5' : 'none';
  }, 'unknown');
}

/** What a question yields that a store may not know, or may not answer to this key; a store that is away is an error. */
async function asked<T>(question: () => Promise<T>, unanswered: T): Promise<T> {
  try {
    return await question();
  } catch (error) {
    const status = statusOf((error as Error).cause);
    if (status === undefined || status === 503 || status === 500) throw error;
    return unanswered;
  }
}
