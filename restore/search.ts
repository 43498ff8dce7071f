import { discText } from './catalog.js';
import type { Disc } from './disc.js';
import { Damage, DamagedPack, type OutOfReach } from './failure.js';
import type { Session } from './session.js';

export interface NeededDisc {
  readonly disc: Disc;
  /** How many entries wait for it; 0 where it is only a guess. */
  readonly entries: number;
}

/**
 * Which disc comes next, and why something was not to be had. It ends: no disc is asked for again because of a pack that could not be
 * had when it was in reach, and by guess only for one that was never in reach.
 */
export class DiscSearch {
  private readonly skipped = new Set<string>();
  /** Packs that could not be had from a disc that was in reach. */
  private readonly vain = new Set<string>();

  constructor(private readonly session: Session) {}

  /** From now on it goes without that disc. */
  skip({ id }: Disc): void {
    this.skipped.add(id);
  }

  /**
   * `missing`: how many entries the last pass has left for each pack; for '' those of which no index says where they lie. In the order
   * of the discs; where no index says what lies where, the last disc of a set comes first: it has the index.
   */
  next(missing: ReadonlyMap<string, number>): NeededDisc | undefined {
    const { discs } = this.session;
    const away = this.session.missingDiscs();
    const entries = new Map<string, number>();
    let areGuessed = false;
    for (const [pack, count] of missing) {
      for (const { id } of discs.holdersOf(pack)) if (this.session.isHere(id)) this.vain.add(`${id} ${pack}`);
      const holders = this.holdersAway(pack);
      if (holders.length === 0 && !discs.isListed(pack)) areGuessed = true;
      for (const { id } of holders) entries.set(id, (entries.get(id) ?? 0) + count);
    }
    const known = away.filter(({ id }) => entries.has(id));
    const isGuess = ({ id }: Disc): boolean => !entries.has(id) && !discs.wasSeen(id);
    const guessed = areGuessed ? away.filter(isGuess).reverse() : [];
    const needed = missing.has('') ? [...guessed, ...known] : [...known, ...guessed];
    const disc = needed.find(({ id }) => !this.skipped.has(id));
    return disc === undefined ? undefined : { disc, entries: entries.get(disc.id) ?? 0 };
  }

  reasonOf(loss: Damage | OutOfReach): string {
    if (loss instanceof DamagedPack) {
      const others = this.holdersAway(loss.pack);
      return others.length === 0 ? loss.message : `${loss.message}; ${lieOn('another copy', others)}`;
    }
    if (loss instanceof Damage) return loss.message;
    if (loss.pack === undefined) {
      const missing = this.session.missingDiscs();
      return missing.length === 0
        ? loss.message
        : `${loss.message}; not in reach: ${missing.map(discText).join(', ')}`;
    }
    const { discs } = this.session;
    const holders = discs.holdersOf(loss.pack);
    if (holders.length === 0) return `${loss.message}, and no disc is known that has it`;
    const away = this.holdersAway(loss.pack);
    const failing = holders.filter((each) => !away.includes(each));
    if (failing.length === 0) return lieOn('it', away);
    const had = (each: Disc): string =>
      discs.hasShown(each.id, loss.pack ?? '')
        ? `it is damaged on ${discText(each)}`
        : `${discText(each)} does not have it`;
    const parts = [...failing.map(had), ...(away.length > 0 ? [lieOn('a copy', away)] : [])];
    return `${parts.join('; ')} (pack ${loss.pack})`;
  }

  /** Discs that may have the pack and are not in reach. */
  private holdersAway(pack: string): Disc[] {
    const holders = this.session.discs.holdersOf(pack);
    return holders.filter(({ id }) => !this.session.isHere(id) && !this.vain.has(`${id} ${pack}`));
  }
}

function lieOn(what: string, discs: readonly Disc[]): string {
  return `${what} lies on ${discs.map(discText).join(' and ')}, which ${discs.length === 1 ? 'is' : 'are'} not in reach`;
}
