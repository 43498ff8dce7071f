import { FormatError } from '../core/index.js';

/** The file `SHA256SUMS` of a disc, as `sha256sum -c` reads it. */

export const SHA256SUMS_FILE = 'SHA256SUMS';

/** Larger ones are not read. */
export const SHA256SUMS_BYTES = 256 * 1024 * 1024;

const LINE = /^([0-9a-f]{64}) [ *](.+)$/;

/** Paths with their digests, hexadecimal; sorted by path. */
export function encodeChecksums(digests: ReadonlyMap<string, string>): Buffer {
  const lines = [...digests]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, digest]) => `${digest}  ${path}\n`);
  return Buffer.from(lines.join(''));
}

/** Reads one; rejects with FormatError what is none. `subject` names the disc. */
export function parseChecksums(bytes: Uint8Array, subject: string): Map<string, string> {
  const digests = new Map<string, string>();
  const lines = Buffer.from(bytes).toString('utf8').split('\n');
  for (const [i, line] of lines.entries()) {
    if (line === '') continue;
    const [, digest, path] = LINE.exec(line) ?? [];
    if (digest === undefined || path === undefined)
      throw new FormatError(`${subject}, ${SHA256SUMS_FILE}: line ${i + 1} is no checksum of a file`);
    digests.set(path.replace(/^\.\//, ''), digest);
  }
  return digests;
}
