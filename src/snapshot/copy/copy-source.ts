import type { CbrError, ObjectDigest } from '../../core/index.js';
import {
  type CachedPack,
  type ChunkReader,
  chunkReader,
  type LoadedRepository,
  loadRepository,
  type PackRank,
  type Repository,
} from '../../repo/index.js';

/** Plain bytes of blocks of trees that are kept open: each tree is read twice, to see what is missing and to be made anew. */
const KEPT_BYTES = 512 * 256 * 1024;

/** The repository that is copied from, as far as it was read. Nothing is written to it. */
export class CopySource {
  private readonly avoided = new Set<ObjectDigest>();

  private constructor(
    readonly repository: Repository,
    private readonly loaded: LoadedRepository,
    readonly reader: ChunkReader,
  ) {}

  /** Packs are listed: what is missing is planned from the index, before anything is read. */
  static async load(repository: Repository): Promise<CopySource> {
    const loaded = await loadRepository(repository);
    return new CopySource(repository, loaded, chunkReader(repository, loaded, { keptBytes: KEPT_BYTES }));
  }

  /** Segments that cannot be opened: what they name may be missed. */
  get damaged(): readonly CbrError[] {
    return this.loaded.sync.damaged;
  }

  /** What is condemned can still be read, and what is known as damaged may have a whole chunk here and there. */
  readonly rankOf: PackRank = ({ name }: CachedPack): number =>
    this.avoided.has(name) ? 2 : this.loaded.sync.unreliable.has(name) ? 1 : 0;

  /**
   * Whether it makes sense to try again after something of a pack could not be read: one bad read proves nothing, the chunk may
   * lie elsewhere too, and a prune may have moved it (docs/protocol.md rule 28).
   */
  async hasMore(pack: ObjectDigest | undefined): Promise<boolean> {
    if (await this.reader.refresh()) return true;
    if (pack === undefined || this.avoided.has(pack)) return false;
    this.avoided.add(pack);
    return true;
  }
}
