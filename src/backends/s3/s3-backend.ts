import { type FileHandle, open, rm } from 'node:fs/promises';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { BackendError, LIMITS, messageOf, ObjectExistsError, ObjectNotFoundError } from '../../core/index.js';
import type {
  Backend,
  ByteRange,
  CallOptions,
  ListedObject,
  ObjectKind,
  StagedFile,
  StoredDigest,
  WriteOptions,
} from '../backend.js';
import { checkedObjectPath } from '../object-name.js';
import { resolveRange } from '../object-range.js';
import { forEachParallel } from '../parallel.js';
import { hasContent } from '../same-content.js';
import type { StoreFacts } from '../store-facts.js';
import type { StoreOptions } from '../store-options.js';
import { bytesOf, type Content, contentOf, contentOfFile } from './s3-body.js';
import { digestOf } from './s3-digest.js';
import { beyondEnd, codeOf, oneLine, statusOf, storeFailure } from './s3-errors.js';
import { examineStore } from './s3-examine.js';
import { keyOf, nameOf } from './s3-names.js';
import type { S3Requests } from './s3-request.js';
import { Throttle } from './s3-throttle.js';
import { isTaken, type PartSizes, S3Uploads, type WriteHeaders } from './s3-upload.js';

/** What may not happen again, of the errors that an answer lists for single objects. */
const PASSING_CODES = new Set(['InternalError', 'ServiceUnavailable', 'SlowDown']);

/** The most that one request may name. */
const REMOVED_AT_ONCE = 1000;

export interface S3BackendOptions extends StoreOptions {
  readonly concurrency: number;
  /** Milliseconds since 1970, to compare the store's clock with. */
  readonly now?: () => number;
  /** A folder for what is staged before it is sent. */
  readonly stagingFolder: string;
  /** For tests: from which size on objects are sent in parts. */
  readonly partSizes?: PartSizes;
}

/** Objects of a repository in a bucket: the key is the prefix and `objectPath`. Use `openS3Backend` or `createS3Backend`. */
export class S3Backend implements Backend {
  readonly location: string;
  readonly concurrency: number;
  readonly isRemote = true;
  readonly capabilities = Object.freeze({ createOnly: true, writable: true, removable: true });
  readonly stagingFolder: string;
  private readonly uploads: S3Uploads;
  private readonly downloadLimit: Throttle;
  private readonly headers: WriteHeaders;

  constructor(
    private readonly requests: S3Requests,
    private readonly options: S3BackendOptions,
  ) {
    this.location = requests.location.text;
    this.concurrency = options.concurrency;
    this.stagingFolder = options.stagingFolder;
    this.uploads = new S3Uploads(requests, new Throttle(options.limitUpload), options.partSizes);
    this.downloadLimit = new Throttle(options.limitDownload);
    this.headers = encryptionHeaders(options.sse);
  }

  async *list(kind: ObjectKind, options: CallOptions = {}): AsyncGenerator<ListedObject> {
    const { bucket, prefix } = this.requests.location;
    let token: string | undefined;
    do {
      const page = await this.requests.run(`cannot list ${kind} of ${this.location}`, options, ({ signal }) =>
        this.requests.client.send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: `${prefix}${kind}/`,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          { abortSignal: signal },
        ),
      );
      for (const { Key = '', Size, LastModified } of page.Contents ?? []) {
        const name = nameOf(prefix, kind, Key);
        const written = LastModified === undefined ? {} : { written: LastModified.getTime() };
        if (name !== undefined && Size !== undefined) yield { name, size: Size, ...written };
      }
      options.signal?.throwIfAborted();
      const last = token;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      if (page.IsTruncated === true && (token === undefined || token === last))
        throw new BackendError(
          `cannot list ${kind} of ${this.location}: the store ends a list in its middle`,
          false,
        );
    } while (token !== undefined);
  }

  async stat(kind: ObjectKind, name: string, options: CallOptions = {}): Promise<ListedObject> {
    const { bucket, prefix } = this.requests.location;
    const Key = keyOf(prefix, kind, name);
    const object = checkedObjectPath(kind, name);
    return this.requests.run(`cannot look at ${object}`, options, async ({ signal }) => {
      try {
        const command = new HeadObjectCommand({ Bucket: bucket, Key });
        const { ContentLength } = await this.requests.client.send(command, { abortSignal: signal });
        if (ContentLength === undefined)
          throw new BackendError(`the store does not say how long ${object} is`, true);
        return { name, size: ContentLength };
      } catch (error) {
        if (statusOf(error) !== 404) throw error;
        // The answer has no body that says what is missing.
        await this.requests.client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: signal });
        throw new ObjectNotFoundError(object);
      }
    });
  }

  async read(
    kind: ObjectKind,
    name: string,
    range?: ByteRange,
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    const { bucket, prefix } = this.requests.location;
    const Key = keyOf(prefix, kind, name);
    const object = checkedObjectPath(kind, name);
    options.signal?.throwIfAborted();
    // Nothing can be asked for by no range of HTTP; whether it lies within the object has to be known all the same.
    if (range !== undefined && wantedBytes(object, range) === 0) {
      resolveRange(object, (await this.stat(kind, name, options)).size, range);
      return new Uint8Array(0);
    }
    const Range = rangeHeader(range);
    return this.requests.run(
      `cannot read ${object}`,
      { ...options, isBody: isBody(kind) },
      async (underway) => {
        try {
          const command = new GetObjectCommand({
            Bucket: bucket,
            Key,
            ...(Range === undefined ? {} : { Range }),
          });
          const answer = await this.requests.client.send(command, { abortSignal: underway.signal });
          checkRange(object, answer, range);
          return await bytesOf(
            object,
            answer.Body,
            answer.ContentLength,
            mostBytes(range),
            this.downloadLimit,
            underway,
          );
        } catch (error) {
          if (codeOf(error) === 'NoSuchKey') throw new ObjectNotFoundError(object);
          if (statusOf(error) !== 416 || range === undefined) throw error;
          // An empty object has no last bytes.
          if ('suffix' in range) return new Uint8Array(0);
          throw beyondEnd(object, range.offset, range.length, undefined);
        }
      },
    );
  }

  async write(
    kind: ObjectKind,
    name: string,
    data: Uint8Array | StagedFile,
    options: WriteOptions = {},
  ): Promise<void> {
    const key = keyOf(this.requests.location.prefix, kind, name);
    const object = checkedObjectPath(kind, name);
    options.signal?.throwIfAborted();
    const { storageClass } = this.options;
    const headers: WriteHeaders = {
      ...this.headers,
      ...(options.isCold && storageClass !== undefined
        ? { StorageClass: storageClass as NonNullable<WriteHeaders['StorageClass']> }
        : {}),
    };
    const what = `cannot write ${object} to ${this.location}`;
    const create = async (content: Content): Promise<void> => {
      try {
        await this.uploads.create(what, key, content, headers, { ...options, isBody: isBody(kind) });
      } catch (error) {
        if (!isTaken(error)) throw error;
        // Something between us and the store may have sent the request twice (B3).
        if (!(await hasContent(this, kind, name, data, options))) throw new ObjectExistsError(object);
      }
    };
    if (data instanceof Uint8Array) return create(contentOf(data));
    await withStaged(what, data, (file) => create(contentOfFile(file, data.size)));
    await rm(data.path, { force: true });
  }

  async remove(kind: ObjectKind, name: string, options: CallOptions = {}): Promise<void> {
    const { bucket, prefix } = this.requests.location;
    const Key = keyOf(prefix, kind, name);
    const what = `cannot remove ${checkedObjectPath(kind, name)} from ${this.location}`;
    await this.requests.run(what, options, async ({ signal }) => {
      const command = new DeleteObjectCommand({ Bucket: bucket, Key });
      await this.requests.client.send(command, { abortSignal: signal }).catch((error) => {
        if (codeOf(error) !== 'NoSuchKey') throw error;
      });
    });
  }

  async removeMany(kind: ObjectKind, names: readonly string[], options: CallOptions = {}): Promise<void> {
    const { bucket, prefix } = this.requests.location;
    const keys = [...new Set(names.map((name) => keyOf(prefix, kind, name)))];
    options.signal?.throwIfAborted();
    if (keys.length === 1) return this.remove(kind, names[0]!, options);
    const what = `cannot remove ${kind} of ${this.location}`;
    const batches: string[][] = [];
    for (let at = 0; at < keys.length; at += REMOVED_AT_ONCE)
      batches.push(keys.slice(at, at + REMOVED_AT_ONCE));
    await forEachParallel(batches, this.concurrency, async (batch) => {
      const { Errors = [] } = await this.requests.run(what, options, ({ signal }) => {
        const Objects = batch.map((Key) => ({ Key }));
        const command = new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } });
        return this.requests.client.send(command, { abortSignal: signal });
      });
      const [first] = Errors.filter(({ Code }) => Code !== 'NoSuchKey');
      if (first === undefined) return;
      const { Code = 'Unknown', Message = '', Key = '' } = first;
      throw storeFailure(
        `${what} (${oneLine(Key.slice(prefix.length), 200)})`,
        Object.assign(new Error(Message), {
          name: Code,
          $metadata: { httpStatusCode: PASSING_CODES.has(Code) ? 503 : 400 },
        }),
      );
    });
  }

  examine(options: CallOptions = {}): Promise<StoreFacts> {
    return examineStore(this.requests, this.options.now, options);
  }

  storedDigest(kind: ObjectKind, name: string, options: CallOptions = {}): Promise<StoredDigest | undefined> {
    const key = keyOf(this.requests.location.prefix, kind, name);
    return digestOf(this.requests, `cannot look at ${checkedObjectPath(kind, name)}`, key, options);
  }

  async close(): Promise<void> {
    this.requests.client.destroy();
  }
}

/** Those are large; all other objects are a few kilobytes, and some of them say that a session lives. */
function isBody(kind: ObjectKind): boolean {
  return kind === 'packs' || kind === 'index';
}

function encryptionHeaders(sse: string | undefined): WriteHeaders {
  if (sse === undefined) return {};
  if (sse === 'AES256') return { ServerSideEncryption: 'AES256' };
  const key = sse.slice('aws:kms:'.length);
  return { ServerSideEncryption: 'aws:kms', ...(key === '' ? {} : { SSEKMSKeyId: key }) };
}

/** How many bytes a range names, at most; what is no range rejects. */
function wantedBytes(object: string, range: ByteRange): number {
  return resolveRange(object, Number.MAX_SAFE_INTEGER, range).length;
}

/** The longest that an object may be: see the limits of the format. */
function mostBytes(range: ByteRange | undefined): number {
  if (range === undefined) return LIMITS.pack;
  return 'suffix' in range ? range.suffix : range.length;
}

function rangeHeader(range: ByteRange | undefined): string | undefined {
  if (range === undefined) return undefined;
  return 'suffix' in range
    ? `bytes=-${range.suffix}`
    : `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

/** A store answers a range that reaches beyond the end with what there is: B4 wants all or nothing. */
function checkRange(
  object: string,
  { ContentLength, ContentRange }: GetObjectCommandOutput,
  range?: ByteRange,
): void {
  if (range === undefined || 'suffix' in range) return;
  const [, from, size] = /^bytes ([0-9]+)-[0-9]+\/([0-9]+)$/.exec(ContentRange ?? '') ?? [];
  if (Number(from) !== range.offset)
    throw new BackendError(`the store does not answer ranges of ${object}`, false);
  if (ContentLength !== range.length) throw beyondEnd(object, range.offset, range.length, Number(size));
}

async function withStaged<T>(
  what: string,
  staged: StagedFile,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(staged.path, 'r').catch((error: unknown) => {
    throw new BackendError(`${what}: ${messageOf(error)}`, false, { cause: error });
  });
  try {
    const { size } = await file.stat();
    if (size === staged.size) return await use(file);
    throw new BackendError(
      `the staged file ${staged.path} has ${size} bytes, ${staged.size} were expected`,
      false,
    );
  } finally {
    await file.close();
  }
}
