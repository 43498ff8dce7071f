import { realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CbrError, errnoOf, messageOf } from '../core/index.js';
import { FileError, openReplacing, rawPath } from '../fs/index.js';
import type { ByteSink } from '../snapshot/index.js';
import type { CommandContext } from './command.js';
import { DescriptorSink } from './descriptor-sink.js';
import { requireLocation } from './repository.js';

/** Whoever reads standard output has gone away, as `head` does: no fault of anybody. */
class ReaderGoneError extends Error {}

/** Where bytes are written for the user, and whether their reader went away before the end. */
export interface Written<T> {
  readonly result: T | undefined;
  readonly isCut: boolean;
  /** There was a file, and it is as it was: what was written is not whole. */
  readonly isDropped: boolean;
}

/**
 * Lets `produce` write bytes to a file, which takes its place only when they are whole, or without one to standard output,
 * which then carries nothing else. Bytes that are not whole, as `isWhole` says of the result, take a place that is free, and never
 * that of a file. Rejects with `target` when they cannot be written.
 */
export async function writeBytes<T>(
  context: CommandContext,
  file: string | undefined,
  produce: (sink: ByteSink) => Promise<T>,
  isWhole: (result: T) => boolean = () => true,
): Promise<Written<T>> {
  if (file !== undefined) return writeFile(context, file, produce, isWhole);
  const sink = new DescriptorSink(1, (error) =>
    errnoOf(error) === 'EPIPE'
      ? new ReaderGoneError()
      : new CbrError('target', `cannot write to standard output: ${messageOf(error)}`, { cause: error }),
  );
  try {
    const result = await produce(sink);
    await sink.end();
    return { result, isCut: false, isDropped: false };
  } catch (error) {
    if (error instanceof ReaderGoneError) return { result: undefined, isCut: true, isDropped: false };
    throw error;
  }
}

async function writeFile<T>(
  context: CommandContext,
  file: string,
  produce: (sink: ByteSink) => Promise<T>,
  isWhole: (result: T) => boolean,
): Promise<Written<T>> {
  if (file === '') throw new CbrError('usage', 'the name of the file to write is empty');
  refuseInRepository(context, file);
  const path = rawPath(file);
  const written = openReplacing(path);
  let result: T;
  try {
    const sink = new DescriptorSink(written.fd, (error) => new FileError('target', 'write', path, error));
    result = await produce(sink);
    await sink.end();
  } catch (error) {
    written.drop();
    throw error;
  }
  const isDropped = written.replaces && !isWhole(result);
  if (isDropped) written.drop();
  else written.keep();
  return { result, isCut: false, isDropped };
}

/** What is none of its objects has no place in a repository. */
function refuseInRepository(context: CommandContext, file: string): void {
  const repository = real(requireLocation(context));
  const folder = real(dirname(resolve(file)));
  if (repository === undefined || folder === undefined) return;
  if (folder !== repository && !folder.startsWith(`${repository}/`)) return;
  throw new CbrError('usage', `${resolve(file)} lies inside the repository`, {
    hint: 'Choose another place for what is written.',
  });
}

function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
