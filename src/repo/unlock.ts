import { type Algorithms, loadAlgorithms } from './algorithms/algorithms.js';
import { type FoundConfigs, readConfigs } from './config.js';
import { type KeySlot, openKeySlots, readSlots } from './key-slots.js';
import { type Keys, keysFrom } from './keys.js';
import type { OpeningReader } from './remembered-opening.js';

export interface Unlocked {
  readonly keys: Keys;
  /** The key that opened it; undefined without encryption. */
  readonly slot?: KeySlot | undefined;
  /** Keys that were read and are damaged. */
  readonly damagedKeys?: number;
}

/** A repository whose configs were read, while its password is stretched, which takes 0.2 s in a thread of its own. */
export interface Unlocking {
  readonly found: FoundConfigs;
  readonly algorithms: Algorithms;
  /** Rejects with `wrong-password`, DamagedError, and what `password` rejects with. */
  readonly unlocked: Promise<Unlocked>;
}

/** Reads what opens a repository; the password is asked for only when it is encrypted. Rejects as `readConfigs` does. */
export async function unlock(
  reader: OpeningReader,
  password: () => Promise<Uint8Array>,
  portable: boolean,
): Promise<Unlocking> {
  // At the same time: where each takes a round trip, one is spared.
  const slots = readSlots(reader);
  slots.catch(() => undefined);
  const found = await readConfigs(reader);
  const algorithms = await loadAlgorithms(portable);
  const { repository: repositoryId, encrypted } = found[0].config;
  if (!encrypted) {
    const keys = keysFrom({ repositoryId }, algorithms);
    return { found, algorithms, unlocked: Promise.resolve({ keys }) };
  }
  const open = async (): Promise<Unlocked> => {
    const given = await password();
    const read = await slots;
    const { master, slot } = await openKeySlots(read, repositoryId, given, algorithms);
    const keys = keysFrom({ repositoryId, master }, algorithms);
    return { keys, slot, damagedKeys: read.damaged.length };
  };
  const unlocked = open();
  unlocked.catch(() => undefined);
  return { found, algorithms, unlocked };
}
