import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Algorithms,
  type Blake3,
  type ConfigRecord,
  checkConfig,
  type Keys,
  keysFrom,
  loadAlgorithms,
  type PackKind,
  type RecordContext,
} from '../../dist/repo/index.js';
import type { Seal } from '../../dist/repo/seal.js';

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
  const keys = cheapKeys(keysFrom({ repositoryId: config.repository }, algorithms));
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

/**
 * Hashers and seals as cheap as can be: what is simulated is the order of things, and nobody damages bytes here. Ids and
 * tags still depend on every byte.
 */
function cheapKeys(keys: Keys): Keys {
  const ids: Readonly<Record<PackKind, Blake3>> = { data: cheapHasher(1), tree: cheapHasher(2) };
  const seal: Seal = {
    seal: (_, __, plain) => [plain, TAG],
    open: (_, __, sealed) => sealed.subarray(0, sealed.byteLength - TAG.byteLength),
    openParts: (_, __, body) => body,
  };
  return { ...keys, chunkIds: (kind) => ids[kind], sealFor: () => seal };
}

const TAG = Buffer.alloc(16, 0x54);

function cheapHasher(key: number): Blake3 {
  const digestTo = (bytes: Uint8Array, target: Buffer, at: number): void => {
    let [a, b] = [0x811c9dc5 ^ key, 0x9e3779b9 + bytes.byteLength];
    for (const byte of bytes) {
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul(b ^ byte, 0x85ebca6b) ^ (a >>> 13);
    }
    for (let word = 0; word < 8; word++) {
      a = Math.imul(a ^ (b >>> 15), 0x2c1b3c6d);
      b = Math.imul(b ^ (a >>> 12), 0x297a2d39);
      target.writeInt32BE(a ^ b, at + 4 * word);
    }
  };
  const digest = (bytes: Uint8Array): Buffer => {
    const target = Buffer.alloc(32);
    digestTo(bytes, target, 0);
    return target;
  };
  return { digest, digestTo, digestOf: (parts) => digest(Buffer.concat(parts)) };
}
