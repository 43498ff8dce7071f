import { loadAlgorithms } from './algorithms/algorithms.js';
import { countingConfig, readConfigs } from './config.js';
import { openKeySlots, readSlots } from './key-slots.js';
import { keysFrom } from './keys.js';
import { openStore, type StoreAccess } from './open-store.js';
import type { ConfigRecord } from './records.js';

/** The parameters of a repository that is not opened. */
export interface FoundParameters {
  readonly config: ConfigRecord;
  /**
   * Whether its key vouches for them, or without encryption its checksum. Otherwise whoever can write to it may have changed
   * them, within the limits of the format: that makes a repository worse, and never unsafe.
   */
  readonly isVerified: boolean;
}

/**
 * Reads the parameters of another repository. They are not secret: without a password they are read, and not verified. Rejects as
 * `openRepository` does.
 */
export async function readParameters(
  access: StoreAccess & { readonly portable: boolean },
  password?: () => Promise<Uint8Array>,
): Promise<FoundParameters> {
  const backend = await openStore(access);
  try {
    const found = await readConfigs(backend);
    const { repository: repositoryId, encrypted } = found[0].config;
    if (encrypted && password === undefined) return { config: found[0].config, isVerified: false };
    const algorithms = await loadAlgorithms(access.portable);
    const master =
      encrypted && password !== undefined
        ? (await openKeySlots(await readSlots(backend), repositoryId, await password(), algorithms)).master
        : undefined;
    const keys = keysFrom(master === undefined ? { repositoryId } : { repositoryId, master }, algorithms);
    return { config: countingConfig(found, keys).config, isVerified: true };
  } finally {
    await backend.close();
  }
}
