import { closeSync, constants, openSync, readSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { CHUNK_ID_BYTES, LIMITS, messageOf, sameBytes } from '../../core/index.js';
import { serveTasks } from '../../engine/index.js';
import { Owners, TargetFolder } from '../../fs/index.js';
import { keysFrom, loadAlgorithms } from '../../repo/index.js';
import { FileWriter } from './file-writer.js';
import type { RestoreTasks, RestoreWorkerData, VerifyInput } from './restore-tasks.js';

/** The worker of a running restore. */

const data = workerData as RestoreWorkerData;
const algorithms = await loadAlgorithms(data.portable);
const keys = keysFrom(data.keys, algorithms);
const writer = new FileWriter(keys, algorithms, new Owners());
const ids = keys.chunkIds('data');
const chunk = Buffer.allocUnsafeSlow(LIMITS.chunk);
const zeros = Buffer.alloc(2 ** 20);
const noFollow = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Reads a restored file from the target and compares it, chunk by chunk; undefined when it is right. */
function differenceOf(input: VerifyInput): string | undefined {
  const folder = TargetFolder.from(input.folder);
  const fd = openSync(folder.path(input.name), noFollow);
  try {
    let offset = 0;
    let number = 0;
    for (const item of input.items) {
      const length = Math.abs(item);
      if (item > 0) {
        const expected = input.ids.subarray(number * CHUNK_ID_BYTES, (number + 1) * CHUNK_ID_BYTES);
        number++;
        if (!readExactly(fd, chunk.subarray(0, length), offset))
          return `it ends before byte ${offset + length}`;
        if (!sameBytes(ids.digest(chunk.subarray(0, length)), expected))
          return `it differs from byte ${offset} on`;
      } else if (!isHole(fd, offset, length)) return `it is not empty from byte ${offset} on`;
      offset += length;
    }
    return readSync(fd, chunk, 0, 1, offset) === 0 ? undefined : `it goes on behind byte ${offset}`;
  } finally {
    closeSync(fd);
  }
}

function readExactly(fd: number, into: Buffer, offset: number): boolean {
  for (let done = 0; done < into.byteLength; ) {
    const read = readSync(fd, into, done, into.byteLength - done, offset + done);
    if (read === 0) return false;
    done += read;
  }
  return true;
}

function isHole(fd: number, offset: number, length: number): boolean {
  for (let done = 0; done < length; ) {
    const part = chunk.subarray(0, Math.min(zeros.byteLength, length - done));
    if (!readExactly(fd, part, offset + done)) return false;
    if (Buffer.compare(part, zeros.subarray(0, part.byteLength)) !== 0) return false;
    done += part.byteLength;
  }
  return true;
}

serveTasks<RestoreTasks>({
  writeBlocks: (input) => ({ output: writer.writeBlocks(input) }),
  finishFiles: (input) => ({ output: writer.finishFiles(input) }),
  verifyFile: (input) => {
    try {
      const difference = differenceOf(input);
      return { output: difference === undefined ? {} : { difference } };
    } catch (error) {
      return { output: { difference: messageOf(error) } };
    }
  },
});
