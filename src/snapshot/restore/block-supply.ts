/** Stored bytes of a pack, from `offset` on. */
export interface Span {
  readonly pack: string;
  readonly offset: number;
  readonly length: number;
}

export interface BlockSupplyOptions {
  readonly read: (span: Span) => Promise<Uint8Array>;
  /** Fetches at the same time. */
  readonly concurrency: number;
  /** Is given the first bytes of a pack, which hold its header, when they came along. */
  readonly headerCame: (pack: string, start: Uint8Array) => void;
}

/**
 * Of a store that is far away a fetch takes as long as a megabyte: neighbours are fetched together up to so many bytes, and
 * what lies between them comes along if it is no more than the gap.
 */
const MOST_BYTES = 8 * 2 ** 20;
const GAP_BYTES = 512 * 1024;
/** What was fetched ahead and not yet taken; a fetch that is waited for goes beyond it. */
const AHEAD_BYTES = 64 * 2 ** 20;
/** What was taken stays at hand so far: windows that follow each other need some blocks again. */
const KEPT_BYTES = 64 * 2 ** 20;

interface Fetch extends Span {
  /** How often it will still be asked for. */
  takes: number;
  bytes: Promise<Uint8Array> | undefined;
}

/** Fetches stored blocks ahead of those who need them. */
export class BlockSupply {
  /** In the order in which they are needed, those that have begun among them. */
  private readonly planned: Fetch[] = [];
  /** The order is that of use. */
  private readonly kept = new Set<Fetch>();
  private readonly byPack = new Map<string, Fetch[]>();
  private underway = 0;
  private aheadBytes = 0;
  private keptBytes = 0;

  constructor(private readonly options: BlockSupplyOptions) {}

  /** Says what will be taken soon, each once, in this order; sorted by offset within a pack. */
  expect(spans: readonly Span[]): void {
    let last: { pack: string; offset: number; length: number; takes: number } | undefined;
    const joined: (typeof last)[] = [];
    for (const { pack, offset, length } of spans) {
      if (this.find({ pack, offset, length }) !== undefined) {
        last = undefined;
        this.find({ pack, offset, length })!.takes++;
        continue;
      }
      const gap = last?.pack === pack ? offset - (last.offset + last.length) : -1;
      if (last !== undefined && gap >= 0 && gap <= GAP_BYTES && offset + length - last.offset <= MOST_BYTES) {
        last.length = offset + length - last.offset;
        last.takes++;
      } else {
        // The header of the pack comes along where it is near.
        const start = offset <= GAP_BYTES ? 0 : offset;
        last = { pack, offset: start, length: offset + length - start, takes: 1 };
        joined.push(last);
      }
    }
    for (const each of joined) {
      const fetch: Fetch = { ...each!, bytes: undefined };
      this.planned.push(fetch);
      const others = this.byPack.get(fetch.pack) ?? [];
      others.push(fetch);
      this.byPack.set(fetch.pack, others);
    }
    this.fetchAhead();
  }

  /** The bytes of a span; a copy of its own. Rejects as `read` does. */
  async take(span: Span): Promise<Uint8Array> {
    const fetch = this.find(span);
    if (fetch === undefined) return this.options.read(span);
    if (fetch.bytes === undefined) this.begin(fetch);
    const from = span.offset - fetch.offset;
    try {
      const bytes = await fetch.bytes!;
      return Uint8Array.prototype.slice.call(bytes, from, from + span.length);
    } finally {
      this.wasTaken(fetch);
    }
  }

  /** A span that was expected will not be taken. */
  dismiss(span: Span): void {
    const fetch = this.find(span);
    if (fetch !== undefined) this.wasTaken(fetch);
  }

  private wasTaken(fetch: Fetch): void {
    fetch.takes--;
    if (fetch.takes <= 0) {
      if (fetch.bytes === undefined) this.drop(fetch);
      else this.keep(fetch);
    }
    this.fetchAhead();
  }

  /** Nothing of a pack that was fetched so far counts any more. */
  forget(pack: string): void {
    for (const fetch of this.byPack.get(pack) ?? []) if (fetch.bytes !== undefined) this.drop(fetch);
  }

  private find({ pack, offset, length }: Span): Fetch | undefined {
    return this.byPack
      .get(pack)
      ?.find((each) => each.offset <= offset && offset + length <= each.offset + each.length);
  }

  private fetchAhead(): void {
    for (const fetch of this.planned) {
      if (this.underway >= this.options.concurrency || this.aheadBytes >= AHEAD_BYTES) return;
      if (fetch.bytes === undefined) this.begin(fetch);
    }
  }

  private begin(fetch: Fetch): void {
    this.underway++;
    this.aheadBytes += fetch.length;
    fetch.bytes = this.options.read(fetch);
    fetch.bytes.then(
      (bytes) => {
        if (fetch.offset === 0) this.options.headerCame(fetch.pack, bytes);
        this.ended();
      },
      () => {
        this.drop(fetch);
        this.ended();
      },
    );
  }

  private ended(): void {
    this.underway--;
    this.fetchAhead();
  }

  private keep(fetch: Fetch): void {
    if (!this.unplan(fetch)) {
      // Asked for again while it was kept: it counts as used last.
      if (this.kept.delete(fetch)) this.kept.add(fetch);
      return;
    }
    this.kept.add(fetch);
    this.keptBytes += fetch.length;
    for (const oldest of this.kept) {
      if (this.keptBytes <= KEPT_BYTES) return;
      if (oldest.takes <= 0) this.drop(oldest);
    }
  }

  /** False when it was not among what is planned. */
  private unplan(fetch: Fetch): boolean {
    const at = this.planned.indexOf(fetch);
    if (at === -1) return false;
    this.planned.splice(at, 1);
    if (fetch.bytes !== undefined) this.aheadBytes -= fetch.length;
    return true;
  }

  private drop(fetch: Fetch): void {
    this.unplan(fetch);
    if (this.kept.delete(fetch)) this.keptBytes -= fetch.length;
    const others = (this.byPack.get(fetch.pack) ?? []).filter((each) => each !== fetch);
    if (others.length === 0) this.byPack.delete(fetch.pack);
    else this.byPack.set(fetch.pack, others);
  }
}
