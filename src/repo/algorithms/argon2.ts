import { createRequire } from 'node:module';
import { asBuffer } from '../../core/index.js';

/** Cost parameters of argon2id (RFC 9106). */
export interface Argon2Cost {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

export interface Argon2 {
  readonly name: string;
  /** 32 bytes derived from the password, version 0x13. */
  derive(password: Uint8Array, salt: Uint8Array, cost: Argon2Cost): Promise<Buffer>;
}

interface NativeModule {
  hashRaw(password: Uint8Array, options: object): Promise<Buffer>;
}

const portableArgon2: Argon2 = {
  name: '@noble/hashes',
  derive: async (password, salt, cost) => {
    const { argon2idAsync } = await import('@noble/hashes/argon2.js');
    const { memoryKiB: m, passes: t, lanes: p } = cost;
    return asBuffer(await argon2idAsync(password, salt, { m, t, p, dkLen: 32, version: 0x13 }));
  },
};

/** The native implementation (in a thread of its own, 170 ms at the default cost) where it loads, else the portable one. */
export function loadArgon2(portable: boolean): Argon2 {
  if (portable) return portableArgon2;
  try {
    const native = createRequire(import.meta.url)('@node-rs/argon2') as NativeModule;
    return {
      name: '@node-rs/argon2',
      derive: (password, salt, cost) =>
        native.hashRaw(password, {
          memoryCost: cost.memoryKiB,
          timeCost: cost.passes,
          parallelism: cost.lanes,
          outputLen: 32,
          algorithm: 2,
          version: 1,
          salt,
        }),
    };
  } catch {
    return portableArgon2;
  }
}
