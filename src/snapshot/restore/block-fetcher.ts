import { BackendError, CbrError } from '../../core/index.js';
import type { ChunkReader, Repository, RepositoryCache } from '../../repo/index.js';
import { BlockSupply, type Span } from './block-supply.js';
import type { PlannedRead } from './window.js';

export interface FetchedBlocks {
  /** The pack's. */
  readonly header: Uint8Array;
  /** Of the blocks, one behind the other. */
  readonly stored: Uint8Array;
}

/** For the packs of a repository. */
export function blockFetcher(
  { backend, cache, configNumber }: Repository,
  reader: ChunkReader,
): BlockFetcher {
  const read = ({ pack, offset, length }: Span): Promise<Uint8Array> =>
    backend.read('packs', pack, { offset, length });
  const headerCame = (pack: string, start: Uint8Array): void => reader.offerHeader(pack, start);
  const { concurrency } = backend;
  const supply = backend.isRemote ? new BlockSupply({ read, concurrency, headerCame }) : undefined;
  const ask = () => backend.stat('config', String(configNumber));
  return new BlockFetcher(cache, reader, read, supply, ask);
}

/** Fetches the stored blocks of planned reads: ahead where there is a supply, each when it is needed otherwise. */
export class BlockFetcher {
  /** Where it was when it was expected: the index may be read again meanwhile. */
  private readonly expected = new Map<PlannedRead, Span>();

  constructor(
    private readonly cache: RepositoryCache,
    private readonly reader: ChunkReader,
    private readonly read: (span: Span) => Promise<Uint8Array>,
    private readonly supply: BlockSupply | undefined,
    /** Asks the store for something small that is there. */
    private readonly ask: () => Promise<unknown>,
  ) {}

  /** Whether a failure is that of the whole store, so that trying the other blocks makes no sense. */
  async isAway(failure: unknown): Promise<boolean> {
    if (!(failure instanceof BackendError) || !failure.retryable) return false;
    try {
      await this.ask();
      return false;
    } catch (error) {
      return error instanceof BackendError && error.retryable;
    }
  }

  /** What will be fetched or dismissed soon, in this order. */
  expect(reads: readonly PlannedRead[]): void {
    if (this.supply === undefined) return;
    const spans: Span[] = [];
    for (const read of reads) {
      const span = this.spanOf(read);
      if (span === undefined) continue;
      this.expected.set(read, span);
      spans.push(span);
    }
    this.supply.expect(spans);
  }

  /** The bytes belong to the caller. `again`: the bytes that came before were wrong. Rejects (damaged) when the pack is gone. */
  async fetch(read: PlannedRead, again: boolean): Promise<FetchedBlocks> {
    const span = this.spanOf(read);
    const pack = this.cache.pack(read.pack);
    if (span === undefined || pack === undefined) {
      this.dismiss(read);
      throw new CbrError('damaged', 'the pack is gone');
    }
    if (this.supply === undefined || again) {
      const header = await this.reader.headerBytes(pack);
      return { header, stored: await this.read(span) };
    }
    const wasAt = this.expected.get(read);
    if (wasAt === undefined || !isSameSpan(wasAt, span)) {
      this.dismiss(read);
      return { header: await this.reader.headerBytes(pack), stored: await this.read(span) };
    }
    this.expected.delete(read);
    const stored = await this.supply.take(span);
    // It may have come along.
    return { header: await this.reader.headerBytes(pack), stored };
  }

  /** Nobody wants it any more. */
  dismiss(read: PlannedRead): void {
    const span = this.expected.get(read);
    this.expected.delete(read);
    if (span !== undefined) this.supply?.dismiss(span);
  }

  /** What came of a pack is wrong: nothing of it that is at hand counts. */
  distrust(pack: number): void {
    const found = this.cache.pack(pack);
    if (found === undefined) return;
    this.reader.forgetHeader(found);
    this.supply?.forget(found.name);
  }

  private spanOf({ pack, firstBlock, blocks }: PlannedRead): Span | undefined {
    const found = this.cache.pack(pack);
    if (found === undefined) return undefined;
    const { offset } = this.reader.block(found, firstBlock);
    const length = found.blocks
      .slice(firstBlock, firstBlock + blocks)
      .reduce((sum, { stored }) => sum + stored, 0);
    return { pack: found.name, offset, length };
  }
}

function isSameSpan(a: Span, b: Span): boolean {
  return a.pack === b.pack && a.offset === b.offset && a.length === b.length;
}
