import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { Backend, ObjectReader } from '../backends/index.js';
import { CbrError, DamagedError, decode, encode, messageOf, sameBytes } from '../core/index.js';
import type { Algorithms } from './algorithms/algorithms.js';
import type { Argon2Cost } from './algorithms/argon2.js';
import { requireRemoval } from './may-remove.js';
import { plainRecordContent, plainRecordHeader, withDigest } from './record-store.js';
import { type KeyRecord, keyRecord } from './records.js';

/** The master key wrapped by passwords: `keys/<id>`, one for each password. */

/** 64 MiB and three passes: 170 ms natively on a core of 2023, above what RFC 9106 asks of constrained machines. */
export const DEFAULT_COST: Argon2Cost = Object.freeze({ memoryKiB: 64 * 1024, passes: 3, lanes: 1 });

export interface KeySlot {
  readonly id: string;
  readonly label: string;
  /** Unix seconds. */
  readonly created: number;
}

interface Derived {
  readonly wrapping: Buffer;
  readonly commitment: Buffer;
}

async function deriveFrom(
  password: Uint8Array,
  salt: Uint8Array,
  cost: Argon2Cost,
  algorithms: Algorithms,
): Promise<Derived> {
  const secret = await algorithms.argon2().derive(password, salt, cost);
  const part = (info: string): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, salt, `cbr 2026 ${info}`, 32));
  return { wrapping: part('key wrapping'), commitment: part('key commitment') };
}

/** Repository id and all parameters: a slot moved or altered does not open. */
function authenticated(repositoryId: Uint8Array, slot: KeyRecord): Buffer {
  return Buffer.concat([repositoryId, encode(keyRecord, { ...slot, wrapped: Buffer.alloc(48) })]);
}

/** Wraps the master key under a password and stores it under a new random id. */
export async function createKeySlot(
  backend: Backend,
  repositoryId: Uint8Array,
  master: Uint8Array,
  password: Uint8Array,
  options: { readonly label: string; readonly created: number; readonly cost?: Argon2Cost },
  algorithms: Algorithms,
): Promise<KeySlot> {
  const { label, created, cost = DEFAULT_COST } = options;
  const salt = randomBytes(32);
  const { wrapping, commitment } = await deriveFrom(password, salt, cost, algorithms);
  const slot: KeyRecord = {
    label,
    created,
    kdf: 'argon2id',
    salt,
    ...cost,
    commitment,
    wrapped: Buffer.alloc(48),
  };
  // The wrapping key is new with each slot, so a constant nonce seals once.
  const cipher = createCipheriv('aes-256-gcm', wrapping, Buffer.alloc(12));
  cipher.setAAD(authenticated(repositoryId, slot));
  const wrapped = Buffer.concat([cipher.update(master), cipher.final(), cipher.getAuthTag()]);
  const id = randomBytes(16).toString('hex');
  const content = encode(keyRecord, { ...slot, wrapped });
  await backend.write('keys', id, withDigest([plainRecordHeader('keys'), content]));
  return { id, label, created };
}

interface FoundSlot extends KeySlot {
  readonly record: KeyRecord;
}

export interface FoundSlots {
  /** Of the repository, for messages. */
  readonly location: string;
  readonly slots: readonly FoundSlot[];
  readonly damaged: readonly DamagedError[];
}

/** All slots that can be read, and what is wrong with the others. */
export async function readSlots(
  backend: Pick<ObjectReader, 'location' | 'list' | 'read'>,
): Promise<FoundSlots> {
  const slots: FoundSlot[] = [];
  const damaged: DamagedError[] = [];
  const names: string[] = [];
  for await (const { name } of backend.list('keys')) names.push(name);
  for (const id of names.sort()) {
    const object = `keys/${id}`;
    const stored = await backend.read('keys', id);
    try {
      const record = decode(keyRecord, plainRecordContent('keys', stored, object), object);
      slots.push({ id, label: record.label, created: record.created, record });
    } catch (error) {
      if (error instanceof CbrError && error.code === 'newer-format') throw error;
      // What is malformed names its object itself.
      const reason = messageOf(error).replace(`${object}: `, '');
      damaged.push(error instanceof DamagedError ? error : new DamagedError(object, reason));
    }
  }
  return { location: backend.location, slots, damaged };
}

export async function listKeySlots(
  backend: ObjectReader,
): Promise<{ readonly slots: readonly KeySlot[]; readonly damaged: readonly DamagedError[] }> {
  return readSlots(backend);
}

function unwrap(slot: FoundSlot, derived: Derived, repositoryId: Uint8Array): Buffer {
  const { wrapped } = slot.record;
  const decipher = createDecipheriv('aes-256-gcm', derived.wrapping, Buffer.alloc(12), { authTagLength: 16 });
  decipher.setAAD(authenticated(repositoryId, slot.record));
  decipher.setAuthTag(wrapped.subarray(32));
  try {
    return Buffer.concat([decipher.update(wrapped.subarray(0, 32)), decipher.final()]);
  } catch (cause) {
    throw new DamagedError(`keys/${slot.id}`, 'the password is right, but the key does not open', {
      cause,
      hint: 'The key belongs to another repository or was altered. Use another key, or a copy of the repository.',
    });
  }
}

/**
 * The master key, opened by the first slot whose password this is. Rejects with `wrong-password` when it is none of
 * theirs, with DamagedError when a slot that may have been meant cannot be read.
 */
export async function openKeySlots(
  { location, slots, damaged }: FoundSlots,
  repositoryId: Uint8Array,
  password: Uint8Array,
  algorithms: Algorithms,
): Promise<{ master: Uint8Array; slot: KeySlot }> {
  let altered: unknown;
  for (const slot of slots) {
    const derived = await deriveFrom(password, slot.record.salt, slot.record, algorithms);
    if (sameBytes(derived.commitment, slot.record.commitment)) {
      try {
        return { master: unwrap(slot, derived, repositoryId), slot };
      } catch (error) {
        // A key of another repository under the same password: another one may still be right.
        altered ??= error;
      }
    }
  }
  if (altered !== undefined) throw altered;
  if (damaged.length > 0) {
    throw new DamagedError(
      damaged[0]!.object,
      `${damaged[0]!.message.replace(/^[^:]*: /, '')}, and the password opens no other key`,
      {
        hint: 'Restore the key from a copy of the repository, or use the password of another key.',
      },
    );
  }
  if (slots.length === 0) {
    throw new DamagedError('keys', 'this repository has no key left', {
      hint: 'Restore keys/ from a copy of the repository: without a key its contents cannot be read.',
    });
  }
  throw new CbrError(
    'wrong-password',
    slots.length === 1
      ? `the password does not open the only key of ${location}`
      : `the password opens none of the ${slots.length} keys of ${location}`,
    {
      hint: 'Check the password, its file and its line ending.',
    },
  );
}

/**
 * Removes the slot whose id begins with `prefix`, and returns its id; it may be a damaged one. Rejects with `not-found`,
 * with `ambiguous`, and with `usage` when no whole slot would be left.
 */
export async function removeKeySlot(backend: Backend, prefix: string): Promise<Pick<KeySlot, 'id'>> {
  requireRemoval(backend, 'removing a key');
  const { slots, damaged } = await readSlots(backend);
  const whole = slots.map(({ id }) => id);
  const all = [...whole, ...damaged.map(({ object }) => object.slice('keys/'.length))];
  const [id, ...others] = all.filter((each) => each.startsWith(prefix));
  if (id === undefined || others.length > 0) {
    const [code, what] =
      id === undefined
        ? (['not-found', `no key begins with '${prefix}'`] as const)
        : (['ambiguous', `${others.length + 1} keys begin with '${prefix}'`] as const);
    throw new CbrError(code, what, { hint: 'See cbr key list.' });
  }
  if (whole.every((each) => each === id)) {
    throw new CbrError('usage', 'the last key cannot be removed: nobody could read the repository again', {
      hint: 'Add another one first: cbr key add.',
    });
  }
  await backend.remove('keys', id);
  return { id };
}
