import { type Codec, decode, encoded } from '../core/index.js';
import { decodeConfig, verifyConfig } from './config.js';
import { decodeRecord, plainRecordContent } from './record-store.js';
import {
  catalogRecord,
  configRecord,
  forgottenRecord,
  heartbeatRecord,
  keyRecord,
  leaseRecord,
  markRecord,
  noteRecord,
  outcomeRecord,
  policiesRecord,
  sealedConfig,
  sessionRecord,
} from './records.js';
import type { Repository } from './repository.js';

/** Any record by its name, for those who want to see what is stored. */

export const RECORD_KINDS = [
  'config',
  'keys',
  'snapshots',
  'forgotten',
  'notes',
  'policies',
  'catalog',
  'sessions',
  'marks',
  'leases',
] as const;
export type RecordKindName = (typeof RECORD_KINDS)[number];

export interface OpenedRecord {
  /** The record, its fields in the order in which they are stored. */
  readonly value: Readonly<Record<string, unknown>>;
  /** Its MessagePack, opened: of a key as it is stored, for that is no secret. */
  readonly plain: Uint8Array;
}

type AnyRecord = Codec<Readonly<Record<string, unknown>>>;

const CODECS: Readonly<Record<Exclude<RecordKindName, 'sessions' | 'leases'>, AnyRecord>> = {
  config: configRecord,
  keys: keyRecord,
  snapshots: outcomeRecord,
  forgotten: forgottenRecord,
  notes: noteRecord,
  policies: policiesRecord,
  catalog: catalogRecord,
  marks: markRecord,
};

/** Reads and opens a record. Rejects with DamagedError, FormatError, `newer-format` and `object-not-found`. */
export async function openRecord(
  { backend, records, keys }: Repository,
  kind: RecordKindName,
  name: string,
): Promise<OpenedRecord> {
  const object = `${kind}/${name}`;
  const stored = await backend.read(kind, name);
  if (kind === 'config') {
    verifyConfig(decodeConfig(stored, Number(name)), keys);
    const { config } = decode(sealedConfig, plainRecordContent(kind, stored, object), object);
    return { value: decode(configRecord, config, object), plain: config };
  }
  const plain =
    kind === 'keys'
      ? plainRecordContent(kind, stored, object)
      : decodeRecord(kind, name, encoded, stored, records);
  return { value: decode(codecOf(kind, name), plain, object), plain };
}

function codecOf(kind: RecordKindName, name: string): AnyRecord {
  if (kind === 'sessions') return name.endsWith('/0') ? sessionRecord : heartbeatRecord;
  if (kind === 'leases') return name.startsWith('prune/') ? leaseRecord : heartbeatRecord;
  return CODECS[kind];
}
