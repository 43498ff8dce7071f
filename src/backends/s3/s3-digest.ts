import { HeadObjectCommand } from '@aws-sdk/client-s3';
import type { CallOptions, StoredDigest } from '../backend.js';
import type { S3Requests } from './s3-request.js';

/** Of an object that was one request and is not encrypted with a key of the user's: its MD5. */
const MD5_TAG = /^"?([0-9a-f]{32})"?$/;

/**
 * What the store tells of an object's content without reading it, also in a class from which objects have to be brought back first.
 * Undefined when it tells nothing of the whole.
 */
export async function digestOf(
  requests: S3Requests,
  what: string,
  key: string,
  options: CallOptions,
): Promise<StoredDigest | undefined> {
  const command = new HeadObjectCommand({
    Bucket: requests.location.bucket,
    Key: key,
    ChecksumMode: 'ENABLED',
  });
  const answer = await requests.run(what, options, ({ signal }) =>
    requests.client.send(command, { abortSignal: signal }),
  );
  // That of an upload in parts is one of digests: `...-3`.
  const sha256 = Buffer.from(answer.ChecksumSHA256 ?? '', 'base64');
  if (sha256.byteLength === 32 && !answer.ChecksumSHA256?.includes('-')) {
    return { algorithm: 'sha256', hex: sha256.toString('hex') };
  }
  const [, md5] = MD5_TAG.exec(answer.ETag ?? '') ?? [];
  const isPlain = answer.ServerSideEncryption === undefined || answer.ServerSideEncryption === 'AES256';
  return md5 !== undefined && isPlain ? { algorithm: 'md5', hex: md5 } : undefined;
}
