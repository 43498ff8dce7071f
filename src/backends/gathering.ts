interface Abortable {
  readonly signal?: AbortSignal;
}

/** Of a medium in parts that people put in, each of which is to be put in once. */
export interface Gathering {
  /** Whether something may have to be put in for what is going to be read. */
  readonly isNeeded: boolean;
  /** Whether everything but packs is at hand whatever parts are: then what is not there is missing. */
  readonly hasAllRecords: boolean;
  /** Whether only is known of a pack in which part it should be, which is not in now and was not seen without it. */
  isAbsent(pack: string): boolean;
  /** Whether that part is there, as far as can be seen, and cannot be read: then the pack is not absent. */
  isUnreadable(pack: string): boolean;
  /** The parts that are in now and have that pack, in words. */
  presentParts(pack: string): readonly string[];
  /**
   * Has what is needed put in to know where everything is: `isKnown` says whether the index names a pack. True when it came: then
   * there is more to list and to read. Rejects as whoever asks does.
   */
  completeIndex(isKnown: (pack: string) => boolean, options?: Abortable): Promise<boolean>;
  /**
   * Divides packs so that each part has to be put in once when one group after another is read: first those that are at hand, then those of one
   * part each. Packs that are not to be had are in the first group.
   */
  inTurns<T extends { readonly name: string }>(packs: readonly T[]): readonly (readonly T[])[];
  /**
   * Has these packs put in, part by part, and keeps a copy of those that will not stay. What is not to be had is left out: reading it
   * rejects. Rejects as whoever asks does, and with BackendError when there is no room for the copies.
   */
  gather(packs: Iterable<string>, options?: Abortable): Promise<void>;
}
