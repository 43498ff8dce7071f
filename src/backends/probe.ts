import { createHash, randomBytes } from 'node:crypto';
import {
  BackendError,
  CbrError,
  DamagedError,
  ObjectExistsError,
  ObjectNotFoundError,
  sameBytes,
} from '../core/index.js';
import type { Backend, ByteRange, CallOptions } from './backend.js';
import type { StoreFacts } from './store-facts.js';

/** What a store was seen to do: of a thing that could not be tried nothing is known. */
export type Verdict = 'fine' | 'missing' | 'unknown';

/** What of the contract a probe tries on the real store. */
export const PROBED = [
  'create-only',
  'read-after-write',
  'list-after-write',
  'ranged-reads',
  'sizes',
  'removal',
] as const;
export type Probed = (typeof PROBED)[number];

export interface ProbeResult {
  readonly verdicts: Readonly<Record<Probed, Verdict>>;
  /** What the store or the key said where something was not fine. */
  readonly reasons: Readonly<Partial<Record<Probed, string>>>;
  /** What the store says of itself; undefined for media that cannot tell. */
  readonly facts: StoreFacts | undefined;
}

export interface ProbeOptions extends CallOptions {
  /** For how many names some writers race. */
  readonly rounds?: number;
}

/** Objects that a probe writes are of the kind `parity`, which nobody reads. */
const PROBE_NAME = /^probe-[0-9a-f]+$/;

/** Of the content: long enough for ranges at its start, in its middle and at its end. */
const CONTENT_BYTES = 4096;

const DIGEST_BYTES = 32;

/** One race can be won by chance. */
const ROUNDS = 2;

/** Of one name: three are three pairs, for fewer requests than three races of two. */
const RACERS = 3;

/** Another machine clears left-over probes away in one go: not again and again. */
const TRIES = 3;

/**
 * Tries a store: what it does counts, not what it says. Writes a few small objects `parity/probe-<hex>` and removes them if
 * it may. Rejects when it cannot even write, the store fails in a way that another try may get past, or others remove these
 * objects each time: a write that another machine made room for looks as if it had overwritten.
 */
export async function probeBackend(backend: Backend, options: ProbeOptions = {}): Promise<ProbeResult> {
  for (let left = TRIES; left > 0; left--) {
    const result = await new Probe(backend, options).run();
    if (result !== undefined) return result;
  }
  throw new BackendError(
    `${backend.location} could not be tried: each time the objects of the trial were removed by someone else`,
    true,
    {
      hint: 'wait until no other cbr prune and no cbr doctor --clean runs there, then run the command again',
    },
  );
}

/** What probes left behind that were broken off, or whose key may not remove. */
export async function leftProbes(backend: Pick<Backend, 'list'>): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of backend.list('parity')) if (PROBE_NAME.test(name)) names.push(name);
  return names;
}

class Probe {
  private readonly call: CallOptions;
  private readonly rounds: number;
  private readonly written: string[] = [];
  private readonly reasons: Partial<Record<Probed, string>> = {};

  constructor(
    private readonly backend: Backend,
    { rounds = ROUNDS, signal }: ProbeOptions,
  ) {
    this.call = signal === undefined ? {} : { signal };
    this.rounds = rounds;
  }

  /** Undefined when it was disturbed, so that what it found missing may be there. */
  async run(): Promise<ProbeResult | undefined> {
    const { backend, call } = this;
    // Its name comes before all others in a list: whoever clears them away removes it too, and first.
    const witness = this.newName('probe-0');
    const name = this.newName();
    const content = newContent(CONTENT_BYTES);
    try {
      await backend.write('parity', witness, newContent(DIGEST_BYTES), call);
      // What does not depend on each other is tried at the same time: each request of a distant store is a round trip.
      const telling = Promise.resolve(backend.examine?.(call));
      const [facts, verdicts] = await all([telling, this.tryAll(name, content)]);
      const isLacking = PROBED.some((thing) => thing !== 'removal' && verdicts[thing] === 'missing');
      if (isLacking && !(await this.isThere(witness))) return undefined;
      return { verdicts, reasons: this.reasons, facts };
    } finally {
      // What cannot be removed is left to a prune.
      await backend.removeMany('parity', this.written).catch(() => undefined);
    }
  }

  private async tryAll(name: string, content: Uint8Array): Promise<Record<Probed, Verdict>> {
    await this.backend.write('parity', name, content, this.call);
    const [read, listed, ranged, sized] = await all([
      this.tried('read-after-write', () => this.holds(name, content)),
      this.tried('list-after-write', () => this.isListed(name, content)),
      this.tried('ranged-reads', () => this.readsRanges(name, content)),
      this.tried('sizes', () => this.tellsSizes(name, content)),
    ]);
    return {
      'read-after-write': read,
      'list-after-write': listed,
      'ranged-reads': ranged,
      sizes: sized,
      // From here on the object may hold something else.
      'create-only': await this.tried('create-only', () => this.isCreateOnly(name, content)),
      removal: await this.tried('removal', () => this.removes(name)),
    };
  }

  private newName(start = 'probe-1'): string {
    const name = `${start}${randomBytes(8).toString('hex')}`;
    this.written.push(name);
    return name;
  }

  /** Whatever the store refuses for good is missing; what may succeed later says nothing about it. */
  private async tried(thing: Probed, isFine: () => Promise<boolean>): Promise<Verdict> {
    try {
      return (await isFine()) ? 'fine' : 'missing';
    } catch (error) {
      this.call.signal?.throwIfAborted();
      if (!(error instanceof CbrError) || (error as { retryable?: boolean }).retryable === true) throw error;
      this.reasons[thing] = error.message;
      // Absent or torn is an answer; a refusal is one only where removing is concerned.
      const isAnswer = error instanceof ObjectNotFoundError || error instanceof DamagedError;
      return isAnswer || thing === 'removal' ? 'missing' : 'unknown';
    }
  }

  /** A second write is refused and changes nothing, and of some at the same time one wins. */
  private async isCreateOnly(name: string, content: Uint8Array): Promise<boolean> {
    const trials = [this.isKept(name, content)];
    for (let round = 0; round < this.rounds; round++) trials.push(this.isRaceWonOnce());
    return (await all(trials)).every((isFine) => isFine);
  }

  private async isKept(name: string, content: Uint8Array): Promise<boolean> {
    // Of another length: a backend that reads back what was there first sees at once that it is not the same.
    return (
      (await this.isRefused(name, newContent(CONTENT_BYTES - RACERS))) && (await this.holds(name, content))
    );
  }

  private async isRefused(name: string, content: Uint8Array): Promise<boolean> {
    try {
      await this.backend.write('parity', name, content, this.call);
      return false;
    } catch (error) {
      if (error instanceof ObjectExistsError) return true;
      throw error;
    }
  }

  private async isRaceWonOnce(): Promise<boolean> {
    const name = this.newName();
    const contents = Array.from({ length: RACERS }, (_, i) => newContent(CONTENT_BYTES - i));
    const refused = await all(contents.map((content) => this.isRefused(name, content)));
    const winners = contents.filter((_, i) => refused[i] === false);
    return winners.length === 1 && this.holds(name, winners[0]!);
  }

  private async holds(name: string, content: Uint8Array): Promise<boolean> {
    return sameBytes(await this.backend.read('parity', name, undefined, this.call), content);
  }

  private async listed(name: string): Promise<number[]> {
    const sizes: number[] = [];
    for await (const object of this.backend.list('parity', this.call)) {
      if (object.name === name) sizes.push(object.size);
    }
    return sizes;
  }

  private async isListed(name: string, { byteLength }: Uint8Array): Promise<boolean> {
    const sizes = await this.listed(name);
    return sizes.length === 1 && sizes[0] === byteLength;
  }

  private async readsRanges(name: string, content: Uint8Array): Promise<boolean> {
    const end = content.byteLength;
    const parts: readonly (readonly [ByteRange, number, number])[] = [
      [{ offset: 0, length: 1 }, 0, 1],
      [{ offset: 1001, length: 2000 }, 1001, 3001],
      [{ suffix: 16 }, end - 16, end],
    ];
    const isRead = async ([range, from, to]: (typeof parts)[number]): Promise<boolean> =>
      sameBytes(await this.backend.read('parity', name, range, this.call), content.subarray(from, to));
    return (await all(parts.map(isRead))).every((isFine) => isFine);
  }

  private async tellsSizes(name: string, { byteLength }: Uint8Array): Promise<boolean> {
    return (await this.backend.stat('parity', name, this.call)).size === byteLength;
  }

  private async removes(name: string): Promise<boolean> {
    await this.backend.remove('parity', name, this.call);
    const [listed, isThere] = await all([this.listed(name), this.isThere(name)]);
    return listed.length === 0 && !isThere;
  }

  private async isThere(name: string): Promise<boolean> {
    try {
      // Not its length alone: the answer to that has no body that says what is missing.
      await this.backend.read('parity', name, undefined, this.call);
      return true;
    } catch (error) {
      if (error instanceof ObjectNotFoundError) return false;
      throw error;
    }
  }
}

/** Ends with its SHA-256, as records do: a wrapper that reads again what does not prove itself need not. */
function newContent(length: number): Buffer {
  const random = randomBytes(length - DIGEST_BYTES);
  return Buffer.concat([random, createHash('sha256').update(random).digest()]);
}

/** As `Promise.all`, but rejects only when all have ended: nothing is written any more after what was written is removed. */
async function all<const Work extends readonly unknown[]>(
  work: Work,
): Promise<{ -readonly [I in keyof Work]: Awaited<Work[I]> }> {
  const settled = await Promise.allSettled(work);
  const failed = settled.find((each) => each.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return Promise.all(work) as Promise<{ -readonly [I in keyof Work]: Awaited<Work[I]> }>;
}
