import type { Disc, DiscInfo } from './disc.js';
import { messageOf, rethrowUnlessDamage } from './failure.js';
import { Fields } from './fields.js';
import type { Keys } from './keys.js';
import { openRecord } from './object.js';
import type { Store } from './store.js';
import { shown } from './text.js';

/** Which discs to ask for: from the disc.json of all discs in reach, and from the catalog of the repository. */
export class Discs {
  private readonly discs = new Map<string, Disc>();
  private readonly retired = new Set<string>();
  private readonly holders = new Map<string, Set<string>>();
  /** The packs that were seen on each disc. */
  private readonly shown = new Map<string, Set<string>>();

  /** Discs of every set, by set and number. */
  all(): Disc[] {
    return [...this.discs.values()]
      .filter(({ id }) => !this.retired.has(id))
      .sort((a, b) => a.set.localeCompare(b.set) || a.number - b.number);
  }

  /** The discs that have a pack: as discs and catalog say, or as it was seen. */
  holdersOf(pack: string): Disc[] {
    const holders = this.holders.get(pack) ?? new Set<string>();
    return this.all().filter(({ id }) => holders.has(id) || this.hasShown(id, pack));
  }

  /** Whether it is said which discs have it. Of tree packs it is not. */
  isListed(pack: string): boolean {
    return this.holders.has(pack);
  }

  /** A disc is in reach, and these are the packs in its folder. */
  see(disc: string, packs: readonly string[]): void {
    this.shown.set(disc, new Set([...(this.shown.get(disc) ?? []), ...packs]));
  }

  /** Whether that disc was in reach at some time. */
  wasSeen(disc: string): boolean {
    return this.shown.has(disc);
  }

  /** Whether that disc was in reach with that pack in its folder. */
  hasShown(disc: string, pack: string): boolean {
    return this.shown.get(disc)?.has(pack) ?? false;
  }

  addInfo(info: DiscInfo): void {
    this.add(info, []);
    for (const { disc, packs } of info.discs) this.add(disc, packs);
  }

  /** `problem` is told of records that cannot be opened; the others count. */
  addCatalog(store: Store, keys: Keys, problem: (text: string) => void): void {
    const names = store.names('catalog').sort((a, b) => Number(a) - Number(b));
    for (const name of names) {
      try {
        store.read('catalog', name, (object) => this.addRecord(keys, name, object));
      } catch (error) {
        rethrowUnlessDamage(error);
        problem(`catalog/${name}: ${messageOf(error)}`);
      }
    }
  }

  private addRecord(keys: Keys, name: string, object: Buffer): void {
    const table = ['build?', 'disc?', 'by', 'time', 'extensions?'];
    const fields = new Fields(openRecord(keys, 'catalog', name, object), table, 'a catalog record');
    if (fields.has('disc')) {
      const event = new Fields(fields.any('disc'), ['id', 'event'], 'an event of a disc');
      const id = event.bytes('id', 16).toString('hex');
      if (event.text('event') === 'retired') this.retired.add(id);
      else this.retired.delete(id);
    }
    if (!fields.has('build')) return;
    const keysOfBuild = ['id', 'set', 'content', 'medium', 'sectors', 'snapshots', 'discs'];
    const build = new Fields(fields.any('build'), keysOfBuild, 'a build');
    const set = build.text('set', 64);
    const planned = build.list('discs').map((value) => {
      const disc = new Fields(value, ['id', 'number', 'volume', 'packs'], 'a disc of a build');
      const packs = disc.list('packs').map((pack) => {
        const listed = new Fields(pack, ['name', 'size'], 'a pack of a disc');
        return listed.bytes('name', 32).toString('hex');
      });
      const id = disc.bytes('id', 16).toString('hex');
      return { disc: { id, set, number: disc.int('number'), volume: disc.text('volume', 32) }, packs };
    });
    for (const { disc, packs } of planned) this.add(disc, packs);
  }

  private add(disc: Disc, packs: readonly string[]): void {
    const { id, set, number, volume } = disc;
    this.discs.set(id, { id, set, number, volume });
    for (const pack of packs) {
      const holders = this.holders.get(pack) ?? new Set<string>();
      this.holders.set(pack, holders.add(id));
    }
  }
}

/** What people call a disc. Nothing in it steers a terminal. */
export function discText({ number, set, volume }: Disc): string {
  return `disc ${number} of the set ${shown(set)} (${shown(volume)})`;
}
