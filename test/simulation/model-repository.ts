import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Algorithms,
  type ConfigRecord,
  checkConfig,
  type Keys,
  keysFrom,
  loadAlgorithms,
  type RecordContext,
} from '../../dist/repo/index.js';

/** What all simulated machines know of the repository: as small as a repository may be, without encryption. */
export interface ModelRepository {
  readonly config: ConfigRecord;
  readonly algorithms: Algorithms;
  readonly keys: Keys;
  readonly records: RecordContext;
  /** On a memory file system where there is one. */
  readonly folder: string;
  removeStaged(): void;
  dispose(): void;
}

export async function modelRepository(): Promise<ModelRepository> {
  const algorithms = await loadAlgorithms(false);
  const config: ConfigRecord = {
    repository: Buffer.alloc(16, 0x53),
    created: 0,
    encrypted: false,
    chunkMin: 64,
    chunkTarget: 4096,
    chunkMax: 4096,
    blockBytes: 4096,
    packBytes: 4096,
    compression: 0,
    pad: false,
  };
  checkConfig(config);
  const keys = withoutRepeats(keysFrom({ repositoryId: config.repository }, algorithms));
  const compression = { zstd: algorithms.zstd, level: config.compression, pad: config.pad };
  const memory = readdirSync('/', { encoding: 'utf8' }).includes('dev') ? shared() : tmpdir();
  const folder = mkdtempSync(join(memory, 'cbr-simulation-'));
  return {
    config,
    algorithms,
    keys,
    records: { keys, zstd: algorithms.zstd, compression },
    folder,
    removeStaged: () => {
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function shared(): string {
  return readdirSync('/dev').includes('shm') ? '/dev/shm' : tmpdir();
}

/** Hashers keep no state between digests: one of each kind serves everybody. */
function withoutRepeats(keys: Keys): Keys {
  const ids = { data: keys.chunkIds('data'), tree: keys.chunkIds('tree') };
  const seal = keys.sealFor('pack', 0, new Uint8Array());
  return { ...keys, chunkIds: (kind) => ids[kind], sealFor: () => seal };
}
