import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { BackendError, DamagedError } from '../../core/index.js';
import type { Underway } from './s3-request.js';
import type { Throttle } from './s3-throttle.js';

/** Bodies pass in pieces of this size: a slow line is told from a silent one, and a limit is kept evenly. */
const PIECE_BYTES = 256 * 1024;

/** The bytes of a request, to be read piece by piece. */
export interface Content {
  readonly size: number;
  /** Bytes from `offset` on; valid until the next call. */
  piece(offset: number, length: number): Promise<Uint8Array>;
}

export function contentOf(bytes: Uint8Array): Content {
  // A client that is given shared memory refuses it, and what the caller changes later must not be sent.
  const own = Buffer.from(bytes);
  return { size: own.byteLength, piece: async (offset, length) => own.subarray(offset, offset + length) };
}

export function contentOfFile(file: FileHandle, size: number): Content {
  return {
    size,
    piece: async (offset, length) => {
      const bytes = Buffer.allocUnsafe(length);
      const { bytesRead } = await file.read(bytes, 0, length, offset);
      if (bytesRead !== length)
        throw new BackendError('the staged file became shorter while it was sent', false);
      return bytes;
    },
  };
}

/** A part of the content as the body of a request. */
export function bodyOf(
  content: Content,
  start: number,
  end: number,
  throttle: Throttle,
  underway: Underway,
): Readable {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, end - at);
      await throttle.pass(length, underway);
      underway.moved();
      yield await content.piece(at, length);
    }
  }
  return Readable.from(pieces(), { objectMode: false, highWaterMark: PIECE_BYTES });
}

/**
 * All bytes of an answer. Rejects with DamagedError when it announces more than `most`, before memory is taken; retryable when
 * they are not as many as it announced.
 */
export async function bytesOf(
  object: string,
  body: unknown,
  announced: number | undefined,
  most: number,
  throttle: Throttle,
  underway: Underway,
): Promise<Buffer> {
  if (announced === undefined || !(body instanceof Readable))
    throw new BackendError('the answer has no body', true);
  if (announced > most)
    throw new DamagedError(object, `has ${announced} bytes, and what is asked for has at most ${most}`);
  const bytes = Buffer.allocUnsafeSlow(announced);
  let at = 0;
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    underway.moved();
    if (at + piece.byteLength > announced) break;
    bytes.set(piece, at);
    at += piece.byteLength;
    await throttle.pass(piece.byteLength, underway);
  }
  if (at === announced) return bytes;
  throw new BackendError(`the answer ended after ${at} of ${announced} bytes`, true);
}
