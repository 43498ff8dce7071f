import type { EncodedEntry } from '../tree.js';

/** An entry, or nothing for what vanished or could not be read. */
export type Slot = EncodedEntry | undefined;

/**
 * The entries of one folder while the content of its files is being read: one place for each, filled in any order. A promise
 * for each file would be the larger part of what a first snapshot allocates.
 */
export class FolderSlots {
  private readonly slots: Slot[];
  private waiting: number;
  private failure: { readonly error: unknown } | undefined;
  private settle: (() => void) | undefined;

  constructor(count: number) {
    this.slots = new Array<Slot>(count).fill(undefined);
    this.waiting = count;
  }

  /** To be called once for each place. */
  set(place: number, slot: Slot): void {
    this.slots[place] = slot;
    this.waiting--;
    if (this.waiting === 0) this.settle?.();
  }

  /** The folder will not be finished: who waits for it gets this error. */
  fail(error: unknown): void {
    this.failure ??= { error };
    this.settle?.();
  }

  /** The entries there are, in order, once all places are filled; undefined while some are not. */
  get entries(): EncodedEntry[] | undefined {
    if (this.failure !== undefined) throw this.failure.error;
    return this.waiting > 0 ? undefined : this.slots.filter((slot) => slot !== undefined);
  }

  /** Calls `finish` with the entries as soon as all places are filled. Rejects with what `fail` was given. */
  whenFilled<T>(finish: (entries: readonly EncodedEntry[]) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.settle = () => {
        try {
          const { entries } = this;
          if (entries !== undefined) resolve(finish(entries));
        } catch (error) {
          reject(error);
        }
      };
      this.settle();
    });
  }
}
