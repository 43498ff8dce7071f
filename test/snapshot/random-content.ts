import { createCipheriv } from 'node:crypto';

/** `bytes` bytes that depend on the seed alone and do not compress; a shorter request is the beginning of a longer one. */
export function randomContent(seed: number, bytes: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed >>> 0);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}
