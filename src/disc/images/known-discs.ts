import { OBJECT_KINDS, type ObjectKind } from '../../backends/index.js';
import type { DiscLabel } from '../label.js';
import { objectAt } from '../object-at.js';
import type { DiscFiles } from './disc-files.js';
import type { NamedDisc } from './disc-in-words.js';
import type { OpenedDisc } from './open-disc.js';

/** A disc that is at hand, was, or is named by another one. */
export interface KnownDisc extends NamedDisc {
  readonly id: string;
  /** The copies of it that are at hand: whole ones first. */
  readonly files: DiscFiles[];
  /** How new the label is that names it: 0 is the newest. Older ones may name discs that count no longer. */
  age: number;
  /** The user goes on without it. */
  isSkipped: boolean;
}

export interface KnownObject {
  /** Stored bytes: those of the copy that has most of it. */
  readonly size: number;
  readonly discs: ReadonlySet<KnownDisc>;
}

/** Bytes of one object on each disc. */
interface Entry {
  /** As labels say. */
  readonly told: Map<KnownDisc, number>;
  /** As there are on a disc that was seen. */
  readonly found: Map<KnownDisc, number>;
}

/** What lies where: objects of all discs that were seen, and packs of those that are named only. */
export class KnownDiscs {
  private readonly discs = new Map<string, KnownDisc>();
  private readonly objects = new Map<ObjectKind, Map<string, Entry>>(
    OBJECT_KINDS.map((kind) => [kind, new Map()]),
  );
  private readonly labels = new Map<string, DiscLabel>();
  private readonly registered = new Set<DiscFiles>();

  /** All discs, by set and number. */
  all(): readonly KnownDisc[] {
    return [...this.discs.values()].sort(
      (a, b) => a.age - b.age || (a.set < b.set ? -1 : a.set > b.set ? 1 : 0) || a.number - b.number,
    );
  }

  *objectsOf(kind: ObjectKind): Generator<readonly [name: string, object: KnownObject]> {
    for (const [name, entry] of this.objects.get(kind)!) {
      const object = objectIn(entry);
      if (object !== undefined) yield [name, object];
    }
  }

  object(kind: ObjectKind, name: string): KnownObject | undefined {
    const entry = this.objects.get(kind)?.get(name);
    return entry === undefined ? undefined : objectIn(entry);
  }

  /** Whether a disc has had it, or a label says that one has. */
  isNamed(kind: ObjectKind, name: string): boolean {
    return this.objects.get(kind)?.has(name) === true;
  }

  /** Takes what the label of a disc says that need not be at hand. */
  remember(label: DiscLabel): void {
    this.labels.set(label.disc, label);
    this.addNamed();
  }

  /** From now on these discs are at hand, and no others. */
  nowPresent(opened: readonly OpenedDisc[]): void {
    for (const disc of this.discs.values()) disc.files.length = 0;
    for (const { label, files } of opened) {
      // A disc that got another session has a newer label.
      if ((this.labels.get(label.disc)?.created ?? '') <= label.created) this.labels.set(label.disc, label);
      const disc = this.known(label, label.set);
      disc.files.push(files);
      disc.files.sort((a, b) => faultsOf(a) - faultsOf(b));
      disc.isSkipped = false;
      if (!this.registered.has(files)) this.register(disc, files);
    }
    this.addNamed();
  }

  private register(disc: KnownDisc, files: DiscFiles): void {
    this.registered.add(files);
    for (const [path, size] of files.sizes) {
      const object = objectAt(path);
      if (object !== undefined) enter(this.entry(object.kind, object.name).found, disc, size);
    }
  }

  /** The newest label counts first. */
  private addNamed(): void {
    const labels = [...this.labels.values()].sort((a, b) =>
      a.created === b.created ? 0 : a.created < b.created ? 1 : -1,
    );
    for (const disc of this.discs.values()) disc.age = Number.POSITIVE_INFINITY;
    labels.forEach(({ set, discs }, age) => {
      // Each set has a newest one of its own.
      const own = labels.slice(0, age).filter((newer) => newer.set === set).length;
      for (const named of discs) {
        const disc = this.known(named, set);
        disc.age = Math.min(disc.age, own);
        for (const { name, size } of named.packs) enter(this.entry('packs', name).told, disc, size);
      }
    });
  }

  private known(named: { disc: string; number: number; volume: string }, set: string): KnownDisc {
    const found = this.discs.get(named.disc);
    if (found !== undefined) return found;
    const { disc: id, number, volume } = named;
    // Until a label says how old it is.
    const age = Number.POSITIVE_INFINITY;
    const made: KnownDisc = { id, set, number, volume, files: [], age, isSkipped: false };
    this.discs.set(id, made);
    return made;
  }

  private entry(kind: ObjectKind, name: string): Entry {
    const objects = this.objects.get(kind)!;
    const found = objects.get(name);
    if (found !== undefined) return found;
    const made: Entry = { told: new Map(), found: new Map() };
    objects.set(name, made);
    return made;
  }
}

function faultsOf({ lacking, earlier }: DiscFiles): number {
  return lacking + (earlier === undefined ? 0 : 1);
}

function enter(sizes: Map<KnownDisc, number>, disc: KnownDisc, size: number): void {
  sizes.set(disc, Math.max(sizes.get(disc) ?? 0, size));
}

/** Of a disc that is at hand, what is there counts. Undefined for what is nowhere. */
function objectIn({ told, found }: Entry): KnownObject | undefined {
  const discs = new Set<KnownDisc>(found.keys());
  let size = Math.max(0, ...found.values());
  for (const [disc, bytes] of told) {
    if (disc.files.length > 0) continue;
    discs.add(disc);
    size = Math.max(size, bytes);
  }
  return discs.size === 0 ? undefined : { size, discs };
}
