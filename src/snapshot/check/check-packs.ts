import { randomBytes } from 'node:crypto';
import { objectPath } from '../../backends/index.js';
import { CHUNK_ID_BYTES, chunkIdAt, type ObjectDigest } from '../../core/index.js';
import { Limiter, WorkerPool } from '../../engine/index.js';
import { judgePack, type Repository } from '../../repo/index.js';
import type { CheckContext } from './check-context.js';
import type { CheckedIndex, NamedPack } from './checked-index.js';
import { FLAG } from './chunk-table.js';
import { isDamage, reasonOf, stopIfAborted } from './damage.js';
import type { CheckWorkerData, PackTasks, VerifiedPack } from './pack-tasks.js';
import type { ReadIndex } from './read-index.js';

/** Decides which packs a run reads; remembers what it decided and found, so that a second look costs nothing twice. */
export class PackChoice {
  /** Found right by this run. */
  readonly sound = new Set<ObjectDigest>();
  private readonly salt = randomBytes(4);
  /** When packs were verified before this run. */
  private readonly times = new Map<ObjectDigest, number>();

  /** `percent`: of the stored bytes. */
  constructor(private readonly percent: number) {}

  /**
   * Packs never verified by this machine first, in an order that differs from run to run, then those verified longest ago:
   * ten runs of a tenth read everything.
   */
  choose(packs: readonly NamedPack[], verifiedAt: (name: ObjectDigest) => number | undefined): NamedPack[] {
    if (this.percent <= 0) return [];
    const there = packs.filter(({ present }) => present);
    for (const { name } of there) if (!this.times.has(name)) this.times.set(name, verifiedAt(name) ?? 0);
    const order = there
      .map((pack) => ({ pack, time: this.times.get(pack.name)!, mixed: this.mixed(pack.name) }))
      .sort((a, b) => a.time - b.time || a.mixed - b.mixed);
    let left = (there.reduce((sum, pack) => sum + pack.size, 0) * this.percent) / 100;
    const chosen: NamedPack[] = [];
    for (const { pack } of order) {
      if (left <= 0) break;
      left -= pack.size;
      chosen.push(pack);
    }
    return chosen;
  }

  /** Names are digests: mixed with a random number they are as good as random. */
  private mixed(name: ObjectDigest): number {
    return (Number.parseInt(name.slice(0, 8), 16) ^ this.salt.readInt32LE(0)) >>> 0;
  }
}

/** The worker threads of a check; started when there is something to verify. */
export function startPackWorkers(repository: Repository, threads: number): WorkerPool<PackTasks> {
  const data: CheckWorkerData = {
    keys: repository.keys.material,
    portable: repository.portable,
    blockBytes: repository.config.blockBytes,
  };
  const script = new URL('./check-worker.js', import.meta.url);
  const pool = new WorkerPool<PackTasks>({ script, threads: Math.max(1, threads) });
  pool.open(data);
  return pool;
}

/**
 * Reads packs whole, one more at a time than there are workers, and marks each of their places in the table. Those of one part of a medium that somebody
 * puts in are done before the next part is asked for.
 */
export class PackCheck {
  /** Of these, places that were not found are lost. */
  private readonly hurt = new Set<number>();

  constructor(
    private readonly its: CheckContext,
    private readonly index: CheckedIndex,
    private readonly choice: PackChoice,
    private readonly pool: WorkerPool<PackTasks>,
    private readonly threads: number,
  ) {}

  /** Reads the packs chosen, and those that have the wrong size whether chosen or not. */
  async run({ misshapen }: ReadIndex): Promise<void> {
    const { its, index, choice } = this;
    const { cache } = its.repository;
    const chosen = choice.choose(index.packs, (name) => cache.verifiedAt(name));
    const packs = [...new Set([...misshapen, ...chosen])].filter(({ name }) => !choice.sound.has(name));
    its.progress.totalBytes = its.progress.bytes + packs.reduce((sum, { size }) => sum + size, 0);
    for (const group of its.repository.backend.gathering?.inTurns(packs) ?? [packs])
      await this.checkAll(group);
    this.markLost();
  }

  private async checkAll(packs: readonly NamedPack[]): Promise<void> {
    const reads = new Limiter(Math.max(1, this.threads) + 1);
    try {
      for (const pack of packs) {
        await reads.room();
        stopIfAborted(this.its.signal);
        reads.start(() => this.check(pack));
      }
    } finally {
      await reads.settled();
    }
  }

  private async check(pack: NamedPack): Promise<void> {
    const { its } = this;
    const object = objectPath('packs', pack.name);
    its.progress.tell(() => object);
    let bytes: Uint8Array;
    try {
      bytes = await this.read(pack);
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (error.code === 'object-not-found') its.findings.sawMissing = true;
      this.blame(pack, [reasonOf(error)]);
      return;
    }
    its.progress.bytes += bytes.byteLength;
    const { name, kind, blocks } = pack;
    const transfer = [bytes.buffer as ArrayBuffer];
    const found = await this.pool.run('verify', { name, bytes, kind, blocks }, { transfer });
    stopIfAborted(its.signal);
    this.take(pack, found);
  }

  /** At most as much as was written: what stands behind it is a finding already and harms nothing. */
  private async read({ name, size }: NamedPack): Promise<Uint8Array> {
    const { backend, signal } = this.its;
    const there = await backend.stat('packs', name, { signal });
    const length = Math.min(size, there.size);
    const bytes = await backend.read('packs', name, { offset: 0, length }, { signal });
    // Handed over to a worker, memory is gone here: it must be nobody else's.
    return bytes.byteLength === bytes.buffer.byteLength ? bytes : Uint8Array.from(bytes);
  }

  private take(pack: NamedPack, { problems, counts, ids, lengths }: VerifiedPack): void {
    const { table } = this.index;
    let at = 0;
    let matched = 0;
    for (const [block, count] of counts.entries()) {
      for (let ordinal = 0; ordinal < count; ordinal++, at++) {
        const id = chunkIdAt(ids, at * CHUNK_ID_BYTES);
        const row = table.find(id, (row) => table.isAt(row, pack.number, block, ordinal));
        if (row < 0 || table.length(row) !== lengths[at]) continue;
        table.set(row, FLAG.found);
        matched++;
      }
    }
    if (matched === pack.rows && problems.length === 0) {
      const { repository } = this.its;
      this.choice.sound.add(pack.name);
      repository.cache.setVerified(pack.name, Math.floor(repository.now() / 1000));
      judgePack(repository.cache, pack.name, true);
      return;
    }
    const strays = pack.rows - matched;
    const isSound = problems.length === 0;
    this.blame(
      pack,
      isSound
        ? [`the index places ${strays === 1 ? 'a chunk' : `${strays} chunks`} in it that it does not hold`]
        : problems,
    );
  }

  private blame(pack: NamedPack, problems: readonly string[]): void {
    for (const problem of problems) this.its.findings.add(objectPath('packs', pack.name), problem);
    pack.isTrusted = false;
    this.index.isHurt = true;
    this.hurt.add(pack.number);
    judgePack(this.its.repository.cache, pack.name, false);
  }

  /** Once for all packs: the table has no order by pack. */
  private markLost(): void {
    if (this.hurt.size === 0) return;
    const { table } = this.index;
    for (let row = 0; row < table.size; row++) {
      if (this.hurt.has(table.pack(row)) && !table.has(row, FLAG.found)) table.set(row, FLAG.lost);
    }
  }
}
