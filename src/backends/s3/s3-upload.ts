import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { BackendError } from '../../core/index.js';
import type { WriteOptions } from '../backend.js';
import { forEachParallel } from '../parallel.js';
import { bodyOf, type Content } from './s3-body.js';
import { codeOf, statusOf } from './s3-errors.js';
import type { S3Requests, Underway } from './s3-request.js';
import type { Throttle } from './s3-throttle.js';

/** In how many requests an object is sent. */
export interface PartSizes {
  /** Up to here one request is enough. */
  readonly whole: number;
  /** Ten thousand of them are the most there may be. */
  readonly part: number;
}

const USUAL_SIZES: PartSizes = { whole: 256 * 1024 * 1024, part: 64 * 1024 * 1024 };
const PARALLEL_PARTS = 3;
/** A broken connection is got over; a store that is away is not waited for. */
const ABANDON_ATTEMPTS = 2;
/** A body of up to this is handed over whole. */
const WHOLE_BYTES = 256 * 1024;

/** How objects are stored: what is the same for all requests that write. */
export type WriteHeaders = Pick<
  PutObjectCommandInput,
  'StorageClass' | 'ServerSideEncryption' | 'SSEKMSKeyId'
>;

/** The name and nothing else: the failure of a write whose name is taken is not ambiguous. */
export function isTaken(error: unknown): boolean {
  return (
    error instanceof BackendError &&
    (codeOf(error.cause) === 'PreconditionFailed' || statusOf(error.cause) === 412)
  );
}

/** Writes objects of one bucket, create-only. */
export class S3Uploads {
  constructor(
    private readonly requests: S3Requests,
    private readonly throttle: Throttle,
    private readonly sizes = USUAL_SIZES,
  ) {}

  /** Rejects as `isTaken` tells when there is an object of that key. */
  async create(
    what: string,
    key: string,
    content: Content,
    headers: WriteHeaders,
    { isBody, ...options }: WriteOptions & { readonly isBody: boolean },
  ): Promise<void> {
    if (content.size > this.sizes.whole) return this.createInParts(what, key, content, headers, options);
    const sha256 = options.sha256 ?? (await digestOfPart('sha256', content, 0, content.size)).toString('hex');
    await this.requests.run(what, { ...options, isBody }, (underway) =>
      this.send(content, 0, content.size, underway, (Body, ContentLength, client, signal) => {
        const command = new PutObjectCommand({
          ...this.address(key),
          ...headers,
          Body,
          ContentLength,
          IfNoneMatch: '*',
          // Named beside the digest itself: a bucket that locks what is new refuses to do without.
          ChecksumAlgorithm: 'SHA256',
          ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
        });
        declareDigest(command, sha256);
        return client.send(command, { abortSignal: signal });
      }),
    );
  }

  private async createInParts(
    what: string,
    key: string,
    content: Content,
    headers: WriteHeaders,
    options: WriteOptions,
  ): Promise<void> {
    const { requests } = this;
    const { part } = this.sizes;
    const address = this.address(key);
    const { UploadId } = await requests.run(what, options, ({ signal }) =>
      requests.client.send(new CreateMultipartUploadCommand({ ...address, ...headers }), {
        abortSignal: signal,
      }),
    );
    try {
      const starts = Array.from({ length: Math.ceil(content.size / part) }, (_, i) => i * part);
      const parts: CompletedPart[] = [];
      await forEachParallel(starts, PARALLEL_PARTS, async (start) => {
        const PartNumber = start / part + 1;
        const end = Math.min(content.size, start + part);
        const sha256 = await digestOfPart('sha256', content, start, end);
        // The checksums of AWS would have to be announced for the whole; a bucket that locks takes this one for a part.
        const md5 = await digestOfPart('md5', content, start, end);
        const { ETag } = await requests.run(what, { ...options, isBody: true }, (underway) =>
          this.send(content, start, end, underway, (Body, ContentLength, client, signal) => {
            const command = new UploadPartCommand({
              ...address,
              UploadId,
              PartNumber,
              Body,
              ContentLength,
              ContentMD5: md5.toString('base64'),
            });
            declareDigest(command, sha256.toString('hex'));
            return client.send(command, { abortSignal: signal });
          }),
        );
        parts[PartNumber - 1] = { PartNumber, ETag };
      });
      // Some stores know the condition for whole objects only.
      await this.requireAbsent(what, address, options);
      await requests.run(what, options, ({ signal }) =>
        requests.client.send(
          new CompleteMultipartUploadCommand({
            ...address,
            UploadId,
            IfNoneMatch: '*',
            MultipartUpload: { Parts: parts },
          }),
          { abortSignal: signal },
        ),
      );
    } catch (error) {
      await this.abandon(what, address, UploadId);
      throw error;
    }
  }

  /** Takes away what was sent, which would be paid for; a store that cannot be reached keeps it, as docs/s3.md says. */
  private async abandon(
    what: string,
    address: { Bucket: string; Key: string },
    UploadId: string | undefined,
  ): Promise<void> {
    for (let attempt = 1; attempt <= ABANDON_ATTEMPTS; attempt++) {
      try {
        // Not with the caller's signal: whoever interrupts does not want to pay either.
        await this.requests.run(what, {}, ({ signal }) =>
          this.requests.client.send(new AbortMultipartUploadCommand({ ...address, UploadId }), {
            abortSignal: signal,
          }),
        );
        return;
      } catch (error) {
        if (!(error instanceof BackendError && error.retryable)) return;
      }
    }
  }

  private async requireAbsent(
    what: string,
    address: { Bucket: string; Key: string },
    options: WriteOptions,
  ): Promise<void> {
    await this.requests.run(what, options, async ({ signal }) => {
      try {
        await this.requests.client.send(new HeadObjectCommand(address), { abortSignal: signal });
      } catch (error) {
        if (statusOf(error) === 404) return;
        throw error;
      }
      throw Object.assign(new Error('there is an object of that name'), { name: 'PreconditionFailed' });
    });
  }

  private address(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.requests.location.bucket, Key: key };
  }

  /** Gives `request` the body; a failure to read it is the failure of the request. */
  private async send<T>(
    content: Content,
    start: number,
    end: number,
    underway: Underway,
    request: (
      body: NonNullable<PutObjectCommandInput['Body']>,
      length: number,
      client: S3Client,
      signal: AbortSignal,
    ) => Promise<T>,
  ): Promise<T> {
    const { client } = this.requests;
    const length = end - start;
    if (length <= WHOLE_BYTES) {
      await this.throttle.pass(length, underway);
      return request(await content.piece(start, length), length, client, underway.signal);
    }
    const body = bodyOf(content, start, end, this.throttle, underway);
    const broken = new AbortController();
    body.on('error', (error) => broken.abort(error));
    try {
      return await request(body, length, client, AbortSignal.any([underway.signal, broken.signal]));
    } catch (error) {
      throw broken.signal.aborted && !underway.signal.aborted ? broken.signal.reason : error;
    } finally {
      body.destroy();
    }
  }
}

/** The signature covers the digest, and the store refuses bytes that do not have it. */
function declareDigest(command: PutObjectCommand | UploadPartCommand, sha256: string): void {
  const stack = command.middlewareStack as PutObjectCommand['middlewareStack'];
  stack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = sha256;
      return next(args);
    },
    { step: 'build', name: 'declareDigest' },
  );
}

async function digestOfPart(
  algorithm: 'sha256' | 'md5',
  content: Content,
  start: number,
  end: number,
): Promise<Buffer> {
  const hash = createHash(algorithm);
  for (let at = start; at < end; at += WHOLE_BYTES) {
    hash.update(await content.piece(at, Math.min(WHOLE_BYTES, end - at)));
  }
  return hash.digest();
}
