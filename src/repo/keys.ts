import { hkdfSync } from 'node:crypto';
import type { Algorithms } from './algorithms/algorithms.js';
import type { Blake3, Blake3Implementation } from './algorithms/blake3.js';
import type { PackKind } from './index-segment.js';
import { aesSeal, checksumSeal, type Seal } from './seal.js';

/** What is sealed with a key of its own. */
export type SealedKind = 'pack' | 'index' | 'record' | 'control';

/**
 * The secrets of an open repository as plain data, so that worker threads can be given them. `master` is absent in a
 * repository without encryption.
 */
export interface KeyMaterial {
  readonly repositoryId: Uint8Array;
  readonly master?: Uint8Array;
}

/** Everything that depends on the keys of a repository: chunk ids, seals, the MAC of the config. */
export interface Keys {
  readonly encrypted: boolean;
  readonly repositoryId: Uint8Array;
  readonly material: KeyMaterial;
  /** Hashes the plain bytes of a chunk to its id. */
  chunkIds(kind: PackKind): Blake3;
  /** The seal of one object, by the salt in its header. */
  sealFor(kind: SealedKind, epoch: number, salt: Uint8Array): Seal;
  /** 32 bytes that vouch for a config record. */
  configMac(record: Uint8Array): Uint8Array;
  /** A keyed hash for purposes inside trees (hard-link groups): not an id. */
  linkGroups(): Blake3;
}

const CONTEXT = 'cbr 2026';

function derive(secret: Uint8Array, salt: Uint8Array, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, `${CONTEXT} ${info}`, 32));
}

function encryptedKeys(master: Uint8Array, material: KeyMaterial, blake3: Blake3Implementation): Keys {
  const id = material.repositoryId;
  const subkey = (info: string): Buffer => derive(master, id, info);
  const epochKey = (kind: SealedKind, epoch: number): Buffer => subkey(`${kind} key, epoch ${epoch}`);
  const first: Record<SealedKind, Buffer> = {
    pack: epochKey('pack', 0),
    index: epochKey('index', 0),
    record: epochKey('record', 0),
    control: epochKey('control', 0),
  };
  return {
    encrypted: true,
    repositoryId: id,
    material,
    chunkIds: (kind) => blake3.create({ key: subkey(`${kind} chunk ids`) }),
    sealFor: (kind, epoch, salt) =>
      aesSeal(derive(epoch === 0 ? first[kind] : epochKey(kind, epoch), salt, `${kind} object`)),
    configMac: (record) => blake3.create({ key: subkey('config MAC') }).digest(record),
    linkGroups: () => blake3.create({ key: subkey('hard-link groups') }),
  };
}

/** Without encryption the same places are filled by BLAKE3 in derive-key mode, under contexts of their own. */
function plainKeys(material: KeyMaterial, blake3: Blake3Implementation): Keys {
  const id = Buffer.from(material.repositoryId);
  const hasher = (info: string): Blake3 => blake3.create({ context: `${CONTEXT} ${info}` });
  const checksum = hasher('checksums');
  return {
    encrypted: false,
    repositoryId: id,
    material,
    chunkIds: (kind) => hasher(`${kind} chunk ids`),
    sealFor: () => checksumSeal(checksum),
    configMac: (record) => hasher('config checksum').digest(record),
    linkGroups: () => hasher('hard-link groups'),
  };
}

export function keysFrom(material: KeyMaterial, algorithms: Pick<Algorithms, 'blake3'>): Keys {
  return material.master === undefined
    ? plainKeys(material, algorithms.blake3)
    : encryptedKeys(material.master, material, algorithms.blake3);
}

/** Nonces of a pack: blocks count from 0; its table takes the last one, out of reach of any block number. */
export const TABLE_NONCE = 0xffffffff;
export const RECORD_NONCE = 0;
