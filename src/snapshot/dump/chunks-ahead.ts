import { CbrError } from '../../core/index.js';
import type { ChunkReader } from '../../repo/index.js';
import type { ChunkReference } from '../entry.js';

/** Plain bytes of the blocks that are read before their turn: several reads in flight, whatever the size of blocks. */
const AHEAD_BLOCK_BYTES = 32 * 2 ** 20;
/** Many small files lie in few blocks: this bounds what is remembered of them. */
const AHEAD_PIECES = 1024;

/** What blocks stay open for further chunks in them. */
export const KEPT_BLOCK_BYTES = 2 * AHEAD_BLOCK_BYTES;

/** A piece with the content of its chunk, or with why that cannot be had. */
export interface ReadPiece<Piece> {
  readonly piece: Piece;
  readonly plain?: Uint8Array | CbrError;
}

interface Waiting<Piece> {
  readonly piece: Piece;
  readonly plain: Promise<Uint8Array | CbrError> | undefined;
  readonly block: string | undefined;
}

interface BlockAhead {
  readonly bytes: number;
  pieces: number;
}

/**
 * The pieces in their order, each with the chunk that `chunkOf` says it needs, while those behind it are read already: a
 * block that several of them need is fetched and opened once. Rejects when the backend fails; damage comes with its piece.
 */
export async function* chunksAhead<Piece>(
  pieces: AsyncIterable<Piece>,
  chunkOf: (piece: Piece) => ChunkReference | undefined,
  reader: ChunkReader,
): AsyncGenerator<ReadPiece<Piece>> {
  const waiting: Waiting<Piece>[] = [];
  const blocks = new Map<string, BlockAhead>();
  let blockBytes = 0;
  const enter = (piece: Piece): void => {
    const chunk = chunkOf(piece);
    if (chunk === undefined) {
      waiting.push({ piece, plain: undefined, block: undefined });
      return;
    }
    const place = reader.locate(chunk.id);
    const block = place === undefined ? undefined : `${place.pack.name} ${place.block}`;
    const ahead = block === undefined ? undefined : blocks.get(block);
    if (ahead !== undefined) ahead.pieces++;
    else if (place !== undefined && block !== undefined) {
      const bytes = place.pack.blocks[place.block]!.plain;
      blocks.set(block, { bytes, pieces: 1 });
      blockBytes += bytes;
    }
    waiting.push({ piece, plain: readChunk(reader, chunk), block });
  };
  const leave = async (): Promise<ReadPiece<Piece>> => {
    const { piece, plain, block } = waiting.shift()!;
    const ahead = block === undefined ? undefined : blocks.get(block);
    if (ahead !== undefined && block !== undefined && --ahead.pieces === 0) {
      blocks.delete(block);
      blockBytes -= ahead.bytes;
    }
    return plain === undefined ? { piece } : { piece, plain: await plain };
  };
  for await (const piece of pieces) {
    enter(piece);
    while (waiting.length > AHEAD_PIECES || (blockBytes > AHEAD_BLOCK_BYTES && waiting.length > 1)) {
      yield await leave();
    }
  }
  while (waiting.length > 0) yield await leave();
}

const DAMAGE: ReadonlySet<string> = new Set(['damaged', 'format', 'object-not-found']);

/** Whether content is lost, and not only out of reach for the moment. */
export function isLoss(error: unknown): error is CbrError {
  return error instanceof CbrError && DAMAGE.has(error.code);
}

function readChunk(reader: ChunkReader, { id, length }: ChunkReference): Promise<Uint8Array | CbrError> {
  const plain = reader.read('data', id, length).catch((error: unknown) => {
    if (isLoss(error)) return error;
    throw error;
  });
  // Whoever gets to it gets the failure; when nobody does, another one came first.
  plain.catch(() => undefined);
  return plain;
}
