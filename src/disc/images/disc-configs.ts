import { createHash } from 'node:crypto';
import { CbrError } from '../../core/index.js';
import { decodeConfig, isProven } from '../../repo/index.js';
import type { DiscFiles } from './disc-files.js';

/** Configs never change under their names: discs that have different ones are not of one repository, whatever their labels say. */

export interface DiscConfig {
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  /** Undefined where it cannot be understood. */
  readonly isEncrypted: boolean | undefined;
}

/** By name. */
export type DiscConfigs = ReadonlyMap<string, DiscConfig>;

const PATH = /^config\/([1-9][0-9]{0,8})$/;
/** Configs have some hundred bytes. */
const MOST_BYTES = 2 ** 20;

/** The configs of a disc that are whole. Rejects as the disc does when it is gone. */
export async function configsOn(files: DiscFiles): Promise<DiscConfigs> {
  const found = new Map<string, DiscConfig>();
  for (const [path, size] of files.sizes) {
    const name = PATH.exec(path)?.[1];
    if (name === undefined || size > MOST_BYTES) continue;
    const bytes = await files.read(path, 0, size).catch((error: unknown) => {
      if (error instanceof CbrError && error.code === 'damaged') return undefined;
      throw error;
    });
    if (bytes === undefined || !isProven('config', name, bytes)) continue;
    const digest = createHash('sha256').update(bytes).digest('hex');
    found.set(name, { digest, isEncrypted: encryptionIn(bytes, Number(name)) });
  }
  return found;
}

function encryptionIn(bytes: Uint8Array, number: number): boolean | undefined {
  try {
    return decodeConfig(bytes, number).config.encrypted;
  } catch (error) {
    if (error instanceof CbrError) return undefined;
    throw error;
  }
}

/** Whether two discs may be of one repository. */
export function agree(a: DiscConfigs, b: DiscConfigs): boolean {
  return [...a].every(([name, { digest }]) => (b.get(name)?.digest ?? digest) === digest);
}

/** Whether one of them says so. */
export function isEncrypted(configs: DiscConfigs): boolean {
  return [...configs.values()].some((each) => each.isEncrypted === true);
}

/** ` (not encrypted)`, where that is so, behind the name of a disc. */
export function encryptionInWords(configs: DiscConfigs): string {
  const isKnown = [...configs.values()].some((each) => each.isEncrypted !== undefined);
  return !isKnown ? '' : isEncrypted(configs) ? ' (encrypted)' : ' (not encrypted)';
}
