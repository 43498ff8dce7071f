import type { ByteRange, CallOptions, Gathering, ObjectKind } from '../../backends/index.js';
import { discInWords } from './disc-in-words.js';
import type { ReportDisc } from './disc-place.js';
import type { DiscSpool } from './disc-spool.js';
import type { KnownDisc } from './known-discs.js';

/** Discs, and what they hold. */
export interface DiscSupply {
  /** Of a pack that is at hand. Its disc is asked for when it has been taken out meanwhile, and no other one when it is damaged. */
  readHere(pack: string, range: ByteRange, signal?: AbortSignal): Promise<Uint8Array>;
  /** All that are known: those of the newest labels first, by set and number. */
  discs(): readonly KnownDisc[];
  discsOf(kind: ObjectKind, name: string): readonly KnownDisc[];
  /** Whether all that is known of a pack is that discs which are not at hand should have it, and were not seen without it. */
  isAbsent(pack: string): boolean;
  /** Stored bytes of a pack. */
  sizeOf(pack: string): number;
  /** Of all packs, at hand or not. */
  packNames(): Iterable<string>;
  /** Where a pack lies on each disc that has it. */
  pathOf(pack: string): string;
  /** Asks until the disc is there or skipped; says whether it is there. */
  askFor(disc: KnownDisc): Promise<boolean>;
}

export interface GatheringParts {
  readonly backend: DiscSupply;
  readonly spool: DiscSpool;
  /** Only one disc at a time is at this place: its packs are copied before it is asked for the next one. */
  readonly isSingle: () => boolean;
  readonly report: ReportDisc;
}

/** Of which no whole copy was found yet, with the discs that were looked at. */
type DamagedPacks = Map<string, Set<KnownDisc>>;

/** Has discs put in one after the other, in the order of their numbers, each once. */
export function gatheringOf({ backend, spool, isSingle, report }: GatheringParts): Gathering {
  const isAbsent = (disc: KnownDisc): boolean => disc.files.length === 0;

  /** Where a pack is to be read: a disc that is at hand, or the first one that is not given up. */
  function discFor(pack: string): KnownDisc | undefined {
    const discs = backend.discsOf('packs', pack);
    return discs.find((disc) => !isAbsent(disc)) ?? discs.find(({ isSkipped }) => !isSkipped);
  }

  const isOn = (disc: KnownDisc, pack: string): boolean => backend.discsOf('packs', pack).includes(disc);

  async function keepPacks(
    disc: KnownDisc,
    packs: readonly string[],
    damaged: DamagedPacks,
    signal?: AbortSignal,
  ): Promise<void> {
    for (const pack of packs) {
      signal?.throwIfAborted();
      damaged.get(pack)?.add(disc);
      const path = backend.pathOf(pack);
      const size = disc.files.find(({ sizes }) => sizes.has(path))?.sizes.get(path);
      if (size === undefined) {
        damaged.set(pack, (damaged.get(pack) ?? new Set()).add(disc));
        report({ severity: 'warning', reason: `packs/${pack} is not on ${discInWords(disc)}` });
        continue;
      }
      const read = (offset: number, length: number) => backend.readHere(pack, { offset, length }, signal);
      if (await spool.add(pack, size, read, signal)) {
        damaged.delete(pack);
        continue;
      }
      damaged.set(pack, (damaged.get(pack) ?? new Set()).add(disc));
      report({ severity: 'warning', reason: `packs/${pack} is damaged on ${discInWords(disc)}` });
    }
  }

  /** Says how much is going to be copied, where that is known; rejects when there is no room for it. */
  async function tellRoom(byDisc: ReadonlyMap<KnownDisc, readonly string[]>): Promise<void> {
    const isOneByOne = isSingle() || [...byDisc.keys()].some(mayGo);
    if (!isOneByOne) return;
    const kept = [...byDisc].filter(([disc]) => isSingle() || isAbsent(disc) || mayGo(disc));
    const packs = kept.flatMap(([, names]) => names);
    const bytes = packs.reduce((sum, pack) => sum + backend.sizeOf(pack), 0);
    await spool.checkRoom(bytes);
    const what = packs.length === 1 ? '1 pack' : `${packs.length} packs`;
    const of = kept.length === 1 ? '1 disc' : `${kept.length} discs`;
    const are = packs.length === 1 ? 'is' : 'are';
    report({
      severity: 'note',
      reason: `${what} (${bytes} bytes) of ${of} ${are} copied to ${spool.place} first, and removed at the end`,
    });
  }

  /** Has other discs put in that have a whole copy of a pack. */
  async function replace(damaged: DamagedPacks, signal?: AbortSignal): Promise<void> {
    const next = (): KnownDisc | undefined =>
      [...damaged]
        .flatMap(([pack, seen]) => backend.discsOf('packs', pack).filter((disc) => !seen.has(disc)))
        .find(({ isSkipped }) => !isSkipped);
    for (let disc = next(); disc !== undefined; disc = next()) {
      const its = disc;
      if (!(await backend.askFor(its))) continue;
      const mine = [...damaged.keys()].filter((pack) => isOn(its, pack));
      await keepPacks(its, mine, damaged, signal);
    }
  }

  return {
    get isNeeded() {
      return backend.discs().some(isAbsent);
    },

    hasAllRecords: false,

    isAbsent: (pack) => !spool.has(pack) && backend.isAbsent(pack),

    // What cannot be read does not say which disc it is.
    isUnreadable: () => false,

    presentParts: (pack) =>
      backend
        .discsOf('packs', pack)
        .flatMap((disc) => disc.files.map(({ place }) => `${discInWords(disc)}, ${place}`)),

    async completeIndex(isKnown) {
      const isIncomplete = [...backend.packNames()].some((pack) => !isKnown(pack));
      // The newest labels come first, and of each set the last disc has the whole index.
      const discs = backend.discs().filter(({ age }) => age === 0);
      const lasts = discs.filter((disc, i) => discs[i + 1]?.set !== disc.set);
      let came = false;
      for (const disc of isIncomplete ? lasts.filter(isAbsent) : []) {
        if (!disc.isSkipped && (await backend.askFor(disc))) came = true;
      }
      return came;
    },

    inTurns<T extends { readonly name: string }>(packs: readonly T[]) {
      const here: T[] = [];
      const byDisc = new Map<KnownDisc, T[]>();
      for (const pack of packs) {
        const disc = spool.has(pack.name) ? undefined : discFor(pack.name);
        if (disc === undefined || !isAbsent(disc)) here.push(pack);
        else byDisc.set(disc, [...(byDisc.get(disc) ?? []), pack]);
      }
      const turns = backend.discs().flatMap((disc) => {
        const its = byDisc.get(disc);
        return its === undefined ? [] : [its];
      });
      return [here, ...turns];
    },

    async gather(packs: Iterable<string>, { signal }: CallOptions = {}) {
      const byDisc = new Map<KnownDisc, string[]>();
      for (const pack of packs) {
        const disc = discFor(pack);
        if (disc !== undefined) byDisc.set(disc, [...(byDisc.get(disc) ?? []), pack]);
      }
      if (![...byDisc.keys()].some(isAbsent)) return;
      await tellRoom(byDisc);
      const order = backend.discs().filter((disc) => byDisc.has(disc));
      const damaged: DamagedPacks = new Map();
      const keep = (disc: KnownDisc): Promise<void> => {
        // It may have what was damaged on one before.
        const others = [...damaged.keys()].filter((pack) => isOn(disc, pack));
        return keepPacks(disc, [...byDisc.get(disc)!, ...others], damaged, signal);
      };
      // Those that looked as if they would stay.
      const left = new Set<KnownDisc>();
      for (const disc of [...order.filter((each) => !isAbsent(each)), ...order.filter(isAbsent)]) {
        if (!(await backend.askFor(disc))) continue;
        if (isSingle() || mayGo(disc) || [...left].some(isAbsent)) await keep(disc);
        else left.add(disc);
      }
      for (let disc = [...left].find(isAbsent); disc !== undefined; disc = [...left].find(isAbsent)) {
        left.delete(disc);
        if (await backend.askFor(disc)) await keep(disc);
      }
      await replace(damaged, signal);
    },
  };
}

/** Whether it may be gone when another one has come. */
function mayGo({ files }: KnownDisc): boolean {
  return files.length > 0 && files.every((each) => each.mayGo);
}
