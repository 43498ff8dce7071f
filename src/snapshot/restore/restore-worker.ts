import { serveTasks } from '../../engine/index.js';
import { Owners } from '../../fs/index.js';
import { keysFrom, loadAlgorithms } from '../../repo/index.js';
import { FileFeeder } from './feed-file.js';
import { FileWriter } from './file-writer.js';
import type { RestoreTasks, RestoreWorkerData } from './restore-tasks.js';
import { FileVerifier } from './verify-file.js';

/** The worker of a running restore. */

serveTasks<RestoreTasks, RestoreWorkerData>(async (data) => {
  const algorithms = await loadAlgorithms(data.portable);
  const keys = keysFrom(data.keys, algorithms);
  const writer = new FileWriter(keys, algorithms, new Owners(), data.metadata);
  const verifier = new FileVerifier(keys.chunkIds('data'));
  const feeder = new FileFeeder(keys.chunkIds('data'));
  return {
    writeBlocks: (input) => ({ output: writer.writeBlocks(input) }),
    finishFiles: (input) => ({ output: writer.finishFiles(input) }),
    feedFile: (input) => ({ output: feeder.feed(input) }),
    verifyFile: (input) => ({ output: verifier.verdictOn(input) }),
  };
});
