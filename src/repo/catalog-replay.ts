import { toHex } from '../core/index.js';
import type { CatalogRecord } from './records.js';

/** What the events of the catalog come to, one after the other (docs/format.md, "Catalog"). Pure. */

export interface CatalogPack {
  /** SHA-256, hexadecimal. */
  readonly name: string;
  /** Stored bytes. */
  readonly size: number;
}

/** A disc as it is planned. */
export interface PlannedCatalogDisc {
  /** 32 hexadecimal digits, random. */
  readonly id: string;
  /** Counts the discs of a set from 1, through all its builds. */
  readonly number: number;
  /** Volume id. */
  readonly volume: string;
  readonly packs: readonly CatalogPack[];
}

export interface CatalogDisc extends PlannedCatalogDisc {
  /** What its latest event says. */
  readonly state: 'planned' | CatalogEvent;
  /** When that was, seconds since 1970. */
  readonly changed: number;
  /** Id of the build that planned it. */
  readonly build: string;
}

/** What becomes of a disc: its image is written, it is burned, or it counts no longer. */
export type CatalogEvent = 'built' | 'burned' | 'retired';

/** What a disc set carries: all that the snapshots need, what is on no disc since then, what is on no disc at all. */
export type DiscContent = 'all' | 'since-full' | 'new';

/** Discs that are planned together. */
export interface PlannedCatalogBuild {
  /** 32 hexadecimal digits, random. */
  readonly id: string;
  readonly set: string;
  readonly content: DiscContent;
  readonly medium: string;
  readonly sectors: number;
  /** Ids of the snapshots it was made for. */
  readonly snapshots: readonly string[];
  readonly discs: readonly PlannedCatalogDisc[];
}

export interface CatalogBuild extends PlannedCatalogBuild {
  /** When it was planned, seconds since 1970. */
  readonly time: number;
  readonly by: string;
  readonly discs: readonly CatalogDisc[];
}

export interface DiscCatalog {
  /** In the order in which they were planned. */
  readonly builds: readonly CatalogBuild[];
  /** Names of records that could not be opened, or that plan again what an earlier one has planned. */
  readonly unreadable: readonly string[];
  /** Names of records about discs of which no build is known: it may be one that cannot be opened. */
  readonly strays: readonly string[];
}

/** Takes the events in their order. */
export class CatalogReplay {
  private readonly builds = new Map<string, Omit<CatalogBuild, 'discs'> & { readonly discs: string[] }>();
  private readonly discs = new Map<string, CatalogDisc>();
  private readonly unreadable: string[] = [];
  private readonly strays: string[] = [];

  add(name: string, record: CatalogRecord | undefined): void {
    if (record?.build !== undefined) this.plan(name, record.build, record);
    else if (record?.disc !== undefined) this.change(name, record.disc, record.time);
    else this.unreadable.push(name);
  }

  catalog(): DiscCatalog {
    const builds = [...this.builds.values()].map(({ discs, ...build }) => ({
      ...build,
      discs: discs.map((id) => this.discs.get(id)!),
    }));
    return { builds, unreadable: this.unreadable, strays: this.strays };
  }

  private plan(name: string, build: NonNullable<CatalogRecord['build']>, { time, by }: CatalogRecord): void {
    const { set, content, medium, sectors } = build;
    const id = toHex(build.id);
    const ids = build.discs.map((disc) => toHex(disc.id));
    const isKnown = this.builds.has(id) || ids.some((disc) => this.discs.has(disc));
    if (isKnown || new Set(ids).size < ids.length) {
      this.unreadable.push(name);
      return;
    }
    const snapshots = build.snapshots.map(toHex);
    this.builds.set(id, { id, set, content, medium, sectors, snapshots, time, by, discs: ids });
    build.discs.forEach(({ number, volume, packs }, i) => {
      this.discs.set(ids[i]!, {
        id: ids[i]!,
        number,
        volume,
        packs: packs.map((pack) => ({ name: toHex(pack.name), size: pack.size })),
        state: 'planned',
        changed: time,
        build: id,
      });
    });
  }

  private change(name: string, { id, event }: NonNullable<CatalogRecord['disc']>, time: number): void {
    const disc = this.discs.get(toHex(id));
    if (disc === undefined) this.strays.push(name);
    else this.discs.set(disc.id, { ...disc, state: event, changed: time });
  }
}
