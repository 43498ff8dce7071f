import { newStagingPath } from '../../backends/index.js';
import { createChunker } from '../../chunker/index.js';
import { CHUNK_ID_BYTES } from '../../core/index.js';
import { serveTasks, slabsOver, type Transfer } from '../../engine/index.js';
import type { RawPath } from '../../fs/index.js';
import { type FinishedPack, keysFrom, loadAlgorithms, PackWriter } from '../../repo/index.js';
import { FileReader } from './read-files.js';
import type { IntakeTasks, IntakeWorkerData } from './tasks.js';

/** The worker of a running snapshot: reads sources into slabs, seals new chunks from slabs into packs of its own. */

function handOver(finished: readonly FinishedPack[]): {
  output: { packs: readonly FinishedPack[] };
  transfer: Transfer;
} {
  const transfer = finished.map(({ table }) => table.lengths.buffer as ArrayBuffer);
  return { output: { packs: finished }, transfer };
}

serveTasks<IntakeTasks, IntakeWorkerData>(async (data) => {
  const algorithms = await loadAlgorithms(data.portable);
  const keys = keysFrom(data.keys, algorithms);
  const slabs = slabsOver(data.slabs, data.layout);
  const chunker = createChunker({ min: data.chunkMin, target: data.chunkTarget, max: data.chunkMax });
  const reader = new FileReader(slabs, chunker, keys.chunkIds('data'));
  const packs = new PackWriter({
    kind: 'data',
    keys,
    algorithms,
    compressionLevel: data.compressionLevel,
    pad: data.pad,
    blockBytes: data.blockBytes,
    packBytes: data.packBytes,
    verify: true,
    stagingPath: () => newStagingPath(data.stagingFolder),
  });
  return {
    readBatch: (input) => {
      const output = reader.readBatch(input);
      return { output, transfer: [output.rows.buffer as ArrayBuffer] };
    },
    openLarge: ({ path, isDevice }) => ({ output: reader.openLarge(path as RawPath, isDevice) }),
    readWindow: (input) => ({ output: reader.readWindow(input) }),
    cutWindow: (input) => ({ output: reader.cutWindow(input) }),
    closeLarge: ({ fd }) => ({ output: { row: reader.closeLarge(fd) } }),
    seal: ({ slab: number, rows }) => {
      const slab = slabs[number]!;
      const finished: FinishedPack[] = [];
      for (const row of rows) {
        const id = slab.ids.subarray(row * CHUNK_ID_BYTES, (row + 1) * CHUNK_ID_BYTES);
        const start = slab.starts[row]!;
        const pack = packs.add(id, slab.bytes.subarray(start, start + slab.lengths[row]!));
        if (pack !== undefined) finished.push(pack);
      }
      return handOver(finished);
    },
    abandon: () => {
      packs.abandon();
      return { output: {} };
    },
    finish: () => {
      const last = packs.finish();
      return handOver(last === undefined ? [] : [last]);
    },
  };
});
