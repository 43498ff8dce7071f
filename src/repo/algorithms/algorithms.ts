import { type Argon2, loadArgon2 } from './argon2.js';
import { type Blake3Implementation, loadBlake3 } from './blake3.js';
import { loadZstd, type Zstd } from './zstd.js';

/** The implementations in use on this machine. All of them read what any of them wrote. */
export interface Algorithms {
  readonly blake3: Blake3Implementation;
  readonly zstd: Zstd;
  readonly argon2: () => Argon2;
}

/** `portable`: only what needs no native code of ours, as on a machine without a compiler. */
export async function loadAlgorithms(portable: boolean): Promise<Algorithms> {
  return { blake3: loadBlake3(portable), zstd: await loadZstd(portable), argon2: () => loadArgon2(portable) };
}
