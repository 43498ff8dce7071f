/** Hashes one byte string after another under one fixed key or context. */
export interface Blake3 {
  /** The 32-byte digest; a fresh buffer. */
  digest(bytes: Uint8Array): Buffer;
  /** Writes the 32-byte digest to `target`. */
  digestTo(bytes: Uint8Array, target: Buffer, at: number): void;
  /** The digest of parts put one behind the other. */
  digestOf(parts: readonly Uint8Array[]): Buffer;
}

/** Keyed with 32 bytes, or in derive-key mode under a context string. */
export type Blake3Mode = { readonly key: Uint8Array } | { readonly context: string };

export interface Blake3Implementation {
  readonly name: string;
  create(mode: Blake3Mode): Blake3;
}
