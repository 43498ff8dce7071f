import { CHUNK_ID_BYTES, chunkIdAt, type ObjectDigest } from '../../core/index.js';
import {
  type BlocksToSeal,
  type BlockToStore,
  type CachedPack,
  type FinishedPack,
  isDamage,
  type OpenedBlock,
  type PackStore,
  usedBlocks,
} from '../../repo/index.js';
import type { CopiedIds } from './copied-ids.js';
import type { CopySource } from './copy-source.js';
import type { BlockWork, CopyWorkers } from './copy-workers.js';
import type { MissingChunks } from './missing-chunks.js';

/** What was learned is written down so often, as a copy that is killed has to read the rest again. */
const FLUSH_MS = 10_000;

export interface ContentCopyParts {
  readonly source: CopySource;
  readonly ids: CopiedIds;
  readonly workers: CopyWorkers;
  readonly store: PackStore;
  readonly signal: AbortSignal;
  /** Plain bytes that were dealt with since it was called last, and those of them that the target did not have. */
  readonly progress: (done: number, stored: number) => void;
  readonly foundDamage: (pack: ObjectDigest) => void;
}

/**
 * Copies content in the order in which the source holds it, so that each of its blocks is read, opened and verified once:
 * resolves when the target's packs have it, of which the last are still on their way. Rejects (damaged) when some cannot be
 * read.
 */
export async function copyContent(missing: MissingChunks, parts: ContentCopyParts): Promise<void> {
  const packs = missing.packs();
  if (packs.length === 0) return;
  const work = parts.workers.workOf(missing.storedBytes(packs));
  const copying = new ContentCopy(work, parts);
  try {
    const reads = usedBlocks(parts.source.repository, packs, missing.usage, {
      begin: () => parts.signal.throwIfAborted(),
      isWanted: () => true,
      foundDamage: ({ name }) => parts.foundDamage(name),
    });
    for await (const blocks of reads) {
      parts.signal.throwIfAborted();
      await copying.add(blocks);
    }
    await copying.finish();
  } catch (error) {
    await copying.abandon();
    throw error;
  }
}

class ContentCopy {
  private readonly underWay = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;
  private lastFlush = performance.now();

  constructor(
    private readonly work: BlockWork,
    private readonly its: ContentCopyParts,
  ) {}

  /** Resolves when further blocks may follow; rejects when one has failed. */
  async add(blocks: BlocksToSeal): Promise<void> {
    const copied = this.copy(blocks)
      .catch((error: unknown) => {
        if (isDamage(error)) this.its.foundDamage(blocks.pack);
        this.failure ??= { error };
      })
      .finally(() => this.underWay.delete(copied));
    this.underWay.add(copied);
    while (this.failure === undefined && this.underWay.size > this.work.concurrency)
      await Promise.race(this.underWay);
    this.check();
    await this.its.store.room();
  }

  async finish(): Promise<void> {
    await Promise.all(this.underWay);
    this.check();
    this.keep(await this.work.finish());
  }

  async abandon(): Promise<void> {
    await Promise.all(this.underWay);
    await this.work.abandon();
  }

  private async copy(blocks: BlocksToSeal): Promise<void> {
    const { pack, blocks: asked } = blocks;
    const known = this.its.source.repository.cache.packNamed(pack);
    const opened = await this.work.open(blocks);
    const toStore: BlockToStore[] = [];
    let [done, stored] = [0, 0];
    for (const [i, each] of opened.entries()) {
      const { wanted } = asked[i]!;
      if (known !== undefined) this.remember(known, each, wanted);
      const lacking = wanted.filter((ordinal) =>
        this.its.store.claim(chunkIdAt(each.newIds, CHUNK_ID_BYTES * ordinal)),
      );
      for (const ordinal of wanted) done += each.lengths[ordinal]!;
      for (const ordinal of lacking) stored += each.lengths[ordinal]!;
      if (lacking.length > 0) toStore.push({ ...each, ids: each.newIds, wanted: lacking, pack });
    }
    if (toStore.length > 0) this.keep(await this.work.store(toStore));
    this.its.progress(done, stored);
  }

  private remember(pack: CachedPack, { block, newIds }: OpenedBlock, wanted: Uint32Array): void {
    const { ids } = this.its;
    for (const ordinal of wanted) {
      const at = CHUNK_ID_BYTES * ordinal;
      ids.setData(pack, block, ordinal, newIds.subarray(at, at + CHUNK_ID_BYTES));
    }
    if (performance.now() - this.lastFlush < FLUSH_MS) return;
    this.lastFlush = performance.now();
    ids.flush();
  }

  private keep(packs: readonly FinishedPack[]): void {
    for (const pack of packs) this.its.store.store(pack);
  }

  private check(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }
}
