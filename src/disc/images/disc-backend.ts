import {
  type Backend,
  type ByteRange,
  type CallOptions,
  type Gathering,
  type ListedObject,
  type ObjectKind,
  objectPathOf,
  type ReadOptions,
  resolveRange,
} from '../../backends/index.js';
import { CbrError, ObjectNotFoundError } from '../../core/index.js';
import type { DiscFiles } from './disc-files.js';
import { discInWords, type NamedDisc } from './disc-in-words.js';
import type { DiscPlace, ReportDisc } from './disc-place.js';
import type { DiscSpool } from './disc-spool.js';
import { gatheringOf } from './gather-discs.js';
import type { KnownDisc, KnownDiscs } from './known-discs.js';
import { WholeCopies } from './whole-copies.js';

/** Has a disc put in. `again`: it may be there now; `skip`: the user goes on without it. */
export type AskForDisc = (disc: NamedDisc) => Promise<'again' | 'skip'>;

/** A drive has one head; images lie on a disk that has no more than a few. */
const CONCURRENCY = 4;
/** A disc that cannot be recognized is opened anew so often for one read. */
const MOST_LOOKS = 3;
/** Without them nothing can be opened; packs of trees are on the last disc at least. */
const ON_ALL_DISCS: readonly ObjectKind[] = ['config', 'keys', 'packs'];

interface WantedObject {
  readonly kind: ObjectKind;
  readonly name: string;
  readonly object: string;
  readonly range: ByteRange | undefined;
  readonly signal: AbortSignal | undefined;
  /** Where the copies at hand are damaged. */
  readonly asksForOthers: boolean;
}

/** How far a read has come. */
interface ReadSoFar {
  readonly tried: Set<DiscFiles>;
  readonly damaged: DiscFiles[];
  failure: unknown;
  looks: number;
}

export interface DiscBackendParts {
  readonly location: string;
  readonly place: DiscPlace;
  readonly known: KnownDiscs;
  readonly ask: AskForDisc;
  readonly report: ReportDisc;
  readonly spool: DiscSpool;
}

/**
 * The objects of all discs of a place as one repository, for reading. Packs of discs that are not there are listed; who reads one
 * has the disc asked for, each disc until the user skips it once. Rejects with ObjectNotFoundError naming the disc then.
 */
export class DiscBackend implements Backend {
  readonly location: string;
  readonly concurrency = CONCURRENCY;
  /** In a drive each place is far from the next one, and a disc that is taken out is far away. Images lie on a disk. */
  readonly isRemote: boolean;
  readonly capabilities = Object.freeze({ createOnly: true, writable: false, removable: false });
  readonly gathering: Gathering;
  /** One disc is asked for at a time, and nobody reads meanwhile. */
  private turn: Promise<unknown> = Promise.resolve();
  private readonly whole = new WholeCopies();
  private readonly saidDamaged = new Set<string>();
  /** Discs that were at hand without a whole copy of an object: they are not asked for again because of it. */
  private readonly vain = new Set<string>();

  constructor(private readonly parts: DiscBackendParts) {
    this.location = parts.location;
    this.isRemote = parts.place.isSingle || parts.place.hasDrive;
    const { place, report, spool } = parts;
    this.gathering = gatheringOf({ backend: this, spool, isSingle: () => place.isSingle, report });
  }

  /** The discs that are known, whether they are at hand or not. */
  discs(): readonly KnownDisc[] {
    return this.parts.known.all();
  }

  /** All packs, at hand or not. */
  *packNames(): Generator<string> {
    for (const [name] of this.parts.known.objectsOf('packs')) yield name;
  }

  sizeOf(pack: string): number {
    return this.parts.known.object('packs', pack)?.size ?? 0;
  }

  /** Where a pack lies on each disc that has it. */
  pathOf(pack: string): string {
    return objectPathOf('packs', pack);
  }

  /** The discs on which an object lies, as far as they are known. */
  discsOf(kind: ObjectKind, name: string): readonly KnownDisc[] {
    const discs = this.parts.known.object(kind, name)?.discs;
    return this.discs().filter((disc) => discs?.has(disc));
  }

  async *list(kind: ObjectKind, options: CallOptions = {}): AsyncGenerator<ListedObject> {
    options.signal?.throwIfAborted();
    for (const [name, { size }] of [...this.parts.known.objectsOf(kind)]) yield { name, size };
  }

  async stat(kind: ObjectKind, name: string, options: CallOptions = {}): Promise<ListedObject> {
    options.signal?.throwIfAborted();
    const object = objectPathOf(kind, name);
    const found = this.parts.known.object(kind, name);
    if (found === undefined) throw new ObjectNotFoundError(object);
    return { name, size: found.size };
  }

  async read(
    kind: ObjectKind,
    name: string,
    range?: ByteRange,
    options: ReadOptions = {},
  ): Promise<Uint8Array> {
    const object = objectPathOf(kind, name);
    const { signal } = options;
    if (kind === 'packs' && this.parts.spool.has(name)) {
      signal?.throwIfAborted();
      return this.readKept(name, object, range);
    }
    return this.readCopy({ kind, name, object, range, signal, asksForOthers: true });
  }

  private readKept(name: string, object: string, range: ByteRange | undefined): Promise<Uint8Array> {
    const { offset, length } = resolveRange(object, this.parts.known.object('packs', name)!.size, range);
    return this.parts.spool.read(name, offset, length);
  }

  /** As `read`, of a pack whose copies at hand are damaged too: no other copy is asked for. */
  readHere(name: string, range: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    const object = objectPathOf('packs', name);
    return this.readCopy({ kind: 'packs', name, object, range, signal, asksForOthers: false });
  }

  /**
   * Of several copies a whole one is read: what rotted reads as well as what did not. Where none is whole, what is left of them is
   * for the caller to judge.
   */
  private async readCopy(wanted: WantedObject): Promise<Uint8Array> {
    const { kind, name, object, signal, asksForOthers } = wanted;
    const state: ReadSoFar = { tried: new Set(), damaged: [], failure: undefined, looks: 0 };
    for (;;) {
      const bytes = await this.readUntried(wanted, state, false);
      if (bytes !== undefined) return bytes;
      if (!asksForOthers && isSeenDamaged(state)) break;
      const brought = await this.inTurn(() => this.bringAndRead(wanted, state));
      if (brought === 'none') break;
      if (brought !== 'again') return brought;
    }
    signal?.throwIfAborted();
    return this.readDamaged(wanted, state.damaged, state.failure ?? this.notFound(kind, name, object));
  }

  /** From one of the copies at hand that were not tried yet; undefined where none of them is whole. */
  private async readUntried(
    wanted: WantedObject,
    state: ReadSoFar,
    isInTurn: boolean,
  ): Promise<Uint8Array | undefined> {
    const { kind, name, object, range, signal } = wanted;
    const { tried, damaged } = state;
    for (;;) {
      if (!isInTurn) await this.turn;
      signal?.throwIfAborted();
      const files = this.copies(kind, name, object).find((each) => !tried.has(each));
      if (files === undefined) return undefined;
      tried.add(files);
      try {
        if (this.isChoice(kind, name) && !(await this.whole.isWhole(files, kind, name, signal))) {
          damaged.push(files);
          continue;
        }
        if (damaged.length > 0) this.sayDamaged(object, damaged, files);
        const size = files.sizes.get(object)!;
        const { offset, length } = resolveRange(object, size, range);
        // Who reads all of it does not come back for parts.
        if (isInTurn && length < size && (await this.keep(wanted, files)))
          return await this.readKept(name, object, range);
        return await files.read(object, offset, length);
      } catch (error) {
        signal?.throwIfAborted();
        // Of a disc that has been taken out nothing can be said.
        if (state.looks === MOST_LOOKS || (await files.isStill())) state.failure ??= error;
        else {
          state.looks++;
          const look = () => this.parts.place.lookAgain();
          await (isInTurn ? look() : this.inTurn(look));
        }
      }
    }
  }

  /** Whether there may be another copy to read instead. All discs have records, also those that nobody has seen yet. */
  private isChoice(kind: ObjectKind, name: string): boolean {
    return kind !== 'packs' || this.discsOf(kind, name).length > 1 || this.hasTwins(kind, name);
  }

  /** Whether one disc is there twice. */
  private hasTwins(kind: ObjectKind, name: string): boolean {
    return this.discsOf(kind, name).some(({ files }) => files.length > 1);
  }

  /** What can be read of copies none of which is whole. */
  private async readDamaged(
    { object, range }: WantedObject,
    copies: readonly DiscFiles[],
    failure: unknown,
  ): Promise<Uint8Array> {
    let last = failure;
    for (const files of copies) {
      try {
        const { offset, length } = resolveRange(object, files.sizes.get(object)!, range);
        return await files.read(object, offset, length);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  private sayDamaged(object: string, copies: readonly DiscFiles[], instead: DiscFiles): void {
    for (const { place } of copies) {
      const copy = `${object} in ${place}`;
      if (this.saidDamaged.has(copy)) continue;
      this.saidDamaged.add(copy);
      this.parts.report({
        severity: 'warning',
        reason: `${object} is damaged in ${place}; the copy in ${instead.place} is used`,
        hint: 'Look at that disc with cbr disc verify, and replace it.',
      });
    }
  }

  /** The copies of an object that are at hand. */
  private copies(kind: ObjectKind, name: string, object: string): DiscFiles[] {
    return this.discsOf(kind, name).flatMap(({ files }) => files.filter(({ sizes }) => sizes.has(object)));
  }

  /**
   * Has a disc put in that has the object, or may have it, and reads it before another read has the next one put in: else two of them
   * could have their discs changed for ever. `none`: there is no disc left to ask for.
   */
  private async bringAndRead(wanted: WantedObject, state: ReadSoFar): Promise<Uint8Array | 'again' | 'none'> {
    const { kind, name, object, range, asksForOthers } = wanted;
    // Another one may have been served meanwhile.
    if (kind === 'packs' && asksForOthers && this.parts.spool.has(name))
      return this.readKept(name, object, range);
    const here = await this.readInTurn(wanted, state);
    if (here !== undefined) return here;
    const disc = this.discToAskFor(kind, name, object, isSeenDamaged(state));
    if (disc === undefined) return 'none';
    await this.bring(disc);
    return (await this.readInTurn(wanted, state)) ?? 'again';
  }

  /** What is at hand now has no whole copy where this is undefined: that is remembered. */
  private async readInTurn(wanted: WantedObject, state: ReadSoFar): Promise<Uint8Array | undefined> {
    const bytes = await this.readUntried(wanted, state, true);
    if (bytes !== undefined) return bytes;
    for (const disc of this.discs()) if (disc.files.length > 0) this.vain.add(copyOf(wanted.object, disc));
    return undefined;
  }

  /**
   * Copies a pack for which discs were changed to this machine, so that they are not changed for each part of it. False where it need not
   * be, or cannot: it is read from the disc then.
   */
  private async keep({ kind, name, object, signal, asksForOthers }: WantedObject, files: DiscFiles) {
    const { place, spool } = this.parts;
    // Who does not ask for others is about to copy it.
    if (kind !== 'packs' || !asksForOthers || !(place.isSingle || files.mayGo)) return false;
    if (spool.has(name)) return true;
    const read = (offset: number, length: number) => files.read(object, offset, length);
    const isWhole = await spool.add(name, files.sizes.get(object)!, read, signal).catch(() => undefined);
    if (isWhole === false && !(await files.isStill())) await spool.drop(name);
    return spool.has(name);
  }

  /**
   * The first of those that have the object. Packs of trees are in no list: the last disc of a set has all of them, so discs are
   * asked for backwards, those of the newest labels alone.
   */
  private discToAskFor(
    kind: ObjectKind,
    name: string,
    object: string,
    isDamaged: boolean,
  ): KnownDisc | undefined {
    const isAbsent = (disc: KnownDisc): boolean => !disc.isSkipped && this.isOutOfSight(object, disc);
    const holder = this.discsOf(kind, name).find(isAbsent);
    if (holder !== undefined) return holder;
    const isAnywhere = kind === 'packs' ? !this.parts.known.isNamed(kind, name) : isDamaged;
    if (!isAnywhere || !ON_ALL_DISCS.includes(kind)) return undefined;
    const absent = this.discs().filter(isAbsent);
    return absent.findLast(({ age }) => age === absent[0]!.age);
  }

  /** Asks until the disc is there or skipped. Waits for its turn; says whether it is there. */
  async askFor(disc: KnownDisc): Promise<boolean> {
    return this.inTurn(async () => {
      if (disc.files.length === 0 && !disc.isSkipped) await this.bring(disc);
      return disc.files.length > 0;
    });
  }

  private async bring(disc: KnownDisc): Promise<void> {
    const { ask, place, report } = this.parts;
    for (;;) {
      await place.closeDrives();
      const answer = await ask(disc).finally(() => place.lookAgain());
      if (disc.files.length > 0) return;
      if (answer === 'skip') {
        disc.isSkipped = true;
        return;
      }
      report({ severity: 'note', reason: `${sentence(discInWords(disc))} is not there: ${place.contents}` });
    }
  }

  private inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.turn.then(action);
    this.turn = result.catch(() => undefined);
    return result;
  }

  /** Whether a disc is not at hand, and may have a whole copy of an object for all that was seen of it. */
  private isOutOfSight(object: string, disc: KnownDisc): boolean {
    return disc.files.length === 0 && !this.vain.has(copyOf(object, disc));
  }

  /** Whether all that is known of a pack is that discs which are not at hand should have it, and were not seen without it. */
  isAbsent(pack: string): boolean {
    const discs = this.discsOf('packs', pack);
    const isAway = discs.every(({ files }) => files.length === 0);
    return isAway && discs.some((disc) => this.isOutOfSight(this.pathOf(pack), disc));
  }

  private notFound(kind: ObjectKind, name: string, object: string): ObjectNotFoundError {
    const absent = this.discsOf(kind, name).find((disc) => this.isOutOfSight(object, disc));
    if (absent === undefined) return new ObjectNotFoundError(object);
    return new ObjectNotFoundError(object, {
      whereabouts: `is on ${discInWords(absent)}, which is missing`,
      hint: 'Put that disc or its image to the others, and run the command again.',
    });
  }

  async write(): Promise<void> {
    throw this.readOnly();
  }

  async remove(): Promise<void> {
    throw this.readOnly();
  }

  async removeMany(): Promise<void> {
    throw this.readOnly();
  }

  private readOnly(): CbrError {
    return new CbrError('read-only', `the repository ${this.location} lies on discs, and can only be read`, {
      hint: 'Write to the repository that the discs were made from, or copy it to a new one: cbr copy.',
    });
  }

  async close(): Promise<void> {
    await this.parts.spool.close();
    await this.parts.place.close();
  }
}

function copyOf(object: string, { id }: KnownDisc): string {
  return `${id} ${object}`;
}

function isSeenDamaged({ damaged, failure }: ReadSoFar): boolean {
  return damaged.length > 0 || failure !== undefined;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
