import type { ObjectDigest } from '../../core/index.js';

/** The packs that a prune condemns, and what becomes of each of them. */
export class CondemnedPacks {
  private readonly all: Set<ObjectDigest>;
  private readonly marked: Set<ObjectDigest>;
  private readonly stay = new Set<ObjectDigest>();

  /** `marked`: those of all marks seen. */
  constructor(marked: Iterable<ObjectDigest>) {
    this.marked = new Set(marked);
    this.all = new Set(this.marked);
  }

  get names(): ReadonlySet<ObjectDigest> {
    return this.all;
  }

  /** Condemned, and not to be removed by this prune, because what is in use of them was not copied. */
  get left(): ReadonlySet<ObjectDigest> {
    return this.stay;
  }

  /** To be removed once the epoch is closed. */
  get swept(): ReadonlySet<ObjectDigest> {
    return new Set([...this.all].filter((name) => !this.stay.has(name)));
  }

  add(name: ObjectDigest): void {
    this.all.add(name);
  }

  /** It has to stay, for now: condemned if a mark says so already, for a condemned pack is never taken back into use. */
  leave(name: ObjectDigest): void {
    if (this.marked.has(name)) this.stay.add(name);
    else this.all.delete(name);
  }

  /** A mark condemns all of them from now on. */
  setMarked(): void {
    for (const name of this.all) this.marked.add(name);
  }
}
