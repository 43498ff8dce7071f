import { CbrError, messageOf } from '../../core/index.js';
import { displayPath } from '../../fs/index.js';
import type { Entry } from '../entry.js';
import type { Listener } from '../events.js';
import type { ByteSink } from './byte-sink.js';
import { chunksAhead } from './chunks-ahead.js';
import type { DumpSource } from './dump-source.js';
import { chunkOf, filePieces, holeBytes } from './file-pieces.js';

/**
 * Writes the content of a file to a sink, each chunk verified before. Rejects with `usage` when it is no file, with
 * `damaged` at the first byte that is lost, and with what the sink rejects with.
 */
export async function dumpFile(
  source: DumpSource,
  sink: ByteSink,
  listener: Listener,
  signal: AbortSignal,
): Promise<{ readonly bytes: number }> {
  const { path } = source.found;
  const entry = fileOf(source);
  const totalBytes = entry.size ?? 0;
  let bytes = 0;
  for await (const { piece, plain } of chunksAhead(
    filePieces(entry, source.readTree),
    chunkOf,
    source.data,
  )) {
    signal.throwIfAborted();
    const lost = 'broken' in piece ? piece.broken : plain instanceof CbrError ? plain : undefined;
    if (lost !== undefined) {
      const reason = `${displayPath(path)} is damaged from byte ${bytes} on: ${messageOf(lost)}`;
      throw new CbrError('damaged', reason, { cause: lost, hint: 'Run: cbr check' });
    }
    if (plain instanceof Uint8Array) {
      await sink.write(plain);
      bytes += plain.byteLength;
    } else if ('item' in piece && piece.item.id === undefined) {
      for (const zeros of holeBytes(piece.item.hole)) {
        await sink.write(zeros);
        bytes += zeros.byteLength;
      }
    }
    listener({ type: 'progress', phase: 'dump', files: 1, bytes, totalBytes, current: path });
  }
  return { bytes };
}

function fileOf({ found, snapshot }: DumpSource): Entry {
  const { entry, path } = found;
  if (entry?.type === 'file') return entry;
  const type = entry?.type ?? 'directory';
  const target = entry?.linkTarget === undefined ? '' : ` to ${displayPath(entry.linkTarget)}`;
  const hint =
    type === 'symlink'
      ? 'Name the file that it points to, or choose an archive with --format.'
      : 'Choose an archive with --format.';
  const shown = `${snapshot.id.slice(0, 8)}:${displayPath(path)}`;
  throw new CbrError('usage', `${shown} is a ${type}${target}, not a file`, { hint });
}
