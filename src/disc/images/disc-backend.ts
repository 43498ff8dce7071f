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

/** Has a disc put in. `again`: it may be there now; `skip`: the user goes on without it. */
export type AskForDisc = (disc: NamedDisc) => Promise<'again' | 'skip'>;

/** A drive has one head; images lie on a disk that has no more than a few. */
const CONCURRENCY = 4;

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
  packNames(): Iterable<string> {
    return this.parts.known.objectsOf('packs').keys();
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
    const { spool } = this.parts;
    if (kind === 'packs' && spool.has(name)) {
      options.signal?.throwIfAborted();
      const { offset, length } = resolveRange(object, this.parts.known.object(kind, name)!.size, range);
      return spool.read(name, offset, length);
    }
    const tried = new Set<DiscFiles>();
    let failure: unknown;
    for (;;) {
      await this.turn;
      options.signal?.throwIfAborted();
      const files = this.copies(kind, name, object).find((each) => !tried.has(each));
      if (files === undefined) {
        if (await this.bringDisc(kind, name, object, tried)) continue;
        options.signal?.throwIfAborted();
        throw failure ?? this.notFound(kind, name, object);
      }
      tried.add(files);
      try {
        const { offset, length } = resolveRange(object, files.sizes.get(object)!, range);
        return await files.read(object, offset, length);
      } catch (error) {
        // Of a disc that has been taken out nothing can be said.
        if (await files.isStill()) failure ??= error;
        else await this.inTurn(() => this.parts.place.lookAgain());
      }
    }
  }

  /** The copies of an object that are at hand. */
  private copies(kind: ObjectKind, name: string, object: string): DiscFiles[] {
    return this.discsOf(kind, name).flatMap(({ files }) => files.filter(({ sizes }) => sizes.has(object)));
  }

  /** Has a disc put in that has the object, or may have it. False when there is none left to ask for. */
  private bringDisc(
    kind: ObjectKind,
    name: string,
    object: string,
    tried: ReadonlySet<DiscFiles>,
  ): Promise<boolean> {
    return this.inTurn(async () => {
      // Another one may have been served meanwhile.
      if (this.copies(kind, name, object).some((each) => !tried.has(each))) return true;
      const disc = this.discToAskFor(kind, name);
      if (disc === undefined) return false;
      await this.bring(disc);
      return true;
    });
  }

  /**
   * The first of those that have the object. Packs of trees are in no list: the last disc of a set has all of them, so discs are
   * asked for backwards.
   */
  private discToAskFor(kind: ObjectKind, name: string): KnownDisc | undefined {
    const isAbsent = ({ files, isSkipped }: KnownDisc): boolean => files.length === 0 && !isSkipped;
    const holders = this.discsOf(kind, name);
    if (holders.length > 0 || kind !== 'packs') return holders.find(isAbsent);
    return this.discs().filter(isAbsent).at(-1);
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

  private notFound(kind: ObjectKind, name: string, object: string): ObjectNotFoundError {
    const absent = this.discsOf(kind, name).find(({ files }) => files.length === 0);
    if (absent === undefined) return new ObjectNotFoundError(object);
    return new ObjectNotFoundError(object, {
      reason: `is on ${discInWords(absent)}, which is missing`,
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

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
