import { DamagedError, type ObjectDigest, type SessionId } from '../../core/index.js';
import { badPacks } from '../bad-packs.js';
import type { CachedPack } from '../cache/index.js';
import { type ChosenPacks, countInUse, type InUse, packsOf, plannedPacks } from './choose-packs.js';
import { wasteOf } from './chunk-usage.js';
import type { CondemnedPacks } from './condemned-packs.js';
import { type Copied, copyUsed } from './copy-used.js';
import { type MergedSegments, mergeSegments, SegmentGone } from './merge-segments.js';
import { leaveOut, type PrunePlan } from './plan-prune.js';
import { provePlaces } from './prove-places.js';
import type { Reference } from './prune-options.js';
import type { PruneRun } from './prune-run.js';
import type { Staying } from './prune-summary.js';
import { type PruneView, readPruneView } from './prune-view.js';
import { forgottenRoots, useCounts, validRoots } from './reach-snapshots.js';

/** What came of P8 and P9. */
export interface LookedAgain {
  readonly second: PruneView;
  /** Roots that were walked since P2. */
  readonly late: ReadonlyMap<SessionId, Reference>;
  readonly copiedLate: Copied;
  readonly merged: MergedSegments;
}

/** The sweep of the epoch before ends, and then nothing goes any more. */
const MOST_LOOKS = 5;

/** What an epoch writes before it is closed: copies of what is in use, and merged segments. */
export class EpochWork {
  private planned: PrunePlan;
  private inUse: InUse;
  /** Chunks in use of each condemned pack, as they were copied. */
  private counts: ReadonlyMap<ObjectDigest, number>;

  constructor(
    private readonly run: PruneRun,
    private readonly epoch: number,
    /** Segments of this epoch that shall count when it is closed. */
    private readonly own: Set<ObjectDigest>,
    private readonly first: PruneView,
    chosen: ChosenPacks,
    private readonly condemned: CondemnedPacks,
  ) {
    const { cache } = run.repository;
    this.planned = chosen.plan;
    this.inUse = chosen;
    const nameOf = (number: number): ObjectDigest => cache.pack(number)!.name;
    for (const number of [...chosen.plan.unused, ...chosen.plan.rewritten]) condemned.add(nameOf(number));
    for (const number of chosen.plan.left) condemned.leave(nameOf(number));
    this.counts = useCounts(chosen.reached.usage, packsOf(cache, condemned.names));
  }

  /** Without what could not be copied. */
  get plan(): PrunePlan {
    return this.planned;
  }

  /** P4. */
  async copyChosen(): Promise<Copied> {
    const { cache } = this.run.repository;
    const copied = await this.copy(this.planned.rewritten.map((number) => cache.pack(number)!));
    const { usage } = this.inUse.reached;
    this.planned = leaveOut(this.planned, plannedPacks(this.run, this.first, usage, copied.uncopied));
    return copied;
  }

  private async copy(packs: readonly CachedPack[]): Promise<Copied> {
    const { reached, rankOf } = this.inUse;
    const isAvoided = (pack: CachedPack): boolean => rankOf(pack) > 0;
    const copied = await copyUsed(this.run, this.epoch, packs, reached.usage, isAvoided, this.own);
    for (const { name } of copied.uncopied) this.condemned.leave(name);
    if (copied.uncopied.length > 0) await this.proveLeft();
    return copied;
  }

  /** P8 and P9, again when the sweep of the epoch before took away a segment meanwhile. */
  async lookAgain(): Promise<LookedAgain> {
    const { run, epoch, own, condemned } = this;
    for (let looks = 1; ; looks++) {
      const relied = this.reliedOn();
      const second = await readPruneView(run, { epoch, segments: own });
      this.refuseLost(relied);
      const late = await this.lateRoots(second);
      await this.inUse.reached.walk(late);
      if (late.size > 0) await this.proveAgain(late);
      const copiedLate = await this.copy(this.moreInUse());
      try {
        const merged = await mergeSegments(run, epoch, second.view.segments, condemned.swept);
        for (const name of merged.dropped) own.delete(name);
        for (const name of merged.written) own.add(name);
        return { second, late, copiedLate, merged };
      } catch (error) {
        if (!(error instanceof SegmentGone) || looks === MOST_LOOKS) throw error;
      }
    }
  }

  /** Packs that were to go and stay for want of room may now be relied on for what else goes: nobody has asked for them yet. */
  private async proveLeft(): Promise<void> {
    const { run, condemned } = this;
    const going = packsOf(run.repository.cache, condemned.swept);
    const damaged = await provePlaces(run, going, this.inUse.reached.usage, this.ownPacks());
    if (damaged === 0) return;
    throw new DamagedError(
      'a pack that had to stay',
      'is damaged, and another one that was to go is needed',
      {
        hint: 'Nothing was removed. Prune again: it is known now.',
      },
    );
  }

  /** Packs that stay and hold something in use, what this epoch has written among them. */
  private reliedOn(): Set<ObjectDigest> {
    const { cache } = this.run.repository;
    const { usage } = this.inUse.reached;
    const bad = badPacks(cache);
    const isOwn = this.ownPacks();
    const relied = cache
      .allPacks()
      .filter((pack) => (isOwn(pack) || usage.use(pack) !== undefined) && !bad.has(pack.name));
    return new Set(relied.map(({ name }) => name).filter((name) => !this.condemned.names.has(name)));
  }

  /** What was there at P2 and has gone or been cut short since would be missed, however sound it was then. */
  private refuseLost(relied: ReadonlySet<ObjectDigest>): void {
    const { cache } = this.run.repository;
    const bad = badPacks(cache);
    for (const name of relied) {
      if (cache.packNamed(name) !== undefined && !bad.has(name)) continue;
      throw new DamagedError(`packs/${name}`, 'was there when this prune began, and is gone or damaged now', {
        hint: 'Nothing was removed. Run: cbr check',
      });
    }
  }

  /** What is left when all that is condemned has gone, what killed sessions stored among it. */
  staying(): Staying {
    const { cache } = this.run.repository;
    const { usage } = this.inUse.reached;
    const isOwn = this.ownPacks();
    const { swept } = this.condemned;
    let [bytes, waste] = [0, 0];
    for (const pack of cache.allPacks()) {
      if (swept.has(pack.name)) continue;
      bytes += pack.size;
      if (!isOwn(pack)) waste += wasteOf(pack, usage.use(pack));
    }
    return { bytes, waste };
  }

  /** Which packs this epoch has written. */
  private ownPacks(): (pack: CachedPack) => boolean {
    const own = new Set<number>();
    for (const { number, author } of this.run.repository.cache.segments().values()) {
      if (author.kind === 'prune' && author.epoch === this.epoch) own.add(number);
    }
    return ({ segments }) => segments.some((number) => own.has(number));
  }

  /** What was committed or forgotten since P2: it may rely on what is condemned. */
  private async lateRoots(second: PruneView): Promise<Map<SessionId, Reference>> {
    const before = validRoots(this.first.view);
    const late = new Map([...validRoots(second.view)].filter(([sid]) => !before.has(sid)));
    const forgotten = [...second.view.forgotten].filter(
      (sid) => !this.first.view.forgotten.has(sid) && !before.has(sid),
    );
    for (const [sid, root] of await forgottenRoots(this.run, forgotten)) late.set(sid, root);
    return late;
  }

  /** Of what is in use only since P2 nobody has asked yet whether the places are sound that it would be left with. */
  private async proveAgain(late: ReadonlyMap<SessionId, Reference>): Promise<void> {
    const { run, condemned } = this;
    const { cache } = run.repository;
    const roots = new Map([...validRoots(this.first.view), ...late]);
    // What this epoch has written was verified when it was sealed.
    const isOwn = this.ownPacks();
    const going = packsOf(cache, condemned.swept);
    while ((await provePlaces(run, going, this.inUse.reached.usage, isOwn)) > 0) {
      this.inUse = await countInUse(run, roots, condemned.names);
      this.counts = new Map();
    }
  }

  /** Condemned packs of which more is in use than was copied. */
  private moreInUse(): CachedPack[] {
    const { usage } = this.inUse.reached;
    return packsOf(this.run.repository.cache, this.condemned.swept).filter(
      (pack) => (usage.use(pack)?.chunks ?? 0) > (this.counts.get(pack.name) ?? 0),
    );
  }
}
