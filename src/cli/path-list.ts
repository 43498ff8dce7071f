import { readFile } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { CbrError, messageOf, toLatin1 } from '../core/index.js';
import { absoluteRaw, displayPath, type RawPath, rawPath } from '../fs/index.js';

/** Lists of paths, for --files-from and --files-from0. */

/** How the paths of a list are told apart. */
export type ListFormat = 'lines' | 'zeros';

/** The name for standard input. */
export const STDIN = '-';

/**
 * The paths of a list, relative ones made absolute against the working folder. Rejects with `usage` when the list cannot be
 * read or an entry is no path, with the reason of `signal` when that is aborted.
 */
export async function readPathList(
  file: string,
  format: ListFormat,
  signal: AbortSignal,
): Promise<readonly RawPath[]> {
  const content = await contentOf(file, signal);
  const list = file === STDIN ? 'standard input' : displayPath(rawPath(file));
  const folder = rawPath('.');
  return entriesOf(content, format).map(({ path, place }) => {
    try {
      return absoluteRaw(path, folder);
    } catch (cause) {
      const hint =
        format === 'lines' ? 'A list that separates paths by NUL is read by --files-from0.' : undefined;
      throw new CbrError('usage', `${place} of ${list}: ${messageOf(cause)}`, {
        cause,
        ...(hint === undefined ? {} : { hint }),
      });
    }
  });
}

async function contentOf(file: string, signal: AbortSignal): Promise<Buffer> {
  try {
    if (file === STDIN) return await buffer(addAbortSignal(signal, process.stdin));
    return await readFile(file, { signal });
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new CbrError('usage', `cannot read the list of paths: ${messageOf(cause)}`, { cause });
  }
}

interface ListEntry {
  readonly path: string;
  /** Where it stands in the list. */
  readonly place: string;
}

/** Raw paths with their places. */
export function entriesOf(content: Uint8Array, format: ListFormat): ListEntry[] {
  const text = toLatin1(content);
  if (format === 'zeros') {
    const parts = text.split('\0');
    // What stands behind the last NUL is nothing, unless the list ends without one.
    if (parts.at(-1) === '') parts.pop();
    return parts.map((path, i) => ({ path, place: `entry ${i + 1}` }));
  }
  const lines = text.replace(/^\xef\xbb\xbf/, '').split('\n');
  return lines
    .map((path, i) => ({ path, place: `line ${i + 1}` }))
    .filter(({ path }) => !path.startsWith('#') && !/^[ \t\r]*$/.test(path));
}
