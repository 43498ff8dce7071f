import { CbrError, messageOf } from '../../core/index.js';
import { baseName, displayPath, type Owners, parentPath, type RawPath } from '../../fs/index.js';
import type { Entry, TimeStamp } from '../entry.js';
import type { TakenStream } from '../intake/stream-intake.js';
import { encodeEntry } from '../tree.js';
import { interrupted } from './early-end.js';
import type { MadeFolder, TakenSource } from './root-tree.js';
import type { Tally } from './tally.js';

/** Content that is no file of this machine: it comes once, in order, and becomes one file of the snapshot. */
export interface StreamInput {
  /** Where the file stands in the snapshot. */
  readonly path: RawPath;
  /** Read to its end, unless the run fails first. What it throws ends the run without a snapshot. */
  readonly content: AsyncIterable<Uint8Array>;
  /** Permission bits of the file, and of the folders above it, which are made up as well. */
  readonly mode: number;
  readonly folderMode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: TimeStamp;
}

export interface StreamSourceParts {
  readonly owners: Owners;
  readonly tally: Tally;
  readonly signal: AbortSignal;
  readonly takeStream: (path: RawPath, content: AsyncIterable<Uint8Array>) => Promise<TakenStream>;
}

/** Takes a stream in. Rejects (source) when it breaks off, (interrupted) when stopped. */
export async function takeStreamSource(stream: StreamInput, its: StreamSourceParts): Promise<TakenSource> {
  const { path, mode, folderMode, uid, gid, mtime } = stream;
  const { owners, tally } = its;
  tally.files++;
  const { content, size } = await its.takeStream(path, untilStopped(stream, its.signal));
  tally.sourceBytes += size;
  tally.file(() => path, 'new', size);
  const common = { uid, gid, user: owners.userName(uid), group: owners.groupName(gid), mtime };
  const entry: Entry = { name: baseName(path), type: 'file', mode, ...common, size, content };
  const folder: MadeFolder = { made: { mode: folderMode, ...common } };
  const above = path
    .split('/')
    .slice(2)
    .map(() => folder);
  return { path: parentPath(path), above, entries: [encodeEntry(entry)], stored: () => undefined };
}

/** What the stream yields, and a rejection as soon as `signal` is aborted, even while nothing comes. */
async function* untilStopped(
  { path, content }: StreamInput,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const iterator = content[Symbol.asyncIterator]();
  let stop = (): void => undefined;
  const onAbort = (): void => stop();
  signal.addEventListener('abort', onAbort);
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        stop = () => reject(interrupted());
        if (signal.aborted) stop();
        else iterator.next().then(resolve, (error: unknown) => reject(brokenOff(path, error)));
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function brokenOff(path: RawPath, error: unknown): CbrError {
  if (error instanceof CbrError) return error;
  return new CbrError('source', `${displayPath(path)}: its content broke off: ${messageOf(error)}`, {
    cause: error,
    hint: 'No snapshot was made.',
  });
}
