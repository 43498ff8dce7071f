import { asBuffer, type DamagedError } from '../../core/index.js';
import { SECTOR_BYTES } from '../media.js';
import type { FolderReader } from './folder-reader.js';

/** The System Use Sharing Protocol (SUSP 1.12) and Rock Ridge (RRIP 1.12), as far as names, types and relocated folders go. */

export interface RockRidge {
  /** Bytes; undefined when the entry has none of its own. */
  readonly name: Buffer | undefined;
  /** The type bits of its mode, if there is one. */
  readonly type: number | undefined;
  /** Where the folder is that this record stands for. */
  readonly childSector: number | undefined;
  /** It is a folder that belongs elsewhere: see `childSector` of another record. */
  readonly isRelocated: boolean;
}

/** More bytes than any file system takes for a name. */
const MOST_NAME_BYTES = 1024;
/** Areas that one record may have beside itself: names need one. */
const MOST_AREAS = 16;
const MOST_AREA_BYTES = 8 * SECTOR_BYTES;
const TYPE_BITS = 0o170000;
const NAME_IS_CURRENT_OR_PARENT = 0x06;

interface Area {
  readonly sector: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * How many bytes each record has in front of its system use, by the one of the root folder itself; undefined when the disc has no
 * Rock Ridge.
 */
export function skippedBytes(systemUse: Buffer): number | undefined {
  // CD-ROM XA puts 14 bytes in front.
  for (const at of [0, 14]) {
    if (systemUse.length < at + 7 || systemUse.toString('latin1', at, at + 2) !== 'SP') continue;
    if (systemUse[at + 4] === 0xbe && systemUse[at + 5] === 0xef) return systemUse[at + 6]! + at;
  }
  return undefined;
}

/** Reads one record's system use. Rejects with DamagedError what breaks the rules, and as `reader` does. */
export async function readRockRidge(
  systemUse: Buffer,
  skip: number,
  reader: FolderReader,
  fail: (reason: string) => DamagedError,
): Promise<RockRidge> {
  const parts: Buffer[] = [];
  let type: number | undefined;
  let childSector: number | undefined;
  let isRelocated = false;
  let area: Buffer | undefined = systemUse.subarray(skip);
  for (let areas = 0; area !== undefined; areas++) {
    if (areas > MOST_AREAS) throw fail('goes on in too many places');
    let next: Area | undefined;
    for (const { sign, content } of entriesOf(area, fail)) {
      if (sign === 'NM') parts.push(namePart(content, fail));
      else if (sign === 'PX') type = numberAt(content, 0, fail) & TYPE_BITS;
      else if (sign === 'CL') childSector = numberAt(content, 0, fail);
      else if (sign === 'RE') isRelocated = true;
      else if (sign === 'CE') next = areaOf(content, fail);
    }
    area = next === undefined ? undefined : asBuffer(await readArea(next, reader));
  }
  const name = parts.length === 0 ? undefined : Buffer.concat(parts);
  if (name !== undefined && name.length > MOST_NAME_BYTES) throw fail(`has a name of ${name.length} bytes`);
  return { name, type, childSector, isRelocated };
}

function* entriesOf(
  area: Buffer,
  fail: (reason: string) => DamagedError,
): Generator<{ readonly sign: string; readonly content: Buffer }> {
  // At most three bytes of padding may be at the end.
  for (let at = 0; at + 4 <= area.length && area[at] !== 0; ) {
    const sign = area.toString('latin1', at, at + 2);
    const length = area[at + 2]!;
    if (length < 4 || at + length > area.length)
      throw fail(`has a field ${JSON.stringify(sign)} of ${length} bytes`);
    if (sign === 'ST') return;
    yield { sign, content: area.subarray(at + 4, at + length) };
    at += length;
  }
}

function namePart(content: Buffer, fail: (reason: string) => DamagedError): Buffer {
  if (content.length < 1) throw fail('has a name without flags');
  if ((content[0]! & NAME_IS_CURRENT_OR_PARENT) !== 0)
    throw fail('is named as a folder and the one above it are');
  return content.subarray(1);
}

function numberAt(content: Buffer, at: number, fail: (reason: string) => DamagedError): number {
  if (content.length < at + 8) throw fail('has a field that is too short');
  return content.readUInt32LE(at);
}

function areaOf(content: Buffer, fail: (reason: string) => DamagedError): Area {
  const area = {
    sector: numberAt(content, 0, fail),
    offset: numberAt(content, 8, fail),
    length: numberAt(content, 16, fail),
  };
  if (area.offset >= SECTOR_BYTES || area.length > MOST_AREA_BYTES)
    throw fail('goes on in an impossible place');
  return area;
}

function readArea({ sector, offset, length }: Area, reader: FolderReader): Promise<Uint8Array> {
  return reader.readArea(sector * SECTOR_BYTES + offset, length);
}
