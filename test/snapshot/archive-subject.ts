import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ArchiveSummary,
  type ArchiveWriter,
  type ByteSink,
  dumpArchive,
  openDump,
  type ProblemEvent,
  TarWriter,
  ZipWriter,
  ZstdSink,
} from '../../dist/snapshot/index.js';
import type { Scratch } from './scratch-repository.js';

export interface Archived {
  readonly path: string;
  readonly summary: ArchiveSummary;
  readonly problems: readonly ProblemEvent[];
}

/** A sink that appends to a file. */
export function fileSink(path: string): ByteSink & { close(): void } {
  const fd = openSync(path, 'wx');
  return {
    write: async (bytes) => {
      for (let done = 0; done < bytes.byteLength; ) done += writeSync(fd, bytes, done);
    },
    close: () => closeSync(fd),
  };
}

/** Writes an archive by its own writer into a new file. */
export async function written(
  path: string,
  make: (sink: ByteSink) => ArchiveWriter,
  fill: (writer: ArchiveWriter) => Promise<void>,
): Promise<string> {
  const sink = fileSink(path);
  try {
    const writer = make(sink);
    await fill(writer);
    await writer.finish();
    return path;
  } finally {
    sink.close();
  }
}

/** An archive of a part of the newest snapshot: its source. */
export async function archived(
  its: Scratch,
  format: 'tar' | 'tar.zst' | 'zip',
  from = its.source,
): Promise<Archived> {
  const path = join(its.root, `archive.${format}`);
  const problems: ProblemEvent[] = [];
  const snapshot = (await its.snapshots()).at(-1)!;
  const sink = fileSink(path);
  try {
    return await its.use(async (repository) => {
      const packed = format === 'tar.zst' ? new ZstdSink(sink, repository.algorithms.zstd, 3) : undefined;
      const source = await openDump(repository, snapshot, from);
      const writer = format === 'zip' ? new ZipWriter(sink, snapshot.about) : new TarWriter(packed ?? sink);
      const summary = await dumpArchive(
        source,
        writer,
        (event) => {
          if (event.type === 'problem') problems.push(event);
        },
        new AbortController().signal,
      );
      await packed?.end();
      return { path, summary, problems };
    });
  } finally {
    sink.close();
  }
}
