import { Damage } from './failure.js';
import { bytesOf, Fields, intOf, textOf } from './fields.js';
import { parseHeader, SEGMENT_KIND } from './header.js';
import type { ChunkKind, Keys } from './keys.js';
import { decode } from './msgpack.js';
import { sha256 } from './object.js';
import { type Blocks, parseBlocks } from './pack.js';
import { parsePayload } from './payload.js';

/** An index segment: docs/format.md, "Index segment". */

export interface ListedPack {
  /** 64 hexadecimal digits. */
  readonly name: string;
  readonly kind: ChunkKind;
  readonly blocks: Blocks;
  readonly blockBytes: Buffer;
}

export interface Row {
  readonly id: Buffer;
  /** Position in `packs`. */
  readonly pack: number;
  readonly block: number;
  readonly ordinal: number;
}

export interface Segment {
  readonly packs: readonly ListedPack[];
  readonly rows: Iterable<Row>;
}

const MOST_ROWS = 200_000;
const MOST_PACKS = 200_000;

/** Throws Damage for what is not the segment of that name, and before any row is told. */
export function parseSegment(keys: Keys, name: string, object: Buffer): Segment {
  if (sha256(object).toString('hex') !== name) {
    throw new Damage('its bytes are not those that were written (SHA-256)');
  }
  const header = parseHeader(object, 'CBRI');
  if (header.kind !== SEGMENT_KIND) throw new Damage('it is an object of another kind');
  const payload = keys.open('index', header, 0, header.bytes, object.subarray(header.bytes.length));
  const fields = new Fields(
    decode(parsePayload(payload, 'other').content),
    ['session?', 'epoch?', 'packs', 'count', 'ids', 'pack', 'block', 'ordinal', 'length'],
    'an index segment',
  );
  if (fields.has('session') === fields.has('epoch')) throw new Damage('an index segment without one author');
  const packs = fields.list('packs', MOST_PACKS).map((value): ListedPack => {
    const pack = new Fields(value, ['name', 'kind', 'size', 'blocks'], 'a pack of an index segment');
    const kind = textOf(pack.any('kind'), 4, 'kind of a pack');
    if (kind !== 'data' && kind !== 'tree') throw new Damage('a pack of an unknown kind');
    intOf(pack.any('size'), 0, Number.MAX_SAFE_INTEGER, 'size of a pack');
    const blockBytes = bytesOf(pack.any('blocks'), 0, 12 * 65_535, 'blocks of a pack');
    return {
      name: pack.bytes('name', 32).toString('hex'),
      kind,
      blocks: parseBlocks(blockBytes),
      blockBytes,
    };
  });
  return { packs, rows: checkedRows(fields, packs) };
}

function checkedRows(fields: Fields, packs: readonly ListedPack[]): Iterable<Row> {
  const count = fields.int('count', 0, MOST_ROWS);
  const ids = fields.bytes('ids', 32 * count);
  const pack = fields.bytes('pack', 4 * count);
  const block = fields.bytes('block', 2 * count);
  const ordinal = fields.bytes('ordinal', 2 * count);
  fields.bytes('length', 4 * count);
  function* rows(): Generator<Row> {
    for (let i = 0; i < count; i++) {
      yield {
        id: ids.subarray(32 * i, 32 * i + 32),
        pack: pack.readUInt32LE(4 * i),
        block: block.readUInt16LE(2 * i),
        ordinal: ordinal.readUInt16LE(2 * i),
      };
    }
  }
  let previous: Buffer | undefined;
  for (const row of rows()) {
    const listed = packs[row.pack]?.blocks;
    const isThere = row.block < (listed?.count ?? 0) && row.ordinal < (listed?.chunkCounts[row.block] ?? 0);
    const isInOrder = previous === undefined || previous.compare(row.id) < 0;
    if (!isThere || !isInOrder) throw new Damage('a row of an index segment that is not right');
    previous = row.id;
  }
  return { [Symbol.iterator]: rows };
}
