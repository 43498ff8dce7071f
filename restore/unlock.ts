import { timingSafeEqual } from 'node:crypto';
import { argon2id } from '@noble/hashes/argon2.js';
import { Damage, EXIT, Failure, messageOf, rethrowUnlessDamage } from './failure.js';
import { Fields } from './fields.js';
import { decrypt, hkdf } from './keys.js';
import { decode } from './msgpack.js';
import { openPlain } from './object.js';
import type { Store } from './store.js';

/** From a password to the master key: docs/format.md, "The key object". */

interface KeyRecord {
  readonly label: string;
  readonly salt: Buffer;
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
  readonly commitment: Buffer;
  readonly wrapped: Buffer;
  /** The encoding with 48 zero bytes as `wrapped`. */
  readonly blanked: Buffer;
}

/** Argon2id in JavaScript fills about so much memory in a second, on a machine of 2020. */
const KIB_A_SECOND = 80_000;
const WORTH_A_WORD_SECONDS = 1;

/** Throws a Failure if the password opens none of the keys. `say` is told when it takes long. */
export function unlock(
  store: Store,
  repository: Buffer,
  password: Buffer,
  say: (text: string) => void,
): Buffer {
  const keys: KeyRecord[] = [];
  const problems: string[] = [];
  for (const name of store.names('keys')) {
    try {
      keys.push(...store.readAll('keys', name, parseKey));
    } catch (error) {
      rethrowUnlessDamage(error);
      problems.push(`keys/${name}: ${messageOf(error)}`);
    }
  }
  if (keys.length === 0 && problems.length === 0) {
    throw new Failure(
      EXIT.damage,
      'there is no key on the discs in reach',
      'Every disc has the folder keys: add another one.',
    );
  }
  const seconds = keys.reduce((sum, each) => sum + (each.memoryKiB * each.passes) / KIB_A_SECOND, 0);
  if (seconds > WORTH_A_WORD_SECONDS) say(`Unlocking: this takes ${inWords(seconds)} at most ...`);
  for (const key of keys) {
    const master = openKey(key, repository, password, problems);
    if (master !== undefined) return master;
  }
  if (problems.length > 0) {
    throw new Failure(
      EXIT.damage,
      `the password opens no key that can be read; others cannot be read:\n  ${problems.join('\n  ')}`,
      'Is there another copy of them, on another disc?',
    );
  }
  throw new Failure(
    EXIT.wrongPassword,
    'wrong password',
    keys.length > 1 ? 'It opens none of the keys.' : undefined,
  );
}

function openKey(
  key: KeyRecord,
  repository: Buffer,
  password: Buffer,
  problems: string[],
): Buffer | undefined {
  const { salt, memoryKiB: m, passes: t, lanes: p } = key;
  const secret = argon2id(password, salt, { m, t, p, dkLen: 32, version: 0x13, maxmem: 2 ** 31 });
  if (!timingSafeEqual(hkdf(secret, salt, 'cbr 2026 key commitment'), key.commitment)) return undefined;
  try {
    const wrapping = hkdf(secret, salt, 'cbr 2026 key wrapping');
    return decrypt(wrapping, Buffer.alloc(12), Buffer.concat([repository, key.blanked]), key.wrapped);
  } catch (error) {
    rethrowUnlessDamage(error);
    problems.push(`the key ${JSON.stringify(key.label)} was altered or belongs to another repository`);
    return undefined;
  }
}

/** Throws Damage. */
export function parseKey(object: Buffer): KeyRecord {
  const encoded = openPlain('keys', object);
  const fields = new Fields(
    decode(encoded),
    [
      'label',
      'created',
      'kdf',
      'salt',
      'memoryKiB',
      'passes',
      'lanes',
      'commitment',
      'wrapped',
      'extensions?',
    ],
    'a key',
  );
  fields.extensions();
  fields.int('created');
  if (fields.text('kdf') !== 'argon2id') throw new Damage('a key of an unknown sort');
  const wrapped = fields.bytes('wrapped', 48);
  const blanked = Buffer.from(encoded);
  const at = wrapped.byteOffset - encoded.byteOffset;
  blanked.fill(0, at, at + wrapped.length);
  return {
    label: fields.text('label', 1024),
    salt: fields.bytes('salt', 32),
    memoryKiB: fields.int('memoryKiB', 32_768, 1_048_576),
    passes: fields.int('passes', 1, 16),
    lanes: fields.int('lanes', 1, 16),
    commitment: fields.bytes('commitment', 32),
    wrapped,
    blanked,
  };
}

function inWords(seconds: number): string {
  if (seconds < 50) return `${Math.ceil(seconds)} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? 'a minute' : `${minutes} minutes`;
}
