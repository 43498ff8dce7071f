import { type Argon2, loadArgon2 } from './argon2.js';
import type { Blake3Implementation } from './blake3.js';
import { loadBlake3 } from './load-blake3.js';
import { loadZstd, type Zstd } from './zstd.js';

/** The implementations in use on this machine. All of them read what any of them wrote. */
export interface Algorithms {
  readonly blake3: Blake3Implementation;
  readonly zstd: Zstd;
  readonly argon2: () => Argon2;
}

/** `portable`: only what needs no native code of ours, as on a machine without a compiler. */
export async function loadAlgorithms(portable: boolean): Promise<Algorithms> {
  const [blake3, zstd] = await Promise.all([loadBlake3(portable), loadZstd(portable)]);
  return { blake3, zstd, argon2: () => loadArgon2(portable) };
}
