import { asBuffer, DamagedError } from '../../core/index.js';
import { SECTOR_BYTES } from '../media.js';
import type { IsoExtent } from './iso-volume.js';

/** Directory records: ECMA-119, clause 9.1. */

export interface DirectoryRecord {
  readonly extent: IsoExtent;
  readonly isFolder: boolean;
  /** Another record with the next part of the same file follows. */
  readonly continues: boolean;
  /** `\0` for the folder itself, `\1` for the one above it. */
  readonly name: Buffer;
  /** What is behind the name: Rock Ridge, if anything. */
  readonly systemUse: Buffer;
}

const FIXED_BYTES = 33;
const FOLDER = 0x02;
const ASSOCIATED = 0x04;
const CONTINUES = 0x80;

/** The records of a folder's content, in order. Throws DamagedError of `subject` at the first that cannot be one. */
export function* directoryRecords(
  content: Uint8Array,
  subject: string,
  folder: string,
): Generator<DirectoryRecord> {
  for (let start = 0; start < content.byteLength; start += SECTOR_BYTES) {
    const sector = asBuffer(content.subarray(start, start + SECTOR_BYTES));
    for (let at = 0; at < sector.length && sector[at] !== 0; at += sector[at]!) {
      const record = sector.subarray(at, at + sector[at]!);
      const fault = faultOf(record, sector[at]!);
      if (fault !== undefined) {
        throw new DamagedError(
          subject,
          `the folder ${folder} has a record that ${fault}, at byte ${start + at} of it`,
        );
      }
      if ((record[25]! & ASSOCIATED) === 0) yield parsed(record);
    }
  }
}

function faultOf(record: Buffer, length: number): string | undefined {
  if (record.length < length) return 'reaches beyond its sector';
  if (length <= FIXED_BYTES) return 'is too short';
  const nameBytes = record[32]!;
  if (nameBytes === 0) return 'has no name';
  if (FIXED_BYTES + nameBytes > length) return 'is shorter than its name';
  if (record[26] !== 0 || record[27] !== 0) return 'tells of interleaved content, which cbr does not read';
  if (
    record.readUInt32LE(2) !== record.readUInt32BE(6) ||
    record.readUInt32LE(10) !== record.readUInt32BE(14)
  ) {
    return 'says one number in two ways';
  }
  return undefined;
}

function parsed(record: Buffer): DirectoryRecord {
  const nameEnd = FIXED_BYTES + record[32]!;
  const flags = record[25]!;
  return {
    // Attributes that nobody uses may come before the content.
    extent: { offset: (record.readUInt32LE(2) + record[1]!) * SECTOR_BYTES, length: record.readUInt32LE(10) },
    isFolder: (flags & FOLDER) !== 0,
    continues: (flags & CONTINUES) !== 0,
    name: record.subarray(FIXED_BYTES, nameEnd),
    // A name of an even length is followed by a zero byte.
    systemUse: record.subarray(nameEnd + (record[32]! % 2 === 0 ? 1 : 0)),
  };
}
