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

/** The whole configs of one repository, the highest first. */
export type FoundConfigs = readonly [FoundConfig, ...FoundConfig[]];

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

export async function createConfig(
  backend: Backend,
  config: ConfigRecord,
  keys: Keys,
  number = 1,
): Promise<void> {
  checkConfig(config);
  await backend.write('config', String(number), encodeConfig(config, number, keys));
}

/** The stored form of `config/<number>`. */
export function encodeConfig(config: ConfigRecord, number: number, keys: Keys): Buffer {
  const encoded = encode(configRecord, config);
  const sealed = encode(sealedConfig, { config: encoded, mac: macOf(encoded, number, keys) });
  return withDigest([plainRecordHeader('config'), sealed]);
}

/** Of its name too: an older config must not count again under a higher number. */
function macOf(encoded: Uint8Array, number: number, keys: Keys): Uint8Array {
  return keys.configMac(Buffer.concat([Buffer.from(`config/${number}`), encoded]));
}

/** A config as stored; whether the key vouches for it says `verifyConfig`. Rejects with DamagedError and FormatError. */
export function decodeConfig(stored: Uint8Array, number: number): FoundConfig {
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
 * The configs whose bytes are whole and that are of one repository: what differs from the lowest in the repository's id or
 * in whether it is encrypted was put beside it by somebody else. Rejects with `no-repository` when there is none, with
 * DamagedError when all are damaged, with `newer-format` when one above the whole ones is from a newer program.
 */
export async function readConfigs(
  backend: Pick<ObjectReader, 'location' | 'list' | 'read'>,
): Promise<FoundConfigs> {
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
  const whole: FoundConfig[] = [];
  for (const number of numbers.sort((a, b) => b - a)) {
    try {
      whole.push(decodeConfig(await backend.read('config', String(number)), number));
    } catch (error) {
      const isNewer = error instanceof CbrError && error.code === 'newer-format' && whole.length === 0;
      if (isNewer || (error instanceof CbrError && error.code === 'backend')) throw error;
      problem = error;
    }
  }
  const lowest = whole.at(-1);
  const [highest, ...others] = whole.filter((each) => lowest !== undefined && areOfOne(each, lowest));
  if (highest !== undefined) return [highest, ...others];
  throw new DamagedError('config', 'no config object of this repository is whole', {
    cause: problem,
    hint: 'Restore config/ from a copy of the repository; its other objects were not touched.',
  });
}

function areOfOne({ config: a }: FoundConfig, { config: b }: FoundConfig): boolean {
  return a.encrypted === b.encrypted && sameBytes(a.repository, b.repository);
}

/** The config that counts: the highest one that the key vouches for. Rejects with DamagedError when there is none. */
export function countingConfig(found: FoundConfigs, keys: Keys): FoundConfig {
  for (const each of found) if (isVouchedFor(each, keys)) return each;
  throw notVouchedFor(found[0]);
}

/** Rejects with DamagedError unless the key vouches for the config under its number. */
export function verifyConfig(found: FoundConfig, keys: Keys): void {
  if (!isVouchedFor(found, keys)) throw notVouchedFor(found);
}

function notVouchedFor({ number }: FoundConfig): DamagedError {
  return new DamagedError(`config/${number}`, 'the key of this repository does not vouch for it', {
    hint: 'Someone changed it, or put it there. Restore config/ from a copy of the repository.',
  });
}

function isVouchedFor({ encoded, number, mac }: FoundConfig, keys: Keys): boolean {
  return sameBytes(macOf(encoded, number, keys), mac);
}
