/** Content that comes once, from outside: standard input, or what a command prints. */
export interface ByteStream {
  /** Throws CbrError (source) when it breaks off, or must not be used as it ended. */
  readonly content: AsyncIterable<Uint8Array>;
  /** Ends what it comes from; to be called whatever happened. */
  close(): Promise<void>;
}
