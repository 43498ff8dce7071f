import type { Backend, ObjectReader } from '../backends/index.js';
import {
  CbrError,
  DamagedError,
  decode,
  encode,
  FormatError,
  LIMITS,
  MIB,
  sameBytes,
} from '../core/index.js';
import type { Keys } from './keys.js';
import { plainRecordContent, plainRecordHeader, withDigest } from './record-store.js';
import { type ConfigRecord, configRecord, sealedConfig } from './records.js';

/** The parameters of a repository: `config/<n>`, of which the highest valid one counts. */

/** A config as found, before a key vouches for it. */
export interface FoundConfig {
  readonly number: number;
  readonly config: ConfigRecord;
  readonly encoded: Uint8Array;
  readonly mac: Uint8Array;
}

/** Rejects with `usage` when sizes do not fit together. */
export function checkConfig(config: ConfigRecord): void {
  const { chunkMin, chunkTarget, chunkMax, blockBytes, packBytes } = config;
  const fail = (what: string): never => {
    throw new CbrError('usage', what, { hint: 'See cbr init --help for the sizes that go together.' });
  };
  if (chunkTarget < 4096 || chunkTarget > 2 * MIB) fail(`chunk size of ${chunkTarget} bytes: 4KiB to 2MiB`);
  if (chunkMin < 64 || chunkMin > chunkTarget || chunkMax < chunkTarget || chunkMax > LIMITS.chunk) {
    fail('chunk sizes out of order');
  }
  if (blockBytes < chunkMax || blockBytes > LIMITS.blockPlain) {
    fail(`block size of ${blockBytes} bytes: at least four chunk sizes (${chunkMax}), at most 16MiB`);
  }
  if (packBytes < blockBytes || packBytes > LIMITS.pack - 2 * LIMITS.blockPlain) {
    fail(`pack size of ${packBytes} bytes: at least one block (${blockBytes}), at most 990MiB`);
  }
}

export async function createConfig(backend: Backend, config: ConfigRecord, keys: Keys): Promise<void> {
  checkConfig(config);
  const encoded = encode(configRecord, config);
  const sealed = encode(sealedConfig, { config: encoded, mac: keys.configMac(encoded) });
  await backend.write('config', '1', withDigest([plainRecordHeader('config'), sealed]));
}

function decodeConfig(stored: Uint8Array, number: number): FoundConfig {
  const object = `config/${number}`;
  const { config, mac } = decode(sealedConfig, plainRecordContent('config', stored, object), object);
  const record = decode(configRecord, config, object);
  try {
    checkConfig(record);
  } catch (error) {
    throw new FormatError(`${object}: ${(error as Error).message}`, { cause: error });
  }
  return { number, config: record, encoded: config, mac };
}

/**
 * The highest config whose bytes are whole. Rejects with `no-repository` when there is none, with DamagedError when all
 * are damaged, with `newer-format` when the highest one is from a newer program.
 */
export async function readConfig(backend: ObjectReader): Promise<FoundConfig> {
  const numbers: number[] = [];
  for await (const { name } of backend.list('config')) {
    if (/^[1-9][0-9]{0,8}$/.test(name)) numbers.push(Number(name));
  }
  if (numbers.length === 0) {
    throw new CbrError('no-repository', `there is no repository at ${backend.location}`, {
      hint: 'Check the location, or make one with: cbr init',
    });
  }
  let problem: unknown;
  for (const number of numbers.sort((a, b) => b - a)) {
    try {
      return decodeConfig(await backend.read('config', String(number)), number);
    } catch (error) {
      if (error instanceof CbrError && (error.code === 'newer-format' || error.code === 'backend'))
        throw error;
      problem = error;
    }
  }
  throw new DamagedError('config', 'no config object of this repository is whole', {
    cause: problem,
    hint: 'Restore config/ from a copy of the repository; its other objects were not touched.',
  });
}

/** Compares the config with what the master key says of it. */
export function verifyConfig(found: FoundConfig, keys: Keys): void {
  if (!sameBytes(keys.configMac(found.encoded), found.mac)) {
    throw new DamagedError(`config/${found.number}`, 'the key of this repository does not vouch for it', {
      hint: 'Someone changed it. Restore config/ from a copy of the repository.',
    });
  }
}
