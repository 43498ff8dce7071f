import { bytesOf, type Decoded, decode, encode, list, optional, record, seconds } from '../core/index.js';
import type { LeaseRecord, OutcomeRecord } from './records.js';

/**
 * What records say beyond the protocol on a store that silently overwrites (docs/protocol.md, "Without create-only"), as
 * extensions: who does not keep a waiting period need not know them.
 */

const CLOSING_NAME = 'waiting';
const FENCE_NAME = 'ended-at';

/** A value has at most 65,536 bytes. */
const MOST_SESSIONS = 2000;
export const MOST_DROPPED = 800;

const closingWaits = record({
  /** When the epoch was closed, by the clock of the store: from then on what its mark names waits. */
  at: seconds,
  /** SHA-256 of the stored mark of the epoch: another one of that name is not meant. Absent where there is none. */
  mark: optional(bytesOf(32)),
  /** Sessions without an outcome, listed after the mark was written: they may rely on what it names. */
  sessions: list(bytesOf(16), MOST_SESSIONS),
  /** Index segments that can go with what the mark names, since others name the same packs. */
  segments: list(bytesOf(32), MOST_DROPPED),
});
export type ClosingWaits = Decoded<typeof closingWaits>;

const fenceEnded = record({ at: seconds });

type Extensions = NonNullable<LeaseRecord['extensions']>;

export function closingExtensions(waits: ClosingWaits): Extensions {
  return [{ name: CLOSING_NAME, value: encode(closingWaits, waits) }];
}

/** Undefined for a record of somebody who kept no waiting period. Rejects with FormatError. */
export function closingWaitsOf(lease: LeaseRecord | undefined): ClosingWaits | undefined {
  const value = lease?.extensions?.find(({ name }) => name === CLOSING_NAME)?.value;
  return value === undefined ? undefined : decode(closingWaits, value, `leases: ${CLOSING_NAME}`);
}

/** `at`: seconds since 1970; from then on the session does not write any more. */
export function fenceExtensions(at: number): Extensions {
  return [{ name: FENCE_NAME, value: encode(fenceEnded, { at }) }];
}

export function fenceEndedAt({ extensions = [] }: OutcomeRecord): number | undefined {
  const value = extensions.find(({ name }) => name === FENCE_NAME)?.value;
  return value === undefined ? undefined : decode(fenceEnded, value, `snapshots: ${FENCE_NAME}`).at;
}
